"""The session cookie: what is set, what is read back, and what is no session at all."""

from __future__ import annotations

import logging
import secrets

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.config import Origin
from gateway.links.ids import GRANTS_PER_BROWSER, new_grant_id, new_guest_id
from gateway.links.keys import Keys
from gateway.web.embedding import Embedding
from gateway.web.session import SessionCookie
from tests.fakes import FixedClock

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)


def cookie(
    clock: FixedClock, *, secure: bool = True, of: tuple[bytes, ...] = (NEW,), embedding: Embedding | None = None
) -> SessionCookie:
    return SessionCookie(Keys.derive(of).session_fernets, "gateway", secure=secure, clock=clock, embedding=embedding)


def asking(*headers: str) -> web.BaseRequest:
    return make_mocked_request("GET", "/", headers=CIMultiDict([("Cookie", header) for header in headers]))


def grants(count: int) -> tuple[str, ...]:
    return tuple(new_grant_id(new_guest_id("a" * 11)) for _ in range(count))


def written(sessions: SessionCookie, ids: tuple[str, ...], *, persistent: bool = True) -> tuple[str, str]:
    """The `name=value` pair and its attributes."""
    response = web.Response()
    sessions.write(asking(), response, ids, persistent=persistent)
    pair, _, attributes = response.headers["Set-Cookie"].partition("; ")
    return pair, attributes


def test_what_was_written_is_read_back_in_order() -> None:
    sessions, ids = cookie(FixedClock()), grants(3)
    pair, _ = written(sessions, ids)
    assert sessions.grant_ids(asking(f"theme=dark; {pair}; lang=de")) == ids
    assert sessions.grant_ids(asking("theme=dark", pair)) == ids


def test_twenty_grants_stay_below_a_kilobyte_and_the_oldest_goes() -> None:
    sessions, ids = cookie(FixedClock()), grants(25)
    pair, _ = written(sessions, ids)
    assert len(pair) <= 1000
    assert sessions.grant_ids(asking(pair)) == ids[-GRANTS_PER_BROWSER:]


def test_on_https_the_cookie_is_bound_to_the_host() -> None:
    pair, attributes = written(cookie(FixedClock()), grants(1))
    assert pair.startswith("__Host-gateway=")
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure", "Max-Age=7776000"} <= set(attributes.split("; "))
    assert "Domain" not in attributes
    pair, attributes = written(cookie(FixedClock(), secure=False), grants(1))
    assert pair.startswith("gateway=")
    assert "Secure" not in attributes


def test_not_my_device_ends_with_the_browser() -> None:
    _, attributes = written(cookie(FixedClock()), grants(1), persistent=False)
    assert "Max-Age" not in attributes
    assert "Expires" not in attributes


def test_deleting_repeats_every_attribute() -> None:
    response = web.Response()
    cookie(FixedClock()).clear(asking(), response)
    parts = response.headers["Set-Cookie"].split("; ")
    assert parts[0] == "__Host-gateway="
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure", "Max-Age=0"} <= set(parts)
    response = web.Response()
    cookie(FixedClock()).write(asking(), response, (), persistent=True)
    assert "Max-Age=0" in response.headers["Set-Cookie"]


def test_two_cookies_of_the_name_are_no_session() -> None:
    sessions = cookie(FixedClock())
    mine, other = written(sessions, grants(1))[0], written(sessions, grants(1))[0]
    assert sessions.grant_ids(asking(f"{mine}; {other}")) == ()
    assert sessions.grant_ids(asking(mine, other)) == ()
    assert sessions.grant_ids(asking(f"{mine}; __Host-gateway=")) == ()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-1],
        lambda value: value[:40],
        lambda value: value[:50] + ("A" if value[50] != "A" else "B") + value[51:],
        lambda value: f'"{value}"',
        lambda value: value + "é",
        lambda value: "",
        lambda value: "A" * 100_000,
        lambda value: "not base64 at all!",
    ],
)
def test_forged_and_cut_cookies_are_no_session_and_no_log_line(spoil: object, caplog: pytest.LogCaptureFixture) -> None:
    sessions = cookie(FixedClock())
    name, _, value = written(sessions, grants(1))[0].partition("=")
    with caplog.at_level(logging.DEBUG):
        assert sessions.grant_ids(asking(f"{name}={spoil(value)}")) == ()  # type: ignore[operator]
    assert caplog.records == []


def test_a_cookie_is_too_old_after_ninety_days_also_when_it_was_read_before() -> None:
    clock = FixedClock()
    sessions = cookie(clock)
    pair, _ = written(sessions, grants(1))
    clock.forward(days=89)
    assert sessions.grant_ids(asking(pair))
    clock.forward(days=1, seconds=2)
    assert sessions.grant_ids(asking(pair)) == ()
    assert cookie(clock).grant_ids(asking(pair)) == ()


def test_rotation_reads_what_the_older_secret_wrote() -> None:
    clock, ids = FixedClock(), grants(2)
    pair, _ = written(cookie(clock, of=(OLD,)), ids)
    assert cookie(clock, of=(NEW, OLD)).grant_ids(asking(pair)) == ids
    assert cookie(clock, of=(NEW,)).grant_ids(asking(pair)) == ()
    again, _ = written(cookie(clock, of=(NEW, OLD)), ids)
    assert cookie(clock, of=(NEW,)).grant_ids(asking(again)) == ids


def test_the_second_reading_decrypts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, ids = cookie(FixedClock()), grants(1)
    pair, _ = written(sessions, ids)
    assert sessions.grant_ids(asking(pair)) == ids
    monkeypatch.setattr(sessions, "_storage", type("Sealed", (), {"load_cookie": sessions._storage.load_cookie})())
    assert sessions.grant_ids(asking(pair)) == ids


def test_the_cookie_shows_nothing_of_what_it_holds() -> None:
    ids = grants(1)
    pair, _ = written(cookie(FixedClock()), ids)
    assert ids[0] not in pair


# --- frames ---------------------------------------------------------------------------------------

LMS = Embedding((Origin("https", "lms.example.edu", 443),))
FRAME = (("Sec-Fetch-Dest", "iframe"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "same-origin"))
TOP = (("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "same-origin"))


def browser(*headers: tuple[str, str], cookies: str = "", method: str = "GET") -> web.BaseRequest:
    pairs = [*headers, ("Cookie", cookies)] if cookies else list(headers)
    return make_mocked_request(method, "/", headers=CIMultiDict(pairs))


def lines(sessions: SessionCookie, request: web.BaseRequest, ids: tuple[str, ...]) -> list[str]:
    response = web.Response()
    sessions.write(request, response, ids, persistent=True)
    return response.headers.getall("Set-Cookie")


def test_in_a_frame_the_cookie_is_another_one_for_frames_of_that_site() -> None:
    sessions, ids = cookie(FixedClock(), embedding=LMS), grants(1)
    (line,) = lines(sessions, browser(*FRAME), ids)
    assert line.startswith("__Host-gateway-framed=")
    assert {"Path=/", "HttpOnly", "SameSite=None", "Secure", "Partitioned", "Max-Age=7776000"} <= set(line.split("; "))
    assert sessions.grant_ids(browser(*FRAME, cookies=line.partition(";")[0])) == ids
    (gone,) = lines(sessions, browser(*FRAME), ())
    assert gone.startswith("__Host-gateway-framed=; Path=/; HttpOnly; SameSite=None; Secure; Partitioned; Max-Age=0;")
    (line,) = lines(sessions, browser(*TOP), ids)
    assert line.startswith("__Host-gateway=")
    assert "SameSite=Lax" in line
    assert "Partitioned" not in line


def test_where_nobody_frames_a_frames_cookie_is_neither_set_nor_read() -> None:
    open_, closed = cookie(FixedClock(), embedding=LMS), cookie(FixedClock())
    (framed,) = lines(open_, browser(*FRAME), grants(1))
    assert closed.grant_ids(browser(*FRAME, cookies=framed.partition(";")[0])) == ()
    (line,) = lines(closed, browser(*FRAME), grants(1))
    assert line.startswith("__Host-gateway=")
    assert "SameSite=Lax" in line


def test_a_browser_with_both_is_the_guest_of_both_and_then_has_one() -> None:
    """The LMS and the guests' host are of one site."""
    sessions, (one, two, three) = cookie(FixedClock(), embedding=LMS), grants(3)
    plain = lines(sessions, browser(*TOP), (one, two))[0].partition(";")[0]
    framed = lines(sessions, browser(*FRAME), (two, three))[0].partition(";")[0]
    both = f"{plain}; {framed}"
    assert sessions.grant_ids(browser(*FRAME, cookies=both)) == (one, two, three)
    for place, kept, gone in (
        (FRAME, "__Host-gateway-framed=", "__Host-gateway=;"),
        (TOP, "__Host-gateway=", "__Host-gateway-framed=;"),
    ):
        first, second = lines(sessions, browser(*place, cookies=both), (one, two, three))
        assert first.startswith(kept)
        assert "Max-Age=7776000" in first
        assert second.startswith(gone)
        assert "Max-Age=0" in second


def test_a_script_in_a_frame_changes_the_frames_cookie() -> None:
    sessions = cookie(FixedClock(), embedding=LMS)
    framed = lines(sessions, browser(*FRAME), grants(1))[0].partition(";")[0]
    script = (("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-origin"))
    (line,) = lines(sessions, browser(*script, cookies=framed, method="POST"), ())
    assert line.startswith("__Host-gateway-framed=; ")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    ("method", "mode", "dest", "counts"),
    [
        ("GET", "navigate", "iframe", True),
        ("GET", "navigate", "document", True),
        ("HEAD", "navigate", "iframe", True),
        ("POST", "navigate", "iframe", False),
        ("GET", "navigate", "embed", False),
        ("GET", "navigate", "object", False),
        ("GET", "navigate", "", False),
        ("GET", "no-cors", "iframe", False),
        ("GET", "cors", "empty", False),
        ("GET", "websocket", "websocket", False),
        ("GET", "", "iframe", False),
    ],
)
def test_what_another_site_causes_shows_the_frames_session_to_pages_alone(
    site: str, method: str, mode: str, dest: str, counts: bool
) -> None:
    sessions, ids = cookie(FixedClock(), embedding=LMS), grants(1)
    framed = lines(sessions, browser(*FRAME), ids)[0].partition(";")[0]
    said = [
        ("Sec-Fetch-Site", site),
        *[(name, one) for name, one in (("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", dest)) if one],
    ]
    assert sessions.grant_ids(browser(*said, cookies=framed, method=method)) == (ids if counts else ())
    assert sessions.grant_ids(browser(("Sec-Fetch-Site", "same-origin"), cookies=framed, method=method)) == ids
    assert sessions.grant_ids(browser(cookies=framed, method=method)) == ids
