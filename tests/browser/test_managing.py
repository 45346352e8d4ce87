"""The whole article, in a real browser: an owner shares a film, a guest watches it, the owner ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.access.issue import IssueRefused, rfc3339
from gateway.access.passwords import hash_password
from gateway.demo.server import SHARED, serving
from tests.chromium import chromium
from tests.running import Running, enter, free_port, running_gateway

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


@dataclass
class Stage:
    running: Running
    manage: str
    media: str
    browser: Browser

    async def owner(self, timezone: str | None = None) -> Page:
        """Signed in, on the page where an address is pasted."""
        context = await self.browser.new_context(
            permissions=["clipboard-read", "clipboard-write"], timezone_id=timezone
        )
        page = await context.new_page()
        await page.goto(f"{self.manage}/_gateway/manage")
        await page.get_by_label("Name").fill("alice")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Manage guest access")).to_be_visible()
        return page


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    media, port = free_port(), free_port()
    extra = (
        f"manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}\n"
        f'managers: [{{name: alice, password: "{hash_password(PASSWORD)}", may: ["tv:*"]}}]\n'
    )
    async with (
        serving(media),
        running_gateway(tmp_path, "hls", media, extra=extra) as running,
        chromium() as browser,
    ):
        yield Stage(running, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{media}", browser)


async def plays_on(page: Page) -> None:
    """Frames are decoded, from now on. (The page's policy lets nobody wait inside it; the clip is short, so it is
    made to begin again.)"""
    frames = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
    await page.evaluate("(v => { v.muted = v.loop = true; return v.play() })(document.querySelector('video'))")
    before = await page.evaluate(frames)
    for _ in range(300):
        if await page.evaluate(frames) > before + 15:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the film stands still")


async def create(page: Page, name: str, clicks: str = "", days: str = "") -> None:
    await page.get_by_role("link", name="Create new link").click()
    lead = "Allow anyone with this link to access the media without signing in."
    await expect(page.get_by_text(lead)).to_be_visible()
    await page.get_by_label("Link name").fill(name)
    await page.get_by_label("# of clicks").fill(clicks)
    await page.get_by_label("Duration").fill(days)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("status").first).to_contain_text("The link is there")


async def test_the_article_from_end_to_end(stage: Stage) -> None:
    owner = await stage.owner()
    await owner.get_by_label("Address of the media’s page").fill(f"{stage.media}/hls/{SHARED}/master.m3u8")
    await owner.get_by_role("button", name="Continue").click()

    # The window, before anything.
    lead = "Allow link-based access without sign-in. Up to 3 guest links available."
    await expect(owner.get_by_text(lead)).to_be_visible()
    await expect(owner.get_by_text("No links added")).to_be_visible()
    switch = owner.get_by_role("switch", name="Enable guest access")
    await expect(switch).to_have_attribute("aria-checked", "false")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "true")

    # Three links, and no fourth.
    await create(owner, "Webinar invite")
    await create(owner, "Film club", clicks="30", days="7")
    await expect(owner.get_by_text("2 links")).to_be_visible()
    await create(owner, "Family", clicks="1")
    await expect(owner.get_by_role("link", name="Create new link")).to_have_count(0)
    await expect(owner.get_by_text("These are all 3 links")).to_be_visible()
    row = owner.get_by_role("row", name="Webinar invite")
    await expect(row).to_contain_text("unlimited")
    await expect(owner.get_by_role("row", name="Film club")).to_contain_text("0 of 30")

    # Copy, with a word that it was done.
    await row.get_by_role("button", name="Copy").click()
    await expect(owner.locator(".said")).to_have_text("Copied")
    url = await owner.evaluate("navigator.clipboard.readText()")
    assert url.startswith(stage.running.url + "/g/")

    # A guest in another profile watches.
    context = await stage.browser.new_context()
    guest = await context.new_page()
    await guest.goto(url)
    await guest.get_by_label("Your name").fill("Grace Hopper")
    await guest.get_by_label("Your email address").fill("grace@example.org")
    await guest.get_by_role("button", name="Continue").click()
    await guest.wait_for_url("**/_gateway/watch/*")
    await plays_on(guest)

    # The owner sees who is there, and what was watched.
    await owner.get_by_role("link", name="Guests of this media").click()
    await expect(owner.get_by_role("row", name="Grace Hopper")).to_contain_text("here now")
    await expect(owner.get_by_text("Watching now: 1")).to_be_visible()
    await owner.go_back()

    # Off: who is in goes on, until the page is loaded anew.
    await owner.get_by_role("switch", name="Enable guest access").click()
    await expect(owner.get_by_text("Guest access is off: all links are inactive")).to_be_visible()
    await plays_on(guest)
    await guest.reload()
    await expect(guest.get_by_role("heading", name="Access is turned off")).to_be_visible()

    # Delete, with a confirmation that says what it means.
    await owner.get_by_role("link", name="Delete Webinar invite").click()
    await expect(owner.get_by_text("this can’t be undone")).to_be_visible()
    await owner.get_by_role("button", name="Delete link").click()
    await expect(owner.get_by_text("The link has been deleted.")).to_be_visible()
    await guest.goto(url)
    await expect(guest.get_by_role("heading", name="This link is no longer valid")).to_be_visible()


async def test_the_bookmarklet_leads_from_a_media_page_to_its_item(stage: Stage) -> None:
    owner = await stage.owner()
    script = await owner.get_by_role("link", name="Guest access", exact=True).get_attribute("href")
    assert script is not None
    await owner.goto(f"{stage.media}/hls/{SHARED}/master.m3u8?whatever=1")
    # As a bookmark does it: its script runs in the page.
    await owner.evaluate(script.removeprefix("javascript:"))
    await owner.wait_for_url("**/_gateway/manage?server=tv&item=*")
    await expect(owner.get_by_role("heading", name="Manage guest access")).to_be_visible()
    await expect(owner.get_by_text(SHARED).first).to_be_visible()


async def test_it_works_without_scripts(stage: Stage) -> None:
    context = await stage.browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{stage.manage}/_gateway/manage?server=tv&item={SHARED}")
    await page.get_by_label("Name").fill("alice")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await create(page, "By hand")
    address = await page.get_by_role("textbox", name="Address of By hand").input_value()
    assert address.startswith(f"{stage.running.url}/g/")
    await expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    await page.get_by_role("switch", name="By hand is on").click()
    await expect(page.get_by_text("The link is off.")).to_be_visible()


async def test_a_start_is_meant_in_the_owners_time_zone_as_it_is_on_that_day(stage: Stage) -> None:
    owner = await stage.owner("America/New_York")
    window = f"{stage.manage}/_gateway/manage?server=tv&item={SHARED}"
    for day, utc in (("2098-12-24", "2098-12-24T23:00:00Z"), ("2098-07-04", "2098-07-04T22:00:00Z")):
        await owner.goto(f"{window}&view=new")
        await owner.get_by_label("Link name").fill(f"Of {day}")
        await owner.locator("details.options summary").click()
        await owner.locator("#starts_at").fill(f"{day}T18:00")
        await owner.get_by_role("button", name="Create").click()
        await expect(owner.get_by_role("status").first).to_contain_text("The link is there")
        views = await stage.running.desk.list("tv")
        assert not isinstance(views, IssueRefused)
        (link,) = [one.link for one in views if one.link.name == f"Of {day}"]
        assert rfc3339(link.starts_at) == utc
        await owner.goto(f"{window}&view=edit&link={link.id}")
        assert await owner.locator("#starts_at").input_value() == f"{day}T18:00"
        await owner.get_by_label("Link name").fill("Another name")
        await owner.get_by_role("button", name="Save").click()
        await expect(owner.get_by_text("Another name").first).to_be_visible()
        seen = await stage.running.desk.get(link.id)
        assert rfc3339(seen.link.starts_at) == utc  # type: ignore[union-attr]
        await stage.running.desk.delete(link.id)


async def test_numbers_move_without_a_reload(stage: Stage) -> None:
    owner = await stage.owner()
    link = await stage.running.make_link(SHARED)
    await enter(stage.running.port, link, name="First")
    await owner.goto(f"{stage.manage}/_gateway/manage/guests")
    await expect(owner.get_by_text("Watching now: 1")).to_be_visible()
    await enter(stage.running.port, link, name="Second")
    await expect(owner.get_by_text("Watching now: 2")).to_be_visible(timeout=15_000)


async def test_a_table_of_guests_is_taken_along(stage: Stage) -> None:
    """By a click, as browsers do it: a navigation that ends as a file."""
    owner = await stage.owner()
    await enter(stage.running.port, await stage.running.make_link(SHARED), name="=1+1")
    await owner.goto(f"{stage.manage}/_gateway/manage/guests")
    for name, start in (("CSV", "\ufeffid,link,"), ("JSON", "[")):
        async with owner.expect_download() as got:
            await owner.get_by_role("link", name=name).click()
        path = await (await got.value).path()
        assert path.read_text("utf-8").startswith(start)
