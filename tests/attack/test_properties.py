# ruff: noqa: E501  # lists of names are read best as they are, many to a line
"""Properties of the judgement, over whatever hypothesis thinks of: alone, and with a gateway and a server around it."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote, unquote_to_bytes

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from gateway.policy.load import load_policy_text
from gateway.policy.target import Ambiguity, parse_target
from tests.attack.heads import HANDSHAKE, Head
from tests.attack.policy import POLICY, A, B
from tests.attack.recording import foreign_target
from tests.attack.stage import Stage

SCOPE = load_policy_text(POLICY).scope("video", {"id": (A,)})

pieces = st.sampled_from(
    [
        "/", "//", ".", "..", "...", "%2e", "%2E", "%252e", "%25", "%2f", "%5c", "\\", ";", "%3b", "%00", "%", "%20",
        A, A.upper(), B, "hls", "media", "any", "deep", "seg", "live", "index.m3u8", "seg1.ts", "-1.ts", "?", "&", "=",
        "id", "ID", "i_d", "id[]", "%69d", "x", "#", "+", "%26", "%3D", "%EF%BC%8E", "%EF%BC%8F", "%EF%BC%85", "2e",
        "%E2%80%A5", "_method", "\xc3\xa9", "%c0%ae", "api/items", "_HLS_msn", "%3f", "%23", "%C3%A9", "~", "%7e",
    ]
)  # fmt: skip
targets = st.builds(
    lambda head, tail: head + "".join(tail),
    st.sampled_from(["/", f"/any/{A}/", f"/deep/{A}/", f"/api/items?id={A}&", "/api/items?", f"/hls/{A}/"]),
    st.lists(pieces, max_size=9),
)
on_a_stage = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(max_examples=1_500, deadline=None)
@given(targets)
@example(f"/deep/{A}/..%252f..%252fhls/{B}/x.ts")
@example(f"/any/{A}/%EF%BC%852e%EF%BC%852e")
def test_whatever_is_allowed_stays_in_scope_under_every_reading(raw: str) -> None:
    target = parse_target(raw)
    if not isinstance(target, Ambiguity) and SCOPE.decide("GET", target).allowed:
        assert foreign_target("GET", target.sent) is None


@settings(max_examples=1_500, deadline=None)
@given(targets)
def test_deciding_about_the_canonical_form_is_deciding_about_what_came(raw: str) -> None:
    target = parse_target(raw)
    if isinstance(target, Ambiguity):
        return
    assert parse_target(target.sent) == target
    again = parse_target(target.sent)
    assert not isinstance(again, Ambiguity)
    assert again.sent == target.sent
    assert SCOPE.decide("GET", again) == SCOPE.decide("GET", target)


@on_a_stage
@given(raw=targets, method=st.sampled_from(["GET", "HEAD"]))
def test_what_the_server_receives_is_what_was_decided(stage: Stage, raw: str, method: str) -> None:
    target = parse_target(raw)
    allowed = not isinstance(target, Ambiguity) and SCOPE.decide(method, target).allowed
    status, received = stage.ask(Head(f"{method} {raw}"))
    if not allowed:
        assert received == []
        assert 400 <= status < 500
        return
    assert not isinstance(target, Ambiguity)
    assert [head.partition(b"\r\n")[0].decode("latin-1") for head in received] == [f"{method} {target.sent} HTTP/1.1"]
    assert stage.outside(received[0]) is None
    assert status == 200


# --- names -------------------------------------------------------------------------------------


def refused_by_spec(name: str) -> bool:
    """Spec 4 on one segment of a path, said a second time and more slowly: every reading is worked out in turn."""
    seen: set[str] = set()
    todo = [(name, True)]
    while todo:
        text, decoded = todo.pop()
        if text in seen:
            continue
        seen.add(text)
        if any(unicodedata.category(character) == "Cc" for character in text):
            return True
        if "/" in text or "\\" in text or text.rstrip() in (".", ".."):
            return True
        if decoded and (";" in text or text.rstrip().endswith("..")):
            return True
        head = text.partition(";")[0]
        if not decoded and (head.rstrip() in (".", "..") or head.strip() == ".."):
            return True
        octets = unquote_to_bytes(text)
        try:
            again = octets.decode("utf-8")
        except UnicodeDecodeError:
            return True
        if again != text:
            todo.append((again, True))
        else:
            todo.append((unicodedata.normalize("NFKC", text), False))
    return False


letters = st.characters(exclude_categories=["Cs"])
tricky = st.sampled_from(
    [*"./\\;% aA2eEfF5cC", "．", "％", "／", "；", "‥", "%2e", "%25", "%2f", "%C3", "%A9", "\u00a0", "é"]
)


@settings(max_examples=3_000, deadline=None)
@given(st.one_of(st.text(letters, min_size=1, max_size=30), st.lists(tricky, min_size=1, max_size=12).map("".join)))
@example("100% sure?")
@example("100%25")
@example("wait…")
@example(" .")
@example("％２５２ｅ.")
def test_a_name_passes_unless_the_spec_refuses_it_however_it_is_quoted(name: str) -> None:
    for safe in ("", "!$&'()*+,=:@"):
        target = parse_target(f"/any/{A}/{quote(name, safe=safe)}")
        if refused_by_spec(name):
            assert isinstance(target, Ambiguity), name
        else:
            assert not isinstance(target, Ambiguity), (name, target)
            assert target.text == f"/any/{A}/{name}"
            assert SCOPE.decide("GET", target).allowed, name
            assert foreign_target("GET", target.sent) is None


# --- headers -----------------------------------------------------------------------------------

DENIED = [
    Head(f"GET /hls/{B}/seg1.ts"),
    Head("GET /admin"),
    Head(f"GET /hls/{A}/../{B}/seg1.ts"),
    Head(f"GET /api/items?id={B}"),
    Head(f"GET /api/items?id={A}&id={B}"),
    Head(f"POST /hls/{A}/seg1.ts"),
    Head(f"DELETE /media/{A}"),
    Head(f"GET /ws/{A}"),
    Head(f"OPTIONS /hls/{A}/seg1.ts"),
    Head(f"GET /hls/{A}/seg1.ts", cookie=""),
    Head(f"GET /hls/{A}/seg1.ts", cookie="Cookie: {strange}\r\n"),
    Head(f"GET /hls/{A}/seg1.ts", host="Host: evil.example\r\n"),
    Head(f"GET /hls/{A}/seg1.ts", version="HTTP/2.0"),
    Head(f"GET /hls/{A}/seg1.ts", headers="Service-Worker: script\r\n"),
    Head(f"GET /hls/{A}/seg1.ts", headers="Range: a\r\nRange: b\r\n"),
    Head(f"GET /hls/{A}/seg1.ts", headers="Content-Length: 1\r\n", body="x"),
    Head(f"POST /api/play/{A}", headers="Origin: http://evil.example\r\n"),
    Head(f"POST /api/play/{A}", headers="Sec-Fetch-Site: cross-site\r\n"),
    Head(f"GET /ws/{A}", headers=HANDSHAKE + "Origin: http://evil.example\r\n"),
    Head(f"GET /ws/{A}", headers=HANDSHAKE.replace("13", "8")),
    Head(f"GET /ws/{B}", headers=HANDSHAKE),
]
_token = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~", min_size=1, max_size=12
)
names = st.one_of(
    st.sampled_from(
        [
            "Host", "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Original-URL", "X-Rewrite-URL", "Origin",
            "X-HTTP-Method-Override", "X_HTTP_Method_Override", "X-Method-Override", "Authorization", "Cookie2", "Connection",
            "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
            "Content-Length", "Transfer-Encoding", "Content_Length", "Expect", "Range", "If-Range", "User-Agent", "Accept",
            "Content-Type", "Forwarded", "Via", "X-Forwarded-User", "Remote-User", "X-Real-IP", "X-Gateway", "Referer", "TE",
            "Access-Control-Request-Method", "Purpose", "X-Health-Check", "Service-Worker", "Cookie",
        ]
    ),
    _token,
)  # fmt: skip
values = st.one_of(
    st.sampled_from(
        [
            "", "*", "0", "1", "13", "null", "GET", "DELETE", "close", "keep-alive", "Upgrade", "upgrade, close", "websocket", "h2c",
            "chunked", "127.0.0.1", "{host}", "http://{host}", "https://{host}", "same-origin", "none", "cross-site", "script",
            "document", "websocket, h2c", "dGhlIHNhbXBsZSBub25jZQ==", f"/hls/{A}/seg1.ts", f"/media/{A}", "admin", "gateway=x",
            "Host, Cookie", "X-Forwarded-For", "100-continue", "bytes=0-", "application/json", "kube-probe/1.0", "on", "true",
        ]
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20),
)  # fmt: skip


@on_a_stage
@given(
    denied=st.sampled_from(DENIED),
    added=st.lists(st.tuples(names, values), min_size=1, max_size=3),
    first=st.booleans(),
)
def test_no_header_turns_a_denial_into_a_pass(
    stage: Stage, denied: Head, added: list[tuple[str, str]], first: bool
) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in added)
    headers = lines + denied.headers if first else denied.headers + lines
    head = Head(denied.line, headers, (), denied.version, denied.host, denied.cookie, denied.body)
    status, received = stage.ask(head)
    assert received == []
    assert status in (0, 204) or 400 <= status < 500


@on_a_stage
@given(added=st.lists(st.tuples(names, values), min_size=1, max_size=3))
def test_no_header_changes_which_request_it_is(stage: Stage, added: list[tuple[str, str]]) -> None:
    assume(not any(name.lower() == "expect" for name, _ in added))
    lines = "".join(f"{name}: {value}\r\n" for name, value in added)
    _, received = stage.ask(Head(f"GET /hls/{A}/seg1.ts", lines))
    assert len(received) <= 1
    for head in received:
        assert head.startswith(f"GET /hls/{A}/seg1.ts HTTP/1.1\r\n".encode())
        assert stage.outside(head) is None
