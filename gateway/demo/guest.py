"""The demo tries itself: a guest without a browser, who opens a link and asks for what it is not for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

import aiohttp

_FORM = re.compile(r'name="form"[^>]*?value="([^"]*)"')
_SECONDS = aiohttp.ClientTimeout(total=15)


class DemoFailed(Exception):
    """The demo does not do what it is there to show; the message says what happened instead."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What one address answered."""

    url: str
    status: int


async def try_out(link: str, shared: str, direct: str, through: str) -> tuple[Tried, Tried]:
    """Enter by `link`, see that `shared` can be had, then ask for another item: `direct` and `through` the gateway.

    Raises DemoFailed when the guest is not admitted, or gets less or more than the link's item.
    """
    # unsafe: cookies of an IP address, which is what 127.0.0.1 is. Quotes around a value are no browser's way.
    jar = aiohttp.CookieJar(unsafe=True, quote_cookie=False)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=_SECONDS, headers={"Accept": "text/html"}) as browser:
        async with browser.get(link) as page:
            form = _FORM.search(await page.text())
        if page.status != 200 or form is None:
            raise DemoFailed(f"the entry page answered {page.status}")
        fields = {"name": "Demo", "email": "demo@example.org", "form": unescape(form[1])}
        async with browser.post(link, data=fields, allow_redirects=False) as admitted:
            pass
        if admitted.status != 303:
            raise DemoFailed(f"the entry form answered {admitted.status}")
        own = await _ask(browser, shared)
        if own.status != 200:
            raise DemoFailed(f"{own.url} answered {own.status} to an admitted guest")
        found = await _ask(browser, direct), await _ask(browser, through)
    if (found[0].status, found[1].status) != (200, 403):
        raise DemoFailed("; ".join(f"{one.url} answered {one.status}" for one in found))
    return found


async def _ask(browser: aiohttp.ClientSession, url: str) -> Tried:
    async with browser.get(url, allow_redirects=False) as answer:
        return Tried(url, answer.status)
