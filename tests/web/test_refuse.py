"""Refusals: a page for a person, problem+json for a program, and never the reason."""

from __future__ import annotations

import pytest

from gateway.errors import BadSecret, GatewayError, StoreDown, StoreTooNew, UpstreamDown, UpstreamFailed, UpstreamSlow
from gateway.reasons import Reason
from gateway.web.refuse import reason_of, refuse, refuse_bare, refuse_failure

NAVIGATION = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("reason", list(Reason), ids=str)
async def test_every_reason_has_a_page_and_a_problem(stage, reason):
    async def door(visit):
        return refuse(visit, reason, detail="origin http://10.1.2.3:8096 said no")

    stage.door = door
    async with stage.client.get("/x", headers=NAVIGATION) as answer:
        page = await answer.text()
        assert answer.status == reason.status
        assert answer.content_type == "text/html"
    async with stage.client.get("/x") as answer:
        problem = await answer.json(content_type="application/problem+json")
        assert answer.status == problem["status"] == reason.status
    assert problem["reference"] == "ABCD2345"
    assert "ABCD2345" in page
    for text in (page, str(problem)):
        assert "10.1.2.3" not in text
        assert reason.value not in text
        assert "Village cinema" not in text  # the policy's title may name the software behind us
    assert [visit.reason for visit in stage.visits] == [reason, reason]
    assert stage.visits[0].detail == "origin http://10.1.2.3:8096 said no"


async def test_links_that_are_no_longer_valid_all_read_the_same(stage):
    pages = set()
    for reason in (Reason.LINK_UNKNOWN, Reason.LINK_EXPIRED, Reason.LINK_USED_UP, Reason.LINK_DELETED):

        async def door(visit, reason=reason):
            return refuse(visit, reason)

        stage.door = door
        async with stage.client.get("/x", headers=NAVIGATION) as answer:
            pages.add(await answer.text())
    assert len(pages) == 1


async def test_head_has_the_length_but_no_body(stage):
    async def door(visit):
        return refuse(visit, Reason.NO_RULE)

    stage.door = door
    async with stage.client.head("/x", headers=NAVIGATION) as answer:
        assert answer.status == 403
        assert int(answer.headers["Content-Length"]) > 500
        assert await answer.read() == b""


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({"Accept": "text/html"}, True),
        ({"Accept": "text/html", "Sec-Fetch-Dest": "document"}, True),
        ({"Accept": "text/html", "Sec-Fetch-Dest": "iframe"}, True),
        ({"Accept": "text/html", "Sec-Fetch-Dest": "video"}, False),
        ({"Accept": "*/*", "Sec-Fetch-Dest": "document"}, False),
        ({"Accept": "*/*"}, False),
    ],
)
async def test_who_gets_a_page(stage, headers, page):
    async def door(visit):
        return refuse(visit, Reason.NO_RULE)

    stage.door = door
    async with stage.client.get("/x", headers=headers) as answer:
        assert answer.content_type == ("text/html" if page else "application/problem+json")


async def test_the_way_back_stands_on_the_page_and_is_escaped(stage):
    async def door(visit):
        return refuse(visit, Reason.NO_RULE, back='/watch?a=1&b="2"')

    stage.door = door
    async with stage.client.get("/x", headers=NAVIGATION) as answer:
        assert 'href="/watch?a=1&amp;b=&#34;2&#34;"' in await answer.text()


async def test_a_503_says_when_to_come_again(stage):
    async def door(visit):
        return refuse(visit, Reason.STORE_DOWN)

    stage.door = door
    async with stage.client.get("/x", headers=NAVIGATION) as answer:
        assert answer.headers["Retry-After"] == "5"
        assert 'href=""' in await answer.text()


async def test_programs_hear_what_is_wrong_with_a_form(stage):
    async def door(visit):
        return refuse(visit, Reason.FORM_INVALID, errors={"name": "entry.error.name"})

    stage.door = door
    async with stage.client.post("/x") as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert problem["errors"] == {"name": "Please enter your name, up to 100 characters."}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreDown(), Reason.STORE_DOWN),
        (UpstreamSlow(), Reason.UPSTREAM_SLOW),
        (UpstreamDown(), Reason.UPSTREAM_DOWN),
        (UpstreamFailed(), Reason.UPSTREAM_DOWN),
        (StoreTooNew(), Reason.STORE_DOWN),
        (BadSecret(), Reason.INTERNAL),
        (GatewayError(), Reason.INTERNAL),
    ],
)
async def test_failures_become_reasons(stage, error, reason):
    assert reason_of(error) is reason

    async def door(visit):
        return refuse_failure(visit, error)

    stage.door = door
    async with stage.client.get("/x") as answer:
        assert answer.status == reason.status


async def test_a_refusal_before_there_is_a_visit(stage):
    async def door(visit):
        return refuse_bare(visit.request, Reason.WRONG_HOST, "ZZZZ7777")

    stage.door = door
    async with stage.client.get("/x", headers=NAVIGATION) as answer:
        assert answer.status == 421
        page = await answer.text()
    assert "ZZZZ7777" in page
    assert "Village cinema" not in page
