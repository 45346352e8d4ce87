"""What the tests of the commands share: a runner, and a folder with a config.yaml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

Run = Callable[..., Result]

CONFIG = """\
public_url: http://guest.localhost:8080
listen: 127.0.0.1:0
servers:
  - name: tv
    upstream: http://127.0.0.1:9
    policy: ./policy.yaml
"""

POLICY = """\
server: A test server
item:
  id: "[a-z0-9]{3,12}"
patterns:
  file: "[a-z0-9_-]+[.][a-z0-9]{1,8}"
kinds:
  video:
    player: {src: "/hls/{id}/index.m3u8"}
    allow:
      - GET /hls/{id}/{file}
      - page GET /media/{id}?tab=*
      - WS /live/{id}/ws
upstream:
  headers: {Authorization: "Bearer a-very-secret-token"}
  query: {api_key: another-secret-value}
examples:
  allow: [GET /hls/abc123/seg1.ts]
  deny: [GET /hls/xyz789/seg1.ts]
"""


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a config.yaml and its policy."""
    monkeypatch.chdir(tmp_path)
    for name in ("GATEWAY_CONFIG", "GATEWAY_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


@pytest.fixture
def run(deployment: Path) -> Run:
    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, list(arguments), input=stdin, prog_name="gateway")

    return invoke
