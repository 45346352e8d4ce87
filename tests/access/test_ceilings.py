"""Ceilings on links: who says what, of which link, and the verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.access.ceilings import broken, completed, faults_of_change, faults_of_new
from gateway.ceilings import Ceilings
from gateway.links.records import Link

NOW = 1_800_000_000_000
DAY = 86_400_000
NONE = Ceilings()
DEFAULT = Ceilings(default_days=7)
MOST = Ceilings(default_days=7, max_days=30, max_clicks=100)
NEEDED = Ceilings(max_days=30, require=("days", "clicks", "pin"))
LINK = Link(
    id="x", server="tv", item="film1", kind="video", title=None, name="Friends", clicks_limit=None, clicks_used=0,
    created_at=NOW, created_by="alice", expires_at=None, enabled=True, deleted_at=None, version=1,
)  # fmt: skip
OK: dict[str, str] = {}


@pytest.mark.parametrize(
    ("ceilings", "said", "gets", "faults"),
    [
        (NONE, {}, {}, OK),
        (NONE, {"days": 36_500, "clicks": 5}, {}, OK),
        (DEFAULT, {}, {"days": 7}, OK),
        (DEFAULT, {"days": None}, {"days": 7}, OK),
        (DEFAULT, {"days": 400}, {"days": 400}, OK),
        (Ceilings(max_days=30), {}, {"days": 30}, OK),
        (MOST, {}, {"days": 7, "clicks": 100}, OK),
        (MOST, {"days": 30, "clicks": 100}, {"days": 30, "clicks": 100}, OK),
        (MOST, {"days": 31}, {"days": 31, "clicks": 100}, {"days": "must be at most 30 here"}),
        (MOST, {"clicks": 101}, {"days": 7}, {"clicks": "must be at most 100 here"}),
        (MOST, {"days": "many", "clicks": 0}, {"days": "many"}, OK),  # wrong for another reason, said elsewhere
        (
            NEEDED, {}, {},
            {"days": "is needed here, and must be at most 30", "clicks": "is needed here", "pin": "is needed here"},
        ),
        (NEEDED, {"days": 30, "clicks": 1, "pin": "4711"}, {}, OK),
        (Ceilings(default_days=7, require=("days",)), {}, {}, {"days": "is needed here"}),
    ],
)  # fmt: skip
def test_a_new_link_gets_what_was_not_said_and_is_refused_beyond(
    ceilings: Ceilings, said: dict[str, object], gets: dict[str, object], faults: dict[str, str]
) -> None:
    found = completed(said, ceilings)
    assert found == {**said, **gets}
    assert faults_of_new(found, ceilings) == faults


@pytest.mark.parametrize(
    ("ceilings", "link", "said", "faults"),
    [
        (NONE, LINK, {"days": None, "clicks": None, "pin": None}, OK),
        (MOST, LINK, {"name": "Other", "enabled": True}, OK),  # from before: it may be renamed
        (MOST, LINK, {"clicks": None, "days": None}, OK),  # as it is
        (NEEDED, LINK, {"pin": None}, OK),
        (MOST, replace(LINK, clicks_limit=500), {"clicks": 500}, OK),
        (MOST, replace(LINK, clicks_limit=500), {"clicks": 400}, {"clicks": "must be at most 100 here"}),
        (MOST, LINK, {"clicks": 100, "days": 30}, OK),
        (MOST, replace(LINK, clicks_limit=9), {"clicks": None}, {"clicks": "is needed here, and must be at most 100"}),
        (MOST, replace(LINK, expires_at=NOW + DAY), {"days": None}, {"days": "is needed here, and must be at most 30"}),
        (MOST, replace(LINK, expires_at=NOW + DAY), {"days": 31}, {"days": "must be at most 30 here"}),
        (DEFAULT, replace(LINK, expires_at=NOW + DAY), {"days": None}, OK),  # a default is no ceiling
        (NEEDED, replace(LINK, pin="$argon2id$"), {"pin": None}, {"pin": "is needed here"}),
        (NEEDED, replace(LINK, pin="$argon2id$"), {"pin": "0815"}, OK),
    ],
)
def test_a_change_is_judged_by_what_it_changes(
    ceilings: Ceilings, link: Link, said: dict[str, object], faults: dict[str, str]
) -> None:
    assert faults_of_change(said, ceilings, link) == faults


@pytest.mark.parametrize(
    ("ceilings", "link", "fields"),
    [
        (NONE, LINK, ()),
        (DEFAULT, LINK, ()),
        (MOST, LINK, ("days", "clicks")),
        (NEEDED, LINK, ("days", "clicks", "pin")),
        (MOST, replace(LINK, expires_at=NOW + 30 * DAY, clicks_limit=100), ()),
        (MOST, replace(LINK, expires_at=NOW + 30 * DAY + 1, clicks_limit=101), ("days", "clicks")),
        (MOST, replace(LINK, created_at=NOW - 90 * DAY, expires_at=NOW + 30 * DAY, clicks_limit=1), ()),
        (MOST, replace(LINK, expires_at=NOW), ()),  # it can't be used any more
        (MOST, replace(LINK, deleted_at=NOW), ()),
        (NEEDED, replace(LINK, expires_at=NOW + DAY, clicks_limit=1, pin="$argon2id$"), ()),
    ],
)
def test_links_from_before_break_them_where_they_go_beyond(
    ceilings: Ceilings, link: Link, fields: tuple[str, ...]
) -> None:
    assert broken(link, ceilings, now=NOW) == fields


@pytest.mark.parametrize(
    ("policy", "server", "both"),
    [
        (NONE, NONE, NONE),
        (MOST, NONE, MOST),
        (NONE, MOST, MOST),
        (MOST, Ceilings(max_days=3), Ceilings(default_days=3, max_days=3, max_clicks=100)),
        (MOST, Ceilings(max_days=90, max_clicks=900), MOST),  # only tighter
        (MOST, Ceilings(default_days=90), Ceilings(default_days=30, max_days=30, max_clicks=100)),
        (MOST, Ceilings(default_days=2), Ceilings(default_days=2, max_days=30, max_clicks=100)),
        (Ceilings(require=("pin",)), Ceilings(require=("days",)), Ceilings(require=("days", "pin"))),
    ],
)
def test_what_is_said_of_one_server_only_tightens(policy: Ceilings, server: Ceilings, both: Ceilings) -> None:
    assert policy.tightened(server) == both
