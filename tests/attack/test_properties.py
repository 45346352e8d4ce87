"""Properties of the judgement, over whatever hypothesis thinks of."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.policy.load import load_policy_text
from gateway.policy.target import Ambiguity, parse_target
from tests.attack.lines import POLICY, A, B
from tests.attack.recording import query_values, readings

SCOPE = load_policy_text(POLICY).scope("video", {"id": (A,)})
FOLDERS = tuple(f"/{name}/{A}" for name in ("media", "hls", "any", "deep", "live"))

pieces = st.sampled_from(
    [
        "/", "//", ".", "..", "...", "%2e", "%2E", "%252e", "%25", "%2f", "%5c", "\\", ";", "%3b", "%00", "%", "%20",
        A, A.upper(), B, "hls", "media", "any", "deep", "seg", "live", "index.m3u8", "seg1.ts", "-1.ts", "?", "&", "=",
        "id", "ID", "i_d", "id[]", "%69d", "x", "#", "+", "%26", "%3D", "%EF%BC%8E", "%EF%BC%8F", "%EF%BC%85", "2e",
        "%E2%80%A5", "_method", "a b", "é", "%c0%ae", "api/items", "_HLS_msn",
    ]
)  # fmt: skip
targets = st.builds(
    lambda head, tail: head + "".join(tail),
    st.sampled_from(["/", f"/any/{A}/", f"/deep/{A}/", "/api/items?", f"/hls/{A}/"]),
    st.lists(pieces, max_size=9),
)


@settings(max_examples=1_500, deadline=None)
@given(targets)
@example(f"/deep/{A}/..%252f..%252fhls/{B}/x.ts")
@example(f"/any/{A}/%EF%BC%852e%EF%BC%852e")
def test_whatever_is_allowed_stays_in_scope_under_every_reading(raw: str) -> None:
    target = parse_target(raw)
    if isinstance(target, Ambiguity) or not SCOPE.decide("GET", target).allowed:
        return
    path, _, query = target.sent.partition("?")
    assert all(value == A for value in query_values(query, "id"))
    if path == "/api/items":
        return
    for reading in readings(path):
        assert reading.startswith((*FOLDERS, f"/seg/{A}-")), reading
        rest = reading.removeprefix("/").split("/", 2)
        assert rest[1].startswith(A)


@settings(max_examples=500, deadline=None)
@given(targets)
def test_deciding_about_the_canonical_form_is_deciding_about_what_came(raw: str) -> None:
    target = parse_target(raw)
    if isinstance(target, Ambiguity):
        return
    again = parse_target(target.sent)
    assert again == target
    assert SCOPE.decide("GET", target) == SCOPE.decide("GET", target)


def plain(name: str) -> bool:
    """What spec 4 does not refuse, said a second time and differently."""
    return (
        name.isprintable()
        and not any(mark in name for mark in "/\\;%")
        and not name.rstrip().endswith("..")
        and name.strip() not in (".", "..")
        and name.isascii()
    )


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=30).filter(plain))
@example("100% sure?".replace("%", ""))
def test_any_plain_file_name_passes_however_it_is_quoted(name: str) -> None:
    for safe in ("", "!$&'()*+,=:@"):
        target = parse_target(f"/any/{A}/{quote(name, safe=safe)}")
        assert not isinstance(target, Ambiguity), name
        assert SCOPE.decide("GET", target).allowed, name
