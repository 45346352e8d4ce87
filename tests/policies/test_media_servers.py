"""Policies of servers from PyPI: the version they name ran; what their pages say of folders holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.policy.load import load_policy, load_policy_text
from tests.policies.media_servers import LOCK

POLICIES = Path(__file__).parents[2] / "policies"


def version(policy: str) -> str:
    said = re.match(r"[A-Za-z-]+ (\d[\d.]*), ", load_policy(POLICIES / f"{policy}.yaml", strict_env=False).verified)
    assert said
    return said[1]


@pytest.mark.parametrize(
    ("policy", "package"),
    [("subsonic", "supysonic"), ("py-media-server", "py-media-server"), ("copyparty", "copyparty")],
)
def test_a_server_of_the_lock_file(policy: str, package: str) -> None:
    assert f"\n{package}=={version(policy)} " in LOCK.read_text()


@pytest.mark.parametrize("policy", ["py-media-server", "copyparty"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_files_in_another_depth(policy: str, depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYPARTY_PASSWORD", "eight and more")
    text = (POLICIES / f"{policy}.yaml").read_text().partition("examples:")[0]
    folder = r"[^./%;:?#\\\\][^/%;:?#\\\\]{0,150}/"
    (line,) = (one for one in text.splitlines() if one.startswith("  id: "))
    item = load_policy_text(text.replace(line, line.replace(folder, folder * depth, 1))).item
    for deep in range(5):
        path = "a b/" * deep + "aurora (2026).mp4"
        assert (item.variables(path) is not None) == (deep == depth), path
    for odd in ("..", ".a", "a:b", "a\\b", "a%2fb", "a;b", "a?b", ""):
        for wrong in (f"{odd}/" * depth + "a.mp4", "a/" * depth + f"{odd}.mp4", "a/" * depth + odd):
            assert (depth == 0 and wrong == "a.mp4") or item.variables(wrong) is None, wrong
