"""`gateway policy from-har`: the policy on standard output alone, the verdict beside it and in the exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.load import load_policy_text


def har(folder: Path, *urls: str, **more: Any) -> str:
    entries = [{"request": {"method": "GET", "url": url, "headers": []}, **more} for url in urls]
    (folder / "one.har").write_text(json.dumps({"log": {"entries": entries}}))
    return "one.har"


def test_a_policy_that_holds(run, deployment: Path) -> None:
    file = har(deployment, "http://tv/v/one/a.mp4", "http://tv/v/two/a.mp4", "http://stats/x")
    found = run("policy", "from-har", file, "--item", "one")
    assert found.exit_code == 0, found.output
    assert load_policy_text(found.stdout, environ={}).title == "The server at tv"
    said = "verified: allowed of one: 1; denied of other items: 1, and everything of one with another id in its place\n"
    assert found.stderr == said
    (deployment / "policy.yaml").write_text(found.stdout)
    assert run("check").exit_code == 0
    assert run("policy", "test", "./policy.yaml", file, "--item", "one").exit_code == 1


def test_what_is_left_to_a_person_is_said_and_is_no_success(run, deployment: Path) -> None:
    file = har(deployment, "http://tv/v/one/a.mp4", "http://tv/files/9b2e4c0d8f7a4e11.mp4")
    found = run("policy", "from-har", file, "--item", "one")
    assert found.exit_code == 1
    assert "look at this: GET /files/9b2e4c0d8f7a4e11.mp4 does not name the item" in found.stderr
    assert "#   GET /files/9b2e4c0d8f7a4e11.mp4 does not name the item" in found.stdout


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--item", "three"), 1, "is this the id"),
        (("--item", "oen"), 1, "(did you mean one?)"),
        (("--item", "http://tv/v/onee"), 2, "the id alone, as it stands in that address (did you mean one?)"),
        (("--item", "one", "--other", "tow"), 2, "names tow"),
        (("--item", "one", "--other", "one"), 2, "another item"),
        (("--item", "one", "--host", "else"), 2, "hosts in it: tv"),
        (("--item", "one", "--kind", "book"), 2, "book"),
    ],
)
def test_what_can_not_be_done(run, deployment: Path, options: tuple[str, ...], status: int, said: str) -> None:
    found = run("policy", "from-har", har(deployment, "http://tv/v/one/a.mp4"), *options)
    assert (found.exit_code, found.stdout) == (status, "")
    assert said in found.stderr


def test_what_is_only_hinted_at_is_said(run, deployment: Path) -> None:
    answer = {"status": 200, "content": {"mimeType": "text/html"}}
    file = har(deployment, "http://tv/watch/one", "ws://tv/live/one/ws", "http://tv/watch/two", response=answer)
    found = run("policy", "from-har", file, "--item", "one", "--own-page")
    assert found.exit_code == 0, found.output
    assert "note: what the recording only hints at stands in the policy as comments" in found.stderr


def test_no_recording(run, deployment: Path) -> None:
    found = run("policy", "from-har", "policy.yaml", "--item", "one")
    assert (found.exit_code, found.stdout) == (2, "")
