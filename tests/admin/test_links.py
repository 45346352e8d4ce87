"""The link desk: many links, found and changed together."""

from __future__ import annotations

import re

from tests.admin.conftest import ManagerBrowser, Managing, form_of
from tests.admin.test_manage import text

DESK = "/_gateway/manage/links"


async def make(managing: Managing, count: int) -> list[str]:
    made = []
    for number in range(count):
        view = await managing.running.desk.create("tv", f"item{number:04}", name=f"Link {number:03}", by="test")
        made.append(view.link.id)  # type: ignore[union-attr]
    return made


async def change(browser: ManagerBrowser, act: str, links: list[str], query: str = "", **fields: str):  # type: ignore[no-untyped-def]
    token = form_of(await browser.get(f"{DESK}{query}"))
    ticked = {f"link-{one}": "1" for one in links}
    return await browser.post(f"{DESK}{query}", {"form": token, "act": act, **ticked, **fields})


async def test_all_links_are_listed_searched_sorted_and_paged(managing: Managing) -> None:
    await make(managing, 60)
    browser = await managing.signed_in()
    page = await browser.get(f"{DESK}?sort=name")
    assert "60 links" in text(page)
    assert "Link 049" in text(page)
    assert "Link 050" not in text(page)
    following = re.search(r'href="([^"]+cursor=[^"]+)"', page.body.decode())
    assert following is not None
    second = text(await browser.get(following[1].replace("&amp;", "&")))
    assert "Link 050" in second
    assert "Link 049" not in second
    found = text(await browser.get(f"{DESK}?q=Link+007"))
    assert "1 link " in found
    assert "Link 007" in found
    assert "No link fits" in text(await browser.get(f"{DESK}?state=expired"))
    assert (await browser.get(f"{DESK}?sort=nonsense&state=nonsense&cursor=nonsense")).status == 303


async def test_several_are_switched_off_and_extended_at_once(managing: Managing) -> None:
    links = await make(managing, 5)
    browser = await managing.signed_in()
    answer = await change(browser, "disable", links[:3])
    assert answer.status == 303
    page = await browser.get(answer.headers["location"])
    assert "3 links have been changed." in text(page)
    assert "3 links " in text(await browser.get(f"{DESK}?state=off"))
    assert (await change(browser, "extend", links, days="9")).status == 303
    assert "Never" not in text(await browser.get(DESK))
    assert (
        (await change(browser, "enable", links[:1], "?state=off")).headers["location"].startswith(f"{DESK}?state=off")
    )
    wrong = await change(browser, "extend", links, days="soon")
    assert wrong.status == 400
    assert "whole number" in text(wrong)


async def test_what_was_refused_is_named_and_the_others_are_done(managing: Managing) -> None:
    links = await make(managing, 2)
    browser = await managing.signed_in()
    token = form_of(await browser.get(DESK))
    await managing.running.desk.delete(links[0])
    answer = await browser.post(DESK, {"form": token, "act": "disable", **{f"link-{one}": "1" for one in links}})
    assert answer.status == 409
    assert "1 link could not be changed" in text(answer)
    assert "1 link " in text(await browser.get(f"{DESK}?state=off"))


async def test_owners_see_their_own_links_only(managing: Managing) -> None:
    managing.library.owners["item0001"] = "owen-there"
    links = await make(managing, 3)
    browser = await managing.signed_in("owen")
    page = text(await browser.get(DESK))
    assert "Link 001" in page
    assert "Link 000" not in page
    refused = await change(browser, "disable", [links[0]])
    assert refused.status == 409
    assert "No link fits" in text(await browser.get(f"{DESK}?state=off"))


async def test_the_record_shows_what_was_done(managing: Managing) -> None:
    links = await make(managing, 1)
    browser = await managing.signed_in()
    await change(browser, "disable", links)
    page = text(await browser.get("/_gateway/manage/record"))
    assert "link turned off" in page
    assert "alice" in page
    assert "Nothing has been done" in text(await browser.get("/_gateway/manage/record?action=link_deleted"))
