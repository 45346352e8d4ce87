"""Settings of the guests' side, each from config.yaml to what a guest meets, and changed while the gateway runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import POLICY
from tests.guest.test_answers import Browser
from tests.running import Answer, Running, ask, free_port, running_gateway

JAPANESE = "Accept-Language: ja, he;q=0.5\r\nAccept: text/html\r\n"


async def tries(running: Running, link: str, number: int, *, right: str = "") -> list[int]:
    """Statuses of so many wrong PINs, and of the right one behind them."""
    browser = Browser(running.port, link)
    await browser.get()
    words = {"name": "Ada", "email": "ada@example.org"}
    said = [(await browser.post({**words, "pin": f"{1000 + one}"})).status for one in range(number)]
    return [*said, *([(await browser.post({**words, "pin": right})).status] if right else [])]


@pytest.mark.parametrize("key", ["wrong_tries_per_address", "wrong_tries_per_link"])
async def test_how_often_a_pin_may_be_wrong_is_the_operators_word(tmp_path: Path, key: str) -> None:
    async with running_gateway(tmp_path, POLICY, free_port(), extra=f"limits: {{{key}: 3}}\n") as running:
        link = await running.make_link("abc", pin="2468")
        assert await tries(running, link, 5, right="2468") == [403, 403, 403, 429, 429, 429]
        await running.reconfigure(f"{key}: 3", f"{key}: 30")
        assert await tries(running, link, 1, right="2468") == [403, 303]


async def test_who_has_to_wait_for_others_wrong_tries_is_led_back_to_the_form(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, POLICY, free_port(), extra="limits: {wrong_tries_per_link: 3}\n") as running:
        link = await running.make_link("abc", pin="2468")
        await tries(running, link, 4)
        browser = Browser(running.port, link)
        await browser.get()
        page = await browser.post({"name": "Ada", "email": "ada@example.org", "pin": "2468"})
        assert (page.status, int(page.headers["retry-after"]) > 0) == (429, True)
        assert b'<a class="button" href="">Try again</a>' in page.body
        assert b"2468" not in page.body


def language_of(answer: Answer) -> tuple[str, int]:
    """The page's, and how many are on offer beside it."""
    return answer.headers["content-language"], answer.body.decode().count(' hreflang="')


async def test_languages_are_those_the_operator_names_the_first_where_none_fits(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, POLICY, free_port(), extra="languages: []\n") as running:
        path = "/" + (await running.make_link("abc")).split("/", 3)[3]

        async def shown(cookie: str = "") -> tuple[str, int]:
            return language_of(await ask(running.port, f"GET {path}", headers=JAPANESE, cookie=cookie))

        assert await shown() == ("ja", 8)
        assert await shown("gateway-language=de") == ("de", 8)
        await running.reconfigure("languages: []", "languages: [fr, he]")
        assert await shown() == ("he", 2)
        assert await shown("gateway-language=de") == ("he", 2), "a choice that is not on offer any more"
        await running.reconfigure("languages: [fr, he]", "languages: [fr, de]")
        assert await shown() == ("fr", 2)
        await running.reconfigure("languages: [fr, de]", "languages: [de]")
        assert await shown() == ("de", 0)
