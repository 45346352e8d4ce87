"""Recordings of browsers are read in bounded memory, and nothing secret in them is kept."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.policy import har, har_text
from gateway.policy.har import HarError, read_har, server_host, shown


def entry(url: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"request": {"method": method, "url": url, "headers": [], **more.pop("request", {})}, **more}


def recording(*entries: dict[str, Any]) -> str:
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "x"}, "pages": [], "entries": list(entries)}})


def asked(text: str) -> list[tuple[str, str, str]]:
    return [(one.method, one.host, one.target) for one in read_har([text]).requests]


@pytest.mark.parametrize(
    ("written", "method", "host", "target"),
    [
        (entry("http://tv:8096/a/b?x=1#there"), "GET", "tv:8096", "/a/b?x=1"),
        (entry("https://TV.example.org:443"), "GET", "tv.example.org", "/"),
        (entry("http://tv?x=a/b"), "GET", "tv", "/?x=a/b"),
        (entry("http://user:pw@tv/a"), "GET", "tv", "/a"),
        (entry("http://[::1]:80/a"), "GET", "[::1]", "/a"),
        (entry("http://tv/ü b%20c"), "GET", "tv", "/%C3%BC%20b%20c"),
        (entry("http://tv/\x1b[2J\n"), "GET", "tv", "/%1B[2J%0A"),
        (entry("http://tv/a", "post"), "POST", "tv", "/a"),
        (entry("wss://tv/ws"), "WS", "tv", "/ws"),
        (entry("https://tv/ws", _resourceType="websocket"), "WS", "tv", "/ws"),
        (entry("https://tv/ws", _webSocketMessages=[]), "WS", "tv", "/ws"),
        (entry("http://tv/ws", request={"headers": [{"name": "Upgrade", "value": "websocket"}]}), "WS", "tv", "/ws"),
    ],
)
def test_what_a_browser_sent(written: dict[str, Any], method: str, host: str, target: str) -> None:
    assert asked(recording(written)) == [(method, host, target)]


def test_addresses_inside_the_browser_are_counted_apart() -> None:
    found = read_har([recording(entry("data:text/plain,x"), entry("blob:http://tv/1-2"), entry("http://tv/"))])
    assert (len(found.requests), found.inside) == (1, 2)


def test_any_piece_may_end_anywhere() -> None:
    text = recording(entry("http://tv/a", time=12.5e3), entry("http://tv/ü"), entry("http://tv/c", x=[{}, "]}"]))
    assert read_har(list(text)) == read_har([text])


def test_nothing_secret_is_kept() -> None:
    secrets = {"name": "Cookie", "value": "hunter2"}
    written = entry(
        "http://u:hunter2@tv/a",
        "POST",
        request={"headers": [secrets], "cookies": [secrets], "postData": {"text": "hunter2"}},
        response={"status": 200, "headers": [secrets], "content": {"mimeType": "text/html", "text": "hunter2"}},
    )
    assert "hunter2" not in repr(read_har([recording(written)], bodies=True).requests)


def test_text_answers_are_kept_only_where_asked_for() -> None:
    content = {"mimeType": "application/json; charset=utf-8", "text": "{}"}
    text = recording(entry("http://tv/a", response={"status": 200, "content": content}))
    assert read_har([text]).requests[0].body is None
    assert read_har([text], bodies=True).requests[0].body == "{}"


@pytest.mark.parametrize(("text", "body"), [("e30=", "{}"), ("!!", None), ("/w==", None)])
def test_an_answer_that_is_encoded(text: str, body: str | None) -> None:
    content = {"mimeType": "application/vnd.apple.mpegurl", "text": text, "encoding": "base64"}
    whole = recording(entry("http://tv/a", response={"status": 200, "content": content}))
    assert read_har([whole], bodies=True).requests[0].body == body


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "[]", "nonsense", "{}", '{"log": {}}', '{"log": {"entries": []}}', '{"log": {"entries": [{}]}}',
        '{"log": {"entries": [{"request": {"url": 1, "method": "GET"}}]}}', '{"log": {"entries": [1]}}',
        '{"log": {"entries": {}}}', '{"log": 5}', '{1: 2}', "[" * 100_000, '{"log": ' * 10_000, '{"a": ' + "9" * 10_000,
        recording(entry("http://tv/"))[:-3], recording(entry("http://tv/")) + "x", recording(entry("http://[tv/")),
        recording(entry("http:///a")), recording(entry("http://tv:99999/")),
        recording(entry("http://tv/" + "a" * 70_000)), recording(entry("http://tv/", "G\x9b2J")),
    ],
    ids=range(23),
)  # fmt: skip
def test_what_is_no_recording_is_said_to_be_none(text: str) -> None:
    with pytest.raises(HarError):
        read_har([text])
    with pytest.raises(HarError):
        read_har([text[at : at + 1000] for at in range(0, len(text), 1000)])


def test_a_large_recording_needs_no_more_memory_than_its_largest_entry() -> None:
    one = json.dumps(entry("http://tv/a", response={"content": {"text": "A" * 1_000_000}}))

    def pieces() -> Iterator[str]:
        yield '{"log": {"entries": ['
        for _ in range(60):
            yield one
            yield ","
        yield one + "]}}"

    tracemalloc.start()
    found = read_har(pieces())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.requests) == 61
    assert most < 12_000_000


def test_a_hostile_recording_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(har_text, "MAX_ENTRY", 2**20)

    def brackets() -> Iterator[str]:
        yield '{"log": {"entries": [ ['
        while True:
            yield "[],[{}]," * 1000

    begun = time.monotonic()
    with pytest.raises(HarError, match="one entry has more than 1 MiB"):
        read_har(brackets())
    assert time.monotonic() - begun < 20
    monkeypatch.setattr(har, "MAX_ENTRIES", 3)
    with pytest.raises(HarError, match="more than 3 entries"):
        read_har([recording(*[entry("http://tv/")] * 4)])


def test_the_server_is_the_host_that_is_asked_for_the_item() -> None:
    text = recording(entry("http://page/"), entry("http://tv/v/a%20b"), entry("http://tv/x"), entry("http://cdn/1"))
    assert server_host(read_har([text]), "a b") == "tv"
    assert server_host(read_har([text]), "unheard") == "page"


def test_values_that_sound_like_secrets_are_not_shown() -> None:
    assert shown("/a?id=1&api_key=k&X-Amz-Signature=s&access_token&n=2") == (
        "/a?id=1&api_key=***&X-Amz-Signature=***&access_token&n=2"
    )
    assert len(shown("/" + "a." * 5000)) == 300
