"""Finding links among many."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.listing import SORTS, BadCursor, LinkQuery, select
from gateway.links.records import Link
from gateway.links.rules import State
from gateway.store.links import Seen


def seen(number: int, name: str = "x", expires: int | None = None, used: int = 0) -> Seen:
    link = Link(
        id=f"{number:019}", server="tv", item=f"film{number % 3}", kind="video", title=None, name=name,
        clicks_limit=None, clicks_used=used, created_at=number, created_by="alice", expires_at=expires,
        enabled=True, deleted_at=None, version=1,
    )  # fmt: skip
    return Seen(link, None)


LINKS = st.lists(
    st.tuples(st.text(max_size=5), st.none() | st.integers(1, 9), st.integers(0, 3)), min_size=0, max_size=30
).map(lambda rows: [seen(number, *row) for number, row in enumerate(rows)])


@given(LINKS, st.sampled_from([sign + name for name in SORTS for sign in ("", "-")]), st.integers(1, 7))
def test_the_pages_together_are_all_links_once_in_order(links: list[Seen], sort: str, limit: int) -> None:
    whole = select(links, LinkQuery(sort=sort, limit=500), visible=lambda one: True, state_of=lambda one: State.ACTIVE)
    assert sorted(one.link.id for one in whole.seen) == sorted(one.link.id for one in links)
    found: list[Seen] = []
    cursor = None
    while True:
        page = select(
            reversed(links), LinkQuery(sort=sort, limit=limit, cursor=cursor),
            visible=lambda one: True, state_of=lambda one: State.ACTIVE,
        )  # fmt: skip
        found += page.seen
        assert page.total == len(links)
        cursor = page.next
        if cursor is None:
            break
    assert found == list(whole.seen)


@given(st.text(max_size=60))
def test_any_text_is_a_cursor_or_is_said_not_to_be_one(text: str) -> None:
    with contextlib.suppress(BadCursor):
        select([seen(1)], LinkQuery(cursor=text), visible=lambda one: True, state_of=lambda one: State.ACTIVE)


def test_without_an_end_a_link_stands_last_in_both_directions() -> None:
    links = [seen(1, expires=None), seen(2, expires=5), seen(3, expires=9)]
    for sort, order in (("expires_at", [2, 3, 1]), ("-expires_at", [3, 2, 1])):
        found = select(links, LinkQuery(sort=sort), visible=lambda one: True, state_of=lambda one: State.ACTIVE)
        assert [one.link.created_at for one in found.seen] == order


@pytest.mark.parametrize(("q", "count"), [("club", 1), ("FILM CLUB", 1), ("club missing", 0), ("", 2), ("film1", 1)])
def test_every_word_must_be_there_in_any_case(q: str, count: int) -> None:
    links = [seen(0, "Film Club"), seen(1, "Friends")]
    found = select(links, LinkQuery(q=q), visible=lambda one: True, state_of=lambda one: State.ACTIVE)
    assert found.total == count
