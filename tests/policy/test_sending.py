"""What goes to the server in place of what a guest asked: `send`, and paths whose literals ignore case."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.decide import Decision
from gateway.policy.explain import explain
from gateway.policy.load import load_policy_text
from gateway.policy.target import Target, parse_target
from tests.policy.test_document import HEAD, faults

SEND = """
server: x
item: {id: "[a-z0-9]+"}
patterns: {n: "[0-9]+"}
kinds:
  video:
    open: /m/{id}
    allow:
      - page GET /m/{id}
      - request: GET /stream/{id}/main.m3u8?v={n}&*
        send:
          query: {PlaySessionId: "{play}", Source: "{id}/{n_of}", debug: null}
          headers: {User-Agent: "gateway {guest.name}", Range: null}
      - GET /other?*
"""

CASE = """
server: x
item: {id: "[A-Za-z0-9]+"}
patterns: {n: "[0-9]+", word: "[A-Za-z]+", file: "[^/]+"}
paths: {ignore_case: true}
kinds:
  video:
    open: /Page/{id}
    allow:
      - page GET /Page/{id}
      - GET /Videos/{id}/hls/{word}-Main-{n}.ts
      - GET /Audio/{id}/{file}.Mp3
      - GET /Ümlaut/{id}
      - GET {base}/Seg/{n}.ts
"""

VALUES = {
    "id": ("aB1",),
    "play": ("p&1",),
    "n_of": ("7",),
    "guest.name": ("Åda\r\nX: y",),
    "base": ("/Deep/Path",),
}


def judged(policy: str, method: str, raw: str, **more: tuple[str, ...]) -> Decision:
    target = parse_target(raw)
    assert isinstance(target, Target), raw
    text = policy.replace("{n_of}", "{guest.id}").replace("{play}", "{grant.id}").replace("{base}", "{link.id}")
    values = {**VALUES, "grant.id": VALUES["play"], "guest.id": VALUES["n_of"], "link.id": VALUES["base"], **more}
    return load_policy_text(text).scope("video", values).decide(method, target)


def sent(policy: str, raw: str) -> str | None:
    decision = judged(policy, "GET", raw)
    return decision.sent.sent if decision.sent else None


ADDED = "PlaySessionId=p%261&Source=aB1%2F7"


class TestSend:
    @pytest.mark.parametrize(
        ("asked", "wanted"),
        [
            ("?v=1", f"?v=1&{ADDED}"),
            ("?v=1&PlaySessionId=other", f"?v=1&{ADDED}"),
            ("?PlaySessionId=a&v=1&PlaySessionId=b&Source=&Source&PlaySessionId", f"?v=1&{ADDED}"),
            ("?PlaySession%49d=x&v=1", f"?v=1&{ADDED}"),
            ("?v=1&debug=1&x=%2f", f"?v=1&x=%2F&{ADDED}"),
        ],
    )
    def test_what_the_policy_says_stands_there_once(self, asked: str, wanted: str) -> None:
        assert sent(SEND, f"/stream/aB1/main.m3u8{asked}") == f"/stream/aB1/main.m3u8{wanted}"

    @pytest.mark.parametrize(
        "asked",
        [
            "?PlaySessionId=x",  # what the rule itself needs is missing
            "?v=1&playsessionid=x", "?v=1&play_session_id=x", "?v=1&PlaySessionId[]=x", "?v=1&play.session-id=x",
            "?v=1&PLAYSESSIONID=x&PlaySessionId=y", "?v=1&Debug=1", "?v=1&de_bug", "?v=1&source=x", "?v=1&v=2",
            "?v=1&x=a%26Source%3Db", "?v=1&x=%3FPlaySessionId=b", "?v=1&%EF%BC%B3ource=x",
        ],
    )  # fmt: skip
    def test_no_other_spelling_comes_through(self, asked: str) -> None:
        assert judged(SEND, "GET", f"/stream/aB1/main.m3u8{asked}").rule is None

    def test_numbers_and_truth_values_need_no_quotes(self) -> None:
        text = SEND.replace("debug: null", "static: true, quality: 720, rate: 1.50, level: 010, on: yes")
        assert sent(text, "/stream/aB1/main.m3u8?v=1") == (
            f"/stream/aB1/main.m3u8?v=1&{ADDED}&static=true&quality=720&rate=1.50&level=010&on=yes"
        )

    def test_other_rules_hold_the_names_too(self) -> None:
        assert judged(SEND, "GET", "/other?PlaySessionId=x").rule is None
        assert judged(SEND, "GET", "/other?source=x").rule is None
        assert sent(SEND, "/other?debug=1") == "/other?debug=1"  # removed by one rule is no business of another

    def test_headers_are_encoded_for_where_they_stand(self) -> None:
        decision = judged(SEND, "GET", "/stream/aB1/main.m3u8?v=1")
        assert decision.headers == (("User-Agent", "gateway %C3%85da%0D%0AX: y"), ("Range", None))

    def test_without_a_value_nothing_is_sent(self) -> None:
        assert judged(SEND, "GET", "/stream/aB1/main.m3u8?v=1", **{"grant.id": ()}).rule is None
        assert judged(SEND, "GET", "/stream/aB1/main.m3u8?v=1", **{"guest.name": ()}).rule is None

    def test_explain_shows_it(self) -> None:
        text = SEND.replace("{n_of}", "{guest.id}").replace("{play}", "{grant.id}")
        values = {"id": ("a",), "guest.id": ("g",), "grant.id": ("p",), "guest.name": ("Ada",)}
        shown = explain(load_policy_text(text), "video", values, "GET", "/stream/a/main.m3u8?v=1&Source=x")
        assert shown.sent == "GET /stream/a/main.m3u8?v=1&PlaySessionId=p&Source=a%2Fg"
        assert shown.headers == (("User-Agent", "gateway Ada"),)

    def test_the_guest_is_told_that_his_name_goes_out(self) -> None:
        text = SEND.replace("{n_of}", "{guest.id}").replace("{play}", "{grant.id}")
        assert load_policy_text(text).kinds["video"].told == {"name"}

    @pytest.mark.parametrize(
        ("send", "query", "wanted"),
        [
            ("[]", "", "must be a mapping"),
            ("{query: {a: [1]}}", "", "must be text"),
            ("{qery: {a: b}}", "", "qery: unknown key (did you mean query?)"),
            ("{query: {ID: x}}", "?id={id}", "send: ID: the rule's own query names id already"),
            ("{query: {a: x, A_: y}}", "", "send: A_: is a for many servers"),
            ("{query: {a: '{n}'}}", "", "send: a: {n} is a pattern"),
            ("{query: {a: '{nn}'}}", "", "send: a: unknown name {nn} (did you mean n?)"),
            ("{query: {_method: DELETE}}", "", "send: _method: can't be sent as a name"),
            ("{query: {api-key: x}}", "", "send: api-key: upstream: sets this name"),
            ("{headers: {x_key: x}}", "", "send: x_key: upstream: sets this header"),
            ("{headers: {Authorization: Bearer x}}", "", "send: Authorization: belongs to upstream:"),
            ("{headers: {Cookie: null}}", "", "send: Cookie: belongs to upstream:"),
            ("{headers: {Host: x}}", "", "send: Host: this header is the gateway's own"),
            ("{headers: {X_Forwarded_For: x}}", "", "send: X_Forwarded_For: this header is the gateway's own"),
            ("{headers: {X-HTTP-Method-Override: DELETE}}", "", "would ask for something else than what was judged"),
            ("{headers: {X-Original-URL: /admin}}", "", "would ask for something else than what was judged"),
            ("{headers: {'X Y': x}}", "", "send: X Y: not the name of a header"),
        ],
    )
    def test_faults(self, send: str, query: str, wanted: str) -> None:
        rule = f'{{request: "GET /s/{{id}}{query}", send: {send}}}'
        text = (
            HEAD
            + "patterns: {n: '[0-9]+'}\nupstream: {query: {api_key: secret-secret}, headers: {X-Key: secret-secret}}\n"
            + f'kinds: {{video: {{open: "/m/{{id}}", allow: ["page GET /m/{{id}}", {rule}]}}}}\n'
        )
        found = faults(text)
        assert any(wanted in fault and fault.startswith("p.yaml:5:") for fault in found), found


class TestIgnoreCase:
    @pytest.mark.parametrize(
        ("asked", "wanted"),
        [
            ("/Videos/aB1/hls/x-Main-1.ts", "/Videos/aB1/hls/x-Main-1.ts"),
            ("/videos/aB1/HLS/X-mAIN-1.TS", "/Videos/aB1/hls/X-Main-1.ts"),
            ("/VIDEOS/aB1/hls/main-main-1.ts", "/Videos/aB1/hls/main-Main-1.ts"),
            ("/AUDIO/aB1/a.mp3.mp3", "/Audio/aB1/a.mp3.Mp3"),
            ("/audio/aB1/100%25.MP3", "/Audio/aB1/100%25.Mp3"),
            ("/%C3%BCmlaut/aB1", "/%C3%9Cmlaut/aB1"),
            ("/%70age/aB1", "/Page/aB1"),
            ("/Deep/Path/seg/1.TS", "/Deep/Path/Seg/1.ts"),
        ],
    )
    def test_literals_are_sent_as_written(self, asked: str, wanted: str) -> None:
        assert sent(CASE, asked) == wanted

    @pytest.mark.parametrize(
        "asked",
        ["/Videos/ab1/hls/x-Main-1.ts", "/videos/AB1/hls/x-main-1.ts", "/deep/path/Seg/1.ts", "/pagE/AB1", "/page/aB1/",
         "/%EF%BC%B0age/aB1", "/Videos/aB1/hl%C5%BF/x-Main-1.ts"],
    )  # fmt: skip
    def test_variables_stay_exact(self, asked: str) -> None:
        assert judged(CASE, "GET", asked).rule is None

    @given(st.text(alphabet="aAbBmMiInN1-./", min_size=1, max_size=30))
    def test_what_is_sent_matches_to_the_letter(self, rest: str) -> None:
        target = parse_target(quote(f"/VIDEOS/aB1/HLS/{rest}"))
        if isinstance(target, Target):
            decision = judged(CASE, "GET", target.sent)
            if decision.sent is not None:
                exact = CASE.replace("paths: {ignore_case: true}\n", "")
                assert judged(exact, "GET", decision.sent.sent).rule is not None
                again = parse_target(decision.sent.sent)
                assert again == decision.sent, "what is sent is canonical"
                assert decision.sent.text.lower() == target.text.lower()

    def test_without_it_case_counts(self) -> None:
        assert sent(CASE.replace("ignore_case: true", "ignore_case: false"), "/page/aB1") is None

    def test_long_paths_cost_in_proportion(self) -> None:
        """No backtracking between a pattern and a literal that look alike."""

        def cost(size: int) -> float:
            raw = "/audio/aB1/" + ".mp3" * size
            judged(CASE, "GET", raw)
            began = time.perf_counter()
            for _ in range(3):
                judged(CASE, "GET", raw)
            return time.perf_counter() - began

        assert cost(2_000) < 40 * max(cost(200), 0.005)

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("paths: {ignore_case: yes please}\n", "ignore_case: must be true or false"),
            ("paths: {ignorecase: true}\n", "ignorecase: unknown key (did you mean ignore_case?)"),
        ],
    )
    def test_faults(self, text: str, wanted: str) -> None:
        from tests.policy.test_document import KINDS

        assert wanted in "".join(faults(HEAD + KINDS + text))
