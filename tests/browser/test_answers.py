"""The entry form with fields and consent in a real browser: without scripts, in every look, and by axe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from gateway.access.passwords import hash_password
from gateway.access.views import guest_json
from gateway.demo.server import SHARED, serving
from tests.browser.test_axe import PASSWORD, Checker, axe
from tests.browser.test_pictures import DESKTOP, LOOKS, PHONE, PICTURES, THEME
from tests.chromium import chromium, picture
from tests.running import Running, free_port, running_gateway

__all__ = ["axe"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GUESTS = """guests:
  fields:
    - {name: company, label: {en: Company, he: חברה}, type: text, required: true, help: {en: As on your badge, he: כפי שמופיע בתג}}
    - {name: role, label: {en: Your role, he: התפקיד שלך}, type: choice, required: true, options: [{en: Staff, he: סגל}, {en: Visitor, he: אורח}]}
    - {name: seat, label: {en: Seat, he: מושב}, type: choice, options: [A, B, C, D, E, F]}
    - {name: news, label: {en: Send me the programme, he: שלחו לי את התוכנייה}, type: checkbox}
  consent:
    text: {en: "I have read how my name and address are used, and agree.", he: "קראתי כיצד נעשה שימוש בשמי ובכתובתי ואני מסכים."}
    version: "2026-11"
    url: https://example.org/privacy
"""  # noqa: E501 – a line for each field, as people write them
LOOKS_HERE: dict[str, dict[str, Any]] = {
    **LOOKS,
    "rtl": {"viewport": PHONE, "is_mobile": True, "has_touch": True, "locale": "he"},
    "plain": {"viewport": DESKTOP, "java_script_enabled": False},
}


async def fill(page: Page) -> None:
    await page.locator("#name").fill("Ada Guest")
    await page.locator("#email").fill("ada@example.org")
    await page.locator("#answer-company").fill("ACME")
    await page.locator("#answer-role-2").check()
    await page.locator("#answer-seat").select_option("F")
    await page.locator("#answer-news").check()
    await page.locator("#consent").check()


async def test_the_form_in_every_look(tmp_path: Path) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    media = free_port()
    async with (
        serving(media),
        running_gateway(tmp_path, "hls", media, extra=THEME + GUESTS) as gateway,
        chromium() as browser,
    ):
        link = await gateway.make_link(SHARED)
        for look, options in LOOKS_HERE.items():
            context = await browser.new_context(**options)
            page = await context.new_page()
            scripts = options.get("java_script_enabled", True)

            async def take(name: str, page: Page = page, look: str = look, scripts: bool = scripts) -> None:
                if scripts:
                    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
                    assert not await page.evaluate(wide), f"{name} is wider than a {look} screen"
                await picture(page, PICTURES / f"{name}-{look}.png")

            await page.goto(link)
            await take("entry-fields")
            await page.locator("button.wide").click()
            await page.locator("#consent-error").wait_for()
            await take("entry-fields-wrong")
            await fill(page)
            await page.locator("button.wide").click()
            await page.wait_for_url("**/_gateway/watch/*")
            await context.close()
        await _long_words(gateway, await browser.new_page(viewport=PHONE), link)  # type: ignore[arg-type]
        found: Any = await gateway.desk.guests("tv", SHARED)
        assert len(found) == len(LOOKS_HERE)
        for one in found:
            # Whatever language it was chosen in, it is one and the same.
            assert guest_json(one)["fields"] == {"company": "ACME", "role": "Visitor", "seat": "F", "news": True}
            assert guest_json(one)["consent"]["version"] == "2026-11"


async def _long_words(gateway: Running, page: Page, link: str) -> None:
    """What an operator writes makes no page wider than a phone."""
    word = "Donaudampfschifffahrtsgesellschaft" * 3
    for text in ("en: Company,", "en: Your role,", "en: Staff,", "en: Send me the programme,", "en: As on your badge,"):
        await gateway.reconfigure(text, f"en: {word[:100]},")
    await page.goto(link)
    await page.locator("button.wide").click()
    await page.locator("#consent-error").wait_for()
    assert not await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


async def test_who_comes_back_agrees_to_the_new_text_and_goes_on(tmp_path: Path, axe: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    media = free_port()
    async with (
        serving(media),
        running_gateway(tmp_path, "hls", media, extra=THEME + GUESTS) as gateway,
        chromium() as browser,
    ):
        link = await gateway.make_link(SHARED, clicks=1)
        page = await (await browser.new_context(viewport=PHONE)).new_page()  # type: ignore[arg-type]
        await page.goto(link)
        await fill(page)
        await page.locator("button.wide").click()
        await page.wait_for_url("**/_gateway/watch/*")
        await gateway.reconfigure('"2026-11"', '"2026-12"')
        await page.goto(link)
        look = Checker(page, axe, [])
        await look("agree")
        await page.locator("button.wide").click()
        await page.locator("#consent-error").wait_for()
        await look("agree, not ticked")
        await picture(page, PICTURES / "agree-wrong-phone.png")
        await page.locator("#consent").check()
        await page.locator("button.wide").click()
        await page.wait_for_url("**/_gateway/watch/*")
        await page.goto(link)
        await page.wait_for_url("**/_gateway/watch/*")
        assert look.faults == []
        (guest,) = await gateway.desk.guests("tv", SHARED)  # type: ignore[misc]
        assert guest.guest.consent_version == "2026-12"


async def test_axe_finds_nothing_in_the_form_nor_in_attendance(tmp_path: Path, axe: str) -> None:
    media, port = free_port(), free_port()
    extra = GUESTS + (
        f"manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}\n"
        f'managers: [{{name: alice, password: "{hash_password(PASSWORD)}", may: ["tv:*"]}}]\n'
    )
    async with (
        serving(media),
        running_gateway(tmp_path, "hls", media, extra=THEME + extra) as gateway,
        chromium() as browser,
    ):
        link = await gateway.make_link(SHARED)
        for viewport in (DESKTOP, PHONE):
            page = await (await browser.new_context(viewport=viewport)).new_page()  # type: ignore[arg-type]
            look = Checker(page, axe, [])
            await page.goto(link)
            await look("fields")
            await page.locator("button.wide").click()
            await page.locator("#consent-error").wait_for()
            await look("fields with faults")
            await page.locator(".summary a").nth(3).click()
            assert await page.evaluate("document.activeElement.id") == "answer-role"
            await fill(page)
            await page.locator("button.wide").click()
            await page.wait_for_url("**/_gateway/watch/*")
            await page.goto(f"http://127.0.0.1:{port}/_gateway/manage/sign-in")
            await page.get_by_label("Name").fill("alice")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Sign in").click()
            await page.goto(f"http://127.0.0.1:{port}/_gateway/manage/guests")
            await look("attendance with answers")
            name = "desktop" if viewport is DESKTOP else "phone"
            await picture(page, PICTURES / f"guests-fields-{name}.png")
            assert look.faults == []
