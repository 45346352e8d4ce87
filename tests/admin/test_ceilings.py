"""Ceilings in the pages: said before anything is sent, kept to, and what is from before is marked."""

from __future__ import annotations

from gateway.config_file import load_config
from gateway.loading import loaded
from tests.admin.conftest import Managing
from tests.admin.test_links import DESK, change, make
from tests.admin.test_manage import WINDOW, do, link_ids, text


async def demand(managing: Managing, ceilings: str) -> None:
    """What the operator writes meanwhile."""
    file = managing.running.config.file
    lines = [line for line in file.read_text().splitlines() if "ceilings:" not in line]
    lines.insert(next(n for n, line in enumerate(lines) if "policy:" in line) + 1, f"    ceilings: {ceilings}")
    file.write_text("\n".join(lines) + "\n")
    await managing.running.gateway.adapt(loaded(load_config(file, need_servers=True)))


async def test_the_form_says_what_applies_and_a_link_gets_it(managing: Managing) -> None:
    await demand(managing, "{default_days: 7, max_days: 30, max_clicks: 50}")
    browser = await managing.signed_in()
    form = text(await browser.get(f"{WINDOW}&view=new"))
    for said in ("At most 30.", "Empty means 7 days.", "At most 50.", "Empty means 50."):
        assert said in form
    assert "for ever" not in form
    assert "no limit" not in form
    page = text(await do(browser, "create", name="Club", clicks="", days=""))
    assert "0 of 50" in page
    assert "Never" not in page
    assert "beyond the limits" not in page


async def test_beyond_them_the_form_says_why(managing: Managing) -> None:
    await demand(managing, "{max_days: 30, max_clicks: 50, require: [clicks, pin]}")
    browser = await managing.signed_in()
    form = await browser.get(f"{WINDOW}&view=new")
    assert text(form).count("Needed here.") == 1
    assert "Every link here needs one" in text(form)
    assert form.body.count(b" required") >= 3
    refused = await do(browser, "create", name="Club", clicks="", days="31")
    assert refused.status == 400
    for said in ("from 1 to 30.", "from 1 to 50.", "Every link here needs a PIN."):
        assert said in text(refused)
    assert link_ids(await browser.get(WINDOW)) == []
    made = await do(browser, "create", name="Club", clicks="50", days="30", pin="4711")
    assert "link has been created" in text(made).casefold() or link_ids(made)


async def test_a_limit_that_is_demanded_is_not_lifted_by_an_edit(managing: Managing) -> None:
    await demand(managing, "{max_days: 30, max_clicks: 50}")
    browser = await managing.signed_in()
    (link,) = link_ids(await do(browser, "create", name="Club", clicks="5", days="3"))
    form = await browser.get(f"{WINDOW}&view=edit&link={link}")
    assert b'name="lift"' not in form.body
    for fields in ({"clicks": ""}, {"clicks": "51"}, {"clicks": "5", "days": "31"}, {"clicks": "5", "lift": "1"}):
        refused = await do(browser, "save", link=link, version="1", name="Club", **fields)
        assert refused.status == 400, fields
    saved = await do(browser, "save", link=link, version="1", name="Other", clicks="50", days="30")
    assert (saved.status, "Other" in text(saved)) == (200, True)


async def test_links_from_before_are_marked_and_work_on(managing: Managing) -> None:
    browser = await managing.signed_in()
    (link,) = link_ids(await do(browser, "create", name="Old", clicks="", days=""))
    assert "beyond" not in text(await browser.get(WINDOW))
    await demand(managing, "{max_days: 30, max_clicks: 50, require: [pin]}")
    page = text(await browser.get(WINDOW))
    assert "Old active beyond the limits" in page
    form = text(await browser.get(f"{WINDOW}&view=edit&link={link}"))
    assert "It works on as it is" in form
    assert "duration, clicks, PIN" in form
    # Its name may be changed with all the form brings along; what is changed else must keep to them.
    saved = await do(browser, "save", link=link, version="1", name="Older", clicks="", days="")
    assert "Older active" in text(saved)
    assert (await do(browser, "save", link=link, version="2", name="Older", clicks="900", days="")).status == 400
    kept = await do(browser, "save", link=link, version="2", name="Older", clicks="50", days="30", pin="4711")
    assert "beyond the limits" not in text(kept)


async def test_the_link_desk_counts_shows_and_extends_within_them(managing: Managing) -> None:
    links = await make(managing, 3)
    browser = await managing.signed_in()
    assert "beyond" not in text(await browser.get(DESK))
    await managing.running.desk.edit(links[0], {"days": 5})
    await demand(managing, "{max_days: 30}")
    page = await browser.get(DESK)
    assert "2 links go beyond the limits" in text(page)
    assert f'href="{DESK}?breaks=1"'.encode() in page.body
    shown = text(await browser.get(f"{DESK}?breaks=1"))
    assert "2 links" in shown
    assert "Link 000" not in shown
    refused = await change(browser, "extend", links, days="31")
    assert refused.status == 409
    assert text(refused).count("so many days are not allowed for it") == 3
    assert (await change(browser, "extend", links, days="30")).status == 303
    assert "beyond" not in text(await browser.get(DESK))
