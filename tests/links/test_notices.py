"""Pure decisions about notices: which, when again, and how signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import NoticeEvent
from gateway.links.events import Action, Event
from gateway.links.notices import DAY, PATIENCE, expires_soon, next_try, notice_id, noticed, rest, signed_headers
from gateway.links.records import Link

NOW = 1_800_000_000_000
LINK = Link(
    id="l", server="tv", item="i", kind="video", title=None, name="n", clicks_limit=3, clicks_used=3, created_at=NOW,
    created_by="alice", expires_at=NOW + 3 * DAY, enabled=True, deleted_at=None, version=1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("after", "soon"),
    [(0, False), (2 * DAY - 1, False), (2 * DAY, True), (3 * DAY - 1, True), (3 * DAY, False), (9 * DAY, False)],
)
def test_within_the_last_day(after: int, soon: bool) -> None:
    assert expires_soon(LINK, NOW + after) is soon


def test_not_of_a_link_made_for_a_day_or_for_ever() -> None:
    assert not expires_soon(replace(LINK, expires_at=NOW + DAY), NOW)
    assert not expires_soon(replace(LINK, expires_at=NOW + DAY), NOW + DAY // 2)
    assert not expires_soon(replace(LINK, expires_at=None), NOW)


@pytest.mark.parametrize(
    ("action", "detail", "link", "told"),
    [
        (Action.GUEST_ADMITTED, {"clicks_used": "3"}, LINK, "guest_admitted link_used_up"),
        (Action.GUEST_ADMITTED, {"clicks_used": "2"}, LINK, "guest_admitted"),
        (Action.GUEST_ADMITTED, {"clicks_used": "3"}, replace(LINK, clicks_limit=4), "guest_admitted"),
        (Action.GUEST_ADMITTED, {"clicks_used": "3"}, replace(LINK, clicks_limit=None), "guest_admitted"),
        (Action.GUEST_ADMITTED, {"clicks_used": "3"}, replace(LINK, deleted_at=NOW), "guest_admitted"),
        (Action.GUEST_ADMITTED, {}, LINK, "guest_admitted"),  # a line of an earlier version
        (Action.GUEST_ADMITTED, {}, None, "guest_admitted"),
        (Action.LINK_CHANGED, {"clicks_limit": "3"}, LINK, "link_used_up"),
        (Action.LINK_CHANGED, {"clicks_limit": "9"}, replace(LINK, clicks_limit=9), ""),
        (Action.LINK_CHANGED, {"name": "x"}, LINK, ""),
        (Action.LINK_ENABLED, {}, LINK, ""),
        (Action.SIGNED_IN, {}, None, ""),
        (Action.GUEST_LEFT, {}, LINK, ""),
    ],
)
def test_what_a_line_of_the_log_is_to_webhooks(
    action: Action, detail: dict[str, str], link: Link | None, told: str
) -> None:
    assert " ".join(map(str, noticed(Event(NOW, "x", action, detail=detail), link))) == told


def test_every_event_can_happen() -> None:
    from_log = {one for action in Action for one in noticed(Event(NOW, "x", action, detail={"clicks_used": "3"}), LINK)}
    assert set(NoticeEvent) - from_log == {NoticeEvent.LINK_EXPIRES_SOON, NoticeEvent.SERVER_DISABLED}


def test_ids_are_the_same_for_the_same_and_differ_for_others() -> None:
    assert notice_id("a", "b") == notice_id("a", "b")
    assert len({notice_id("a", "b"), notice_id("ab"), notice_id("ab", ""), notice_id("", "ab")}) == 4


def test_the_signature_is_that_of_the_conventions() -> None:
    found = signed_headers([b"new", b"old"], "msg_1", 1_700_000_000, b'{"a": 1}')
    expected = [
        base64.b64encode(hmac.new(key, b'msg_1.1700000000.{"a": 1}', hashlib.sha256).digest()).decode()
        for key in (b"new", b"old")
    ]
    assert found == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": f"v1,{expected[0]} v1,{expected[1]}",
    }


def test_the_example_of_the_conventions_verifies() -> None:
    """The test vector that the libraries for receivers share."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signed_headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(
    tries=st.integers(1, 10**6),
    waited=st.integers(0, 2 * DAY),
    asked=st.one_of(st.none(), st.floats(0, allow_infinity=True, allow_nan=False)),
    chance=st.floats(0, 1),
)
def test_the_next_try_is_later_and_within_a_day(tries: int, waited: int, asked: float | None, chance: float) -> None:
    due = next_try(tries, since=NOW, now=NOW + waited, asked=asked, chance=chance)
    if due is not None:
        assert NOW + waited + 4_000 <= due <= NOW + PATIENCE
    else:
        assert waited > PATIENCE - 7.3 * 3_600_000


@given(failures=st.integers(1, 10**6), chance=st.floats(0, 1))
def test_a_rest_is_minutes_at_most(failures: int, chance: float) -> None:
    assert 4_000 <= rest(failures, chance) <= 360_000
