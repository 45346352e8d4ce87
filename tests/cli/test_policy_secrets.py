"""A recording is full of secrets. None of them stands in a policy that is made of it, or in what the commands say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TV = "https://tv.example.org"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
SECRETS = {
    "cookie": "c00kie5ecret", "bearer": "bearer5ecret", "basic": "YWxpY2U6aHVudGVyMg==", "password": "hunter2",
    "signed": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15", "akamai": "hmac5ecretValue0123456789aBcD",
    "jwt": JWT, "key": "apikey5ecret", "session": "sess10n5ecret", "name": "alice@example.org",
    "set": "setcook1e5ecret", "answer": "answer5ecret",
}  # fmt: skip


def entry(url: str, *, method: str = "GET", sent: str | None = None, mime: str = "", text: str = "") -> dict[str, Any]:
    headers = [
        {"name": "Cookie", "value": f"sid={SECRETS['cookie']}"},
        {"name": "Authorization", "value": f"Bearer {SECRETS['bearer']}"},
        {"name": "X-Api-Key", "value": SECRETS["key"]},
        {"name": "Referer", "value": f"{TV}/watch/aurora?token={SECRETS['jwt']}"},
    ]
    request: dict[str, Any] = {
        "method": method, "url": url, "headers": headers, "cookies": [{"name": "sid", "value": SECRETS["cookie"]}],
        "queryString": [{"name": "token", "value": SECRETS["jwt"]}],
    }  # fmt: skip
    if sent is not None:
        request["postData"] = {"mimeType": "application/json", "text": sent}
    answer = {
        "status": 200, "headers": [{"name": "Set-Cookie", "value": f"sid={SECRETS['set']}"}],
        "cookies": [{"name": "sid", "value": SECRETS["set"]}], "content": {"mimeType": mime, "text": text},
    }  # fmt: skip
    kind = {"_resourceType": "document"} if mime == "text/html" else {}
    return {"request": request, "response": answer, **kind}


def recording() -> str:
    s = SECRETS
    play = json.dumps({"sessionId": s["session"], "user": s["name"], "token": s["jwt"]})
    page = f'<script>const token = "{s["jwt"]}", user = "{s["name"]}"</script>'
    return json.dumps({"log": {"creator": {"name": s["name"]}, "entries": [
        entry(f"https://alice:{s['password']}@tv.example.org/watch/aurora", mime="text/html", text=page),
        entry(f"{TV}/watch/aurora?token={s['jwt']}", mime="text/html", text=page),
        entry(f"{TV}/api/login", method="POST", sent=json.dumps({"user": s["name"], "pw": s["password"]}), text=play,
              mime="application/json"),
        entry(f"{TV}/api/playback/aurora", method="POST", sent=json.dumps({"device": s["name"], "n": 1}), text=play,
              mime="application/json"),
        entry(f"{TV}/api/progress", method="POST", sent=json.dumps({"item": "aurora", "who": s["name"]})),
        entry(f"{TV}/play/{s['session']}/a.ts"),
        entry(f"{TV}/hls/aurora/master.m3u8", mime="application/vnd.apple.mpegurl",
              text=f"v0/a.m3u8?sig={s['signed']}\nhttps://cdn.example.net/aurora/1.ts?hdnts=exp=1~acl=/*~{s['akamai']}\n"),
        entry(f"{TV}/hls/aurora/v0/a.m3u8?sig={s['signed']}"),
        entry(f"{TV}/hls/aurora/b.ts?x={s['signed']}"),
        entry(f"{TV}/hls/aurora/b.ts?{s['signed']}"),
        entry(f"{TV}/hls/aurora/{s['jwt']}/c.ts"),
        entry(f"{TV}/s/{s['jwt']}/app.js"), entry(f"{TV}/hls/{s['jwt']}/b.ts"),
        entry(f"{TV}/app.js?v={s['akamai']}"),
        entry(f"https://cdn.example.net/aurora/1.ts?hdnts=exp=1~acl=/*~{s['akamai']}"),
        entry(f"https://tv.example.org:8443/aurora/{s['jwt']}?token={s['key']}"),
        entry(f"wss://tv.example.org/live/aurora/ws?access_token={s['jwt']}"),
        entry(f"{TV}/api/items/aurora", mime="application/json", text=json.dumps({"secret": s["answer"]})),
        entry(f"{TV}/watch/nocturne", mime="text/html", text=page),
        entry(f"{TV}/hls/nocturne/b.ts?sig={s['signed']}"),
    ]}})  # fmt: skip


@pytest.mark.parametrize("own_page", [False, True])
def test_none_is_written_or_said(run, deployment: Path, own_page: bool) -> None:
    (deployment / "one.har").write_text(recording())
    made = run("policy", "from-har", "one.har", "--item", "aurora", *(["--own-page"] if own_page else []))
    assert made.exit_code == 1, "much of it is left to a person"
    assert "GET /hls/{id}/" in made.stdout
    (deployment / "made.yaml").write_text(made.stdout)
    said = made.stdout + made.stderr
    for extra in ((), ("--json",)):
        found = run("policy", "test", "./made.yaml", "one.har", "--item", "aurora", *extra)
        assert found.exit_code == 1
        said += found.stdout + found.stderr
    assert len(said) > 5000
    for name, secret in SECRETS.items():
        if name != "session":  # a word like any other; see the next test
            assert secret not in said, name


def test_the_values_of_answers_are_never_in_a_rule(run, deployment: Path) -> None:
    """An address that holds one is told by its name, as all addresses are; a rule or a comment for one is not."""
    (deployment / "one.har").write_text(recording())
    made = run("policy", "from-har", "one.har", "--item", "aurora", "--own-page").stdout
    inside = made.partition("\nserver:")[2].partition("examples:")[0]
    assert "{play}" in inside
    assert SECRETS["session"] not in inside
