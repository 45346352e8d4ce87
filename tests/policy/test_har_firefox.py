"""A recording as Firefox exports it ("Save All As HAR").

What differs from Chromium's, and is here as it is there:
- no `_resourceType`: what is a page shows in `Sec-Fetch-Dest`;
- a body that was not kept is no `text` but a `comment`; what came from the cache has status 304, its age in `cache`
  and mostly no body;
- what the browser blocked (trackers, mixed content) stands there too: status 0, no headers, `bodySize` -1, and no
  `serverIPAddress`;
- `_securityState`, and `connection` is the port as a text;
- playlists are texts in base64, since Firefox takes their type for none.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from gateway.policy.har import read_har, server_host
from gateway.policy.load import load_policy_text
from gateway.policy.propose import Proposal, propose
from gateway.policy.verify import verify
from tests.policy.test_propose import rules

TV = "http://media.lan:8096"
NOT_KEPT = {"mimeType": "video/mp2t", "size": 430344, "comment": "Response bodies are not included."}


def entry(path: str, content: dict[str, Any], *, dest: str = "empty", status: int = 200, **more: Any) -> dict[str, Any]:
    url = path if "://" in path else f"{TV}{path}"
    request = {
        "bodySize": 0, "method": more.get("method", "GET"), "url": url, "httpVersion": "HTTP/1.1", "cookies": [],
        "headers": [{"name": "User-Agent", "value": "Mozilla/5.0 Firefox"}, {"name": "Sec-Fetch-Dest", "value": dest}],
        "queryString": [], "headersSize": 400,
    }  # fmt: skip
    if "sent" in more:
        text = json.dumps(more["sent"])
        request["postData"] = {"mimeType": "application/json", "params": [], "text": text}
    cached = {"afterRequest": {"expires": "2027-01-01", "fetchCount": 3}} if status == 304 else {}
    return {
        "startedDateTime": "2026-11-28T20:00:00.000+01:00", "request": request,
        "response": {
            "status": status, "statusText": "OK", "httpVersion": "HTTP/1.1", "cookies": [], "content": content,
            "headers": [{"name": "Content-Type", "value": content.get("mimeType", "")}],
            "redirectURL": "", "headersSize": 200, "bodySize": content.get("size", 0),
        },
        "cache": cached,
        "timings": {"blocked": 0, "dns": 0, "connect": 0, "ssl": 0, "send": 0, "wait": 3, "receive": 0},
        "time": 3, "_securityState": "insecure", "serverIPAddress": "192.0.2.7", "connection": "8096",
        "pageref": "page_1",
    }  # fmt: skip


def blocked(path: str) -> dict[str, Any]:
    found = entry(path, {})
    found["response"] = {
        "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [],
        "content": {"mimeType": "", "size": -1}, "redirectURL": "", "headersSize": -1, "bodySize": -1,
    }  # fmt: skip
    del found["serverIPAddress"], found["connection"]
    return found


def page(path: str) -> dict[str, Any]:
    return entry(path, {"mimeType": "text/html; charset=utf-8", "size": 30, "text": "<!doctype html>"}, dest="document")


def playlist(path: str, *lines: str) -> dict[str, Any]:
    text = base64.b64encode("\n".join(("#EXTM3U", *lines)).encode()).decode()
    return entry(path, {"mimeType": "application/vnd.apple.mpegurl", "size": 80, "encoding": "base64", "text": text})


def made(*entries: dict[str, Any], own_page: bool = False) -> tuple[Proposal, list[str]]:
    log = {
        "version": "1.2", "creator": {"name": "Firefox", "version": "133.0"}, "browser": {"name": "Firefox"},
        "pages": [{"id": "page_1", "pageTimings": {"onContentLoad": 20, "onLoad": 40}, "title": "Cinema"}],
        "entries": list(entries),
    }  # fmt: skip
    recording = read_har([json.dumps({"log": log})], bodies=True)
    host = server_host(recording, "aurora")
    schema = "policy.schema.json"
    found = propose(recording, host, "aurora", others=(), kind="video", schema=schema, own_page=own_page)
    return found, verify(load_policy_text(found.text, environ={}), found, "video", "aurora")


def both() -> list[dict[str, Any]]:
    return [
        page("/watch/aurora"),
        entry("/site/app.js?v=3", {"mimeType": "text/javascript", "size": 900}, dest="script", status=304),
        playlist("/hls/aurora/index.m3u8", "#EXTINF:2,", "seg-0.ts", "/pool/9b2e4c0d8f7a4e11a5c3/x.ts"),
        entry("/hls/aurora/seg-0.ts", NOT_KEPT, dest="empty", status=206),
        entry("/pool/9b2e4c0d8f7a4e11a5c3/x.ts", NOT_KEPT),
        entry("/hls/aurora/poster.jpg", {"mimeType": "image/jpeg", "size": 99}, dest="image", status=304),
        entry("/api/resume", {"mimeType": ""}, status=204, method="POST", sent={"item": "aurora", "position": 3}),
        blocked("/hls/aurora/blocked.ts"),
        blocked("https://tracker.example/aurora.js"),
        page("/watch/nocturne"),
        playlist("/hls/nocturne/index.m3u8", "seg-0.ts"),
    ]


def test_with_our_player_page() -> None:
    found, wrong = made(*both())
    assert wrong == []
    assert rules(found) == [
        'GET /hls/{id}/{hls} follow: {as: hls, to: ["/pool/**"]}', "GET /hls/{id}/{file}", "GET /hls/{id}/poster.jpg",
    ]  # fmt: skip
    assert found.by_hand == []
    assert "#   no answer was recorded: blocked by the browser, or broken off (1)" in found.text
    assert "tracker" not in found.text


def test_with_the_servers_page() -> None:
    found, wrong = made(*both(), own_page=True)
    assert wrong == []
    assert "page GET /watch/{id}" in rules(found)
    assert 'POST /api/resume json: {item: "{id}", position: number}' in rules(found)
    assert '  - "GET /site/app.js?v={number}?"' in found.text


def test_without_bodies() -> None:
    entries = both()
    for one in entries:
        one["response"]["content"].pop("text", None)
        one["response"]["content"]["comment"] = "Response bodies are not included."
    found, wrong = made(*entries)
    assert wrong == []
    assert "playlists lack their text" in found.text
    assert '#     follow: {as: hls, to: ["/pool/**"]}' in found.text
    assert len(found.by_hand) == 1
