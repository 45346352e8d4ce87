"""A gateway with a managing origin, and managers with tokens who call its API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.library import POLICY, Library
from tests.running import Answer, Running, ask, free_port, running_gateway

TOKENS = {name: f"a-token-of-{name}-for-the-tests" for name in ("alice", "rita", "owen")}
MAY = {"alice": '["tv:*"]', "rita": '["tv:other*"]', "owen": '["tv:own"]'}


def managers_yaml() -> str:
    lines = "managers:\n"
    for name, token in TOKENS.items():
        digest = hashlib.sha256(token.encode()).hexdigest()
        lines += f'  - name: {name}\n    token: "sha256:{digest}"\n    may: {MAY[name]}\n    ids: [{name}-there]\n'
    return lines


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Api:
    running: Running
    library: Library
    port: int

    async def call(
        self, line: str, body: object = None, *, who: str | None = "alice", raw: bytes | None = None, headers: str = ""
    ) -> Reply:
        """`METHOD /links?…` below the API's base, as a manager."""
        method, _, path = line.partition(" ")
        sent = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        if sent:
            headers += "Content-Type: application/json\r\n" if "Content-Type" not in headers else ""
        if who is not None:
            headers += f"Authorization: Bearer {TOKENS.get(who, who)}\r\n"
        answer = await ask(self.port, f"{method} /_gateway/api/v1{path}", headers=headers, body=sent)
        return Reply(answer.status, answer.headers, _dechunked(answer))

    async def link(self, item: str = "abc123", *, who: str = "alice", **fields: object) -> dict[str, Any]:
        made = await self.call("POST /links", {"server": "tv", "item": item, "name": "Friends", **fields}, who=who)
        assert made.status == 201, made.text
        found: dict[str, Any] = made.json
        return found


def _dechunked(answer: Answer) -> str:
    assert "transfer-encoding" not in answer.headers
    return answer.body.decode()


@pytest.fixture
async def api(library: Library, tmp_path: Path) -> AsyncIterator[Api]:
    port = free_port()
    extra = f"manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}\n" + managers_yaml()
    async with running_gateway(tmp_path, POLICY, library.port, extra=extra) as running:
        yield Api(running, library, port)
