"""What `verified:` says of servers from PyPI is what the lock file has, and so what ran."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.policy.load import load_policy
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
