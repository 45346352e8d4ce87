"""`gateway policy test` says of a recording what the proxy would say of its requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TV = "http://tv:8096"


def har(folder: Path, *urls: str, **more: Any) -> str:
    entries = [{"request": {"method": "GET", "url": url, "headers": []}, **more} for url in urls]
    (folder / "one.har").write_text(json.dumps({"log": {"entries": entries}}), encoding="utf-8-sig")
    return "one.har"


def test_all_allowed(run, deployment: Path) -> None:
    file = har(deployment, f"{TV}/media/abc", f"{TV}/hls/abc/1.ts", f"{TV}/hls/abc/2.ts", "ws://tv:8096/live/abc/ws")
    found = run("policy", "test", "./policy.yaml", file, "--item", "abc")
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines() == [
        "tv:8096: 4 requests for a guest of abc (video), 4 allowed, 0 denied",
        "allowed by",
        "      2  policy.yaml:10:9  GET /hls/{id}/{file}",
        "      1  policy.yaml:11:9  page GET /media/{id}?tab=*",
        "      1  policy.yaml:12:9  WS /live/{id}/ws",
    ]


def test_denied_with_the_nearest_rule_and_other_hosts_apart(run, deployment: Path) -> None:
    other = "https://stats.example.org/x"
    file = har(deployment, f"{TV}/hls/abc/1.ts", f"{TV}/hls/xyz/1.ts", f"{TV}/hls/xyz/1.ts", other)
    found = run("policy", "test", "./policy.yaml", file, "--item", "abc")
    assert found.exit_code == 1
    assert found.stdout.splitlines() == [
        "tv:8096: 3 requests for a guest of abc (video), 1 allowed, 2 denied",
        "allowed by",
        "      1  policy.yaml:10:9  GET /hls/{id}/{file}",
        "denied",
        "      2  GET /hls/xyz/1.ts",
        "         no_rule",
        "         nearest: policy.yaml:10:9  GET /hls/{id}/{file}: a value or name does not match exactly",
        "other hosts, which the gateway does not stand in front of",
        "      1  stats.example.org",
    ]


def test_what_a_list_may_name_is_counted_apart(run, deployment: Path) -> None:
    (deployment / "own.yaml").write_text(
        "server: x\nitem: {id: '[a-z]+'}\nkinds:\n  video:\n    player: {src: '/hls/{id}/a.m3u8'}\n    allow:\n"
        "      - {request: 'GET /hls/{id}/a.m3u8', follow: {as: hls, to: ['/pool/**']}}\n"
    )
    file = har(deployment, f"{TV}/hls/abc/a.m3u8", f"{TV}/pool/x/1.ts", f"{TV}/pool/x/2.ts", f"{TV}/hls/xyz/a.m3u8")
    found = run("policy", "test", "./own.yaml", file, "--item", "abc")
    assert found.stdout.splitlines()[:5] == [
        "tv:8096: 4 requests for a guest of abc (video), 1 allowed, 2 followed, 1 denied",
        "allowed by",
        "      1  own.yaml:7:19  GET /hls/{id}/a.m3u8",
        "followed: allowed where a list names it",
        "      2  own.yaml:7:19  GET /hls/{id}/a.m3u8",
    ]
    without = har(deployment, f"{TV}/pool/abc/1.ts", f"{TV}/pool/x/2.ts")
    assert "2 denied" in run("policy", "test", "./own.yaml", without, "--item", "abc").stdout, "no list was asked for"


def test_json(run, deployment: Path) -> None:
    file = har(deployment, f"{TV}/hls/abc/1.ts", f"{TV}/hls/abc/../xyz/1.ts?api_key=hunter2")
    found = json.loads(run("policy", "test", "./policy.yaml", file, "--item", "abc", "--json").stdout)
    assert (found["passed"], found["host"], found["kind"]) == (False, "tv:8096", "video")
    assert [(one["allowed"], one["rule"], one["reason"]) for one in found["requests"]] == [
        (True, 10, None),
        (False, None, "ambiguous_target"),
    ]
    assert found["requests"][1]["target"] == "/hls/abc/../xyz/1.ts?api_key=***"


def test_a_service_worker_is_refused_whatever_the_rules_say(run, deployment: Path) -> None:
    script = {"method": "GET", "url": f"{TV}/hls/abc/sw.js", "headers": [{"name": "Service-Worker", "value": "script"}]}
    found = run("policy", "test", "./policy.yaml", har(deployment, "x", request=script), "--item", "abc")
    assert found.exit_code == 1
    assert "service_worker" in found.stdout


def test_a_recording_writes_nothing_to_the_terminal_but_text(run, deployment: Path) -> None:
    escape, method = "\x1b]0;owned\x07", "G\x1b[2J\n"
    entries = [{"request": {"method": method, "url": f"{TV}/abc/{escape}", "headers": []}}]
    entries.append({"request": {"method": "GET", "url": f"http://h{escape}/abc", "headers": []}})
    (deployment / "bad.har").write_text(json.dumps({"log": {"entries": entries}}))
    for json_too in ((), ("--json",)):
        found = run("policy", "test", "./policy.yaml", "bad.har", "--item", "abc", *json_too)
        assert found.exit_code in (1, 2)
        assert "\x1b" not in found.output
        assert "\x07" not in found.output


@pytest.mark.parametrize(
    ("policy", "text", "said"),
    [
        ("./policy.yaml", None, "no such file"),
        ("./policy.yaml", "{", "not a HAR file"),
        ("./policy.yaml", '{"log": {"entries": []}}', "no request in it"),
        ("hsl", "{}", "did you mean hls?"),
        ("./none.yaml", "{}", "no file"),
    ],
)
def test_a_bad_file(run, deployment: Path, policy: str, text: str | None, said: str) -> None:
    if text is not None:
        (deployment / "bad.har").write_text(text)
    found = run("policy", "test", policy, "bad.har", "--item", "abc")
    assert found.exit_code == 2
    assert said in found.stderr


def test_what_was_mixed_up_is_said(run, deployment: Path) -> None:
    file = har(deployment, f"{TV}/hls/abc/1.ts")
    found = run("policy", "test", f"./{file}", "./policy.yaml", "--item", "abc")
    assert (found.exit_code, "the policy comes first" in found.stderr) == (2, True)
    found = run("policy", "test", "./policy.yaml", file, "--item", "abd")
    assert "note: nothing in one.har names abd (did you mean abc?)" in found.stderr
    found = run("policy", "test", "./policy.yaml", file, "--item", "A B")
    assert (found.exit_code, "item.id of the policy is [" in found.stderr) == (2, True)


def test_a_bad_policy_shows_its_faults(run, deployment: Path) -> None:
    (deployment / "bad.yaml").write_text("server: x\n")
    found = run("policy", "test", "./bad.yaml", har(deployment, f"{TV}/"), "--item", "abc")
    assert found.exit_code == 2
    assert "bad.yaml:1:1: item: is missing" in found.stderr


def test_another_host_by_name(run, deployment: Path) -> None:
    file = har(deployment, f"{TV}/hls/abc/1.ts", "http://second/hls/abc/1.ts")
    found = run("policy", "test", "./policy.yaml", file, "--item", "abc", "--host", "second")
    assert found.stdout.startswith("second: 1 request")
    wrong = run("policy", "test", "./policy.yaml", file, "--item", "abc", "--host", "third")
    assert (wrong.exit_code, "tv:8096, second" in wrong.stderr) == (2, True)
