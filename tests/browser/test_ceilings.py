"""Ceilings as a manager meets them in a real browser, and axe with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.config_file import load_config
from gateway.demo.server import SHARED
from gateway.loading import loaded
from tests.browser.test_axe import PASSWORD, Checker, Stage, axe, stage  # noqa: F401 - two of them are fixtures
from tests.browser.test_pictures import PICTURES
from tests.chromium import picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


async def demand(file: Path, running_stage: Stage, ceilings: str) -> None:
    file.write_text(file.read_text().replace("policy: hls\n", f"policy: hls\n    ceilings: {ceilings}\n"))
    await running_stage.running.gateway.adapt(loaded(load_config(file, need_servers=True)))


async def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        await page.locator(f"[name={name}]").fill(value)
    await page.locator("section form button[type=submit]").click()


async def test_the_form_tells_refuses_and_keeps_and_old_links_are_marked(stage: Stage, axe: str) -> None:  # noqa: F811
    desk = stage.running.desk
    await desk.create("tv", SHARED, name="From before", by="alice")
    await demand(stage.running.config.file, stage, "{default_days: 7, max_days: 30, max_clicks: 50, require: [pin]}")
    page = await stage.browser.new_page()
    look = Checker(page, axe, [])
    await page.goto(stage.home)
    await page.get_by_label("Name").fill("alice")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(stage.home)

    window = f"{stage.home}?server=tv&item={SHARED}"
    await page.goto(f"{window}&view=new")
    await expect(page.locator("#days-hint")).to_contain_text("At most 30. Empty means 7 days.")
    await expect(page.locator("#clicks-hint")).to_contain_text("At most 50. Empty means 50.")
    await expect(page.locator("#pin")).to_be_visible()  # what is needed is not folded away
    await look("new link, with ceilings")
    PICTURES.mkdir(parents=True, exist_ok=True)
    await picture(page, PICTURES / "manage-ceilings.png")
    await fill(page, name="Too long", days="31")
    await expect(page.locator("#days-error")).to_contain_text("from 1 to 30")
    await expect(page.locator("#pin-error")).to_contain_text("needs a PIN")
    await look("refused by ceilings")
    await fill(page, days="", pin="4711")
    await expect(page.get_by_role("row").filter(has_text="Too long")).to_contain_text("0 of 50")
    old = page.get_by_role("row").filter(has_text="From before")
    await expect(old).to_contain_text("beyond the limits")
    await expect(page.locator(".state.beyond")).to_have_count(1)
    await look("a link from before, in the window")
    await old.get_by_role("link", name="Edit").click()
    await expect(page.locator(".remark")).to_contain_text("duration, clicks, PIN")
    await picture(page, PICTURES / "manage-ceilings-before.png")
    await page.goto(f"{stage.home}/links")
    await expect(page.locator(".remark")).to_contain_text("1 link goes beyond")
    await look("all links, some beyond")
    await page.get_by_role("link", name="Show which").click()
    await expect(page.get_by_role("row").filter(has_text="From before")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="Too long")).to_have_count(0)
    await picture(page, PICTURES / "manage-ceilings-links.png")
    assert look.faults == []
