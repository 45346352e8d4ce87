"""Pictures of the managers' pages, kept as files of the run (`runs/pictures`) for people to look at.

docs/pictures/manage.png and guests.png are two of them, copied by hand when the pages have changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from gateway.access.passwords import hash_password
from gateway.demo.server import SHARED, serving
from tests.browser.test_pictures import DESKTOP, LOOKS, PICTURES
from tests.chromium import chromium, picture
from tests.running import enter, free_port, running_gateway

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
GUESTS = (("Ada Lovelace", "ada@example.org"), ("Grace Hopper", "grace@example.org"), ("נועה כהן", "noa@example.org"))


async def test_every_managers_page_in_every_look(tmp_path: Path) -> None:
    """Nothing is wider than the screen, in either direction, and the pictures are there to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    media, port = free_port(), free_port()
    extra = (
        f"manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}\n"
        f'managers: [{{name: alice, password: "{hash_password(PASSWORD)}", may: ["tv:*"]}}]\n'
    )
    async with serving(media), running_gateway(tmp_path, "hls", media, extra=extra) as gateway, chromium() as browser:
        made = await gateway.desk.create("tv", SHARED, name="Webinar invite", by="alice", clicks=30, days=7)
        await gateway.desk.create(
            "tv", SHARED, name="Family", by="alice", starts_at="2099-12-24T18:00:00Z", viewers=20, pin="741852",
            emails=["anna@example.org", "@club.example"],
        )  # fmt: skip
        for name, email in GUESTS:
            await enter(gateway.port, made.url, name=name, email=email)  # type: ignore[union-attr, arg-type]
        for look, options in {**LOOKS, "right-to-left": {"viewport": DESKTOP}}.items():
            await _walk(browser, look, options, f"http://127.0.0.1:{port}/_gateway/manage")


async def _walk(browser: Browser, look: str, options: dict[str, Any], home: str) -> None:
    context = await browser.new_context(**options)
    page = await context.new_page()

    async def take(name: str) -> None:
        if look == "right-to-left":
            await page.evaluate("document.documentElement.dir = 'rtl'")
        wide = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, f"{name} is wider than a {look} screen"
        await picture(page, PICTURES / f"{name}-{look}.png")

    await page.goto(home)
    await take("sign-in")
    await page.get_by_label("Name").fill("alice")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(home)
    await take("manage-home")
    window = f"{home}?server=tv&item={SHARED}"
    await page.goto(window)
    await take("manage")
    for view in ("new", "edit", "delete", "qr"):
        await page.goto(window)
        name = {"new": "Create new link", "edit": "Edit Family", "delete": "Delete Family", "qr": "QR code of Family"}[
            view
        ]
        await page.get_by_role("link", name=name).click()
        await take(f"manage-{view}")
    for room in ("links", "guests", "record"):
        await page.goto(f"{home}/{room}")
        await take(room)
    await context.close()
