"""A gateway with managers, and a browser of theirs that keeps cookies."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.access.passwords import hash_password
from tests.library import POLICY, Library
from tests.running import Answer, Running, ask, free_port, running_gateway

PASSWORDS = {"alice": "correct horse battery", "owen": "staple of the owner"}


@dataclass
class ManagerBrowser:
    """`origin` is what it writes as Origin; `cookies` what it holds."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    fetch_metadata: bool = True

    async def get(self, path: str, *, headers: str = "") -> Answer:
        return await self._ask(f"GET {path}", headers, b"")

    async def post(self, path: str, fields: dict[str, str], *, headers: str | None = None) -> Answer:
        if headers is None:
            headers = f"Origin: http://127.0.0.1:{self.port}\r\n"
        headers += "Content-Type: application/x-www-form-urlencoded\r\n"
        return await self._ask(f"POST {path}", headers, urlencode(fields).encode())

    async def sign_in(self, name: str = "alice", password: str | None = None, to: str = "") -> Answer:
        return await self.post(
            "/_gateway/manage/sign-in", {"name": name, "password": password or PASSWORDS[name], "to": to}
        )

    async def _ask(self, line: str, headers: str, body: bytes) -> Answer:
        if self.fetch_metadata and "Sec-Fetch-Dest" not in headers:
            headers += "Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await ask(self.port, line, cookie=cookie, headers=f"Accept: text/html\r\n{headers}", body=body)
        for name, value in answer.cookies.items():
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer


def form_of(answer: Answer) -> str:
    """The form token in a page."""
    found = re.search(r'name="form" value="([^"]+)"', answer.body.decode())
    assert found is not None
    return found[1]


@dataclass
class Managing:
    running: Running
    library: Library
    port: int

    def browser(self) -> ManagerBrowser:
        return ManagerBrowser(self.port)

    async def signed_in(self, name: str = "alice") -> ManagerBrowser:
        browser = self.browser()
        answer = await browser.sign_in(name)
        assert answer.status == 303, answer
        return browser


@pytest.fixture(scope="session")
def hashes() -> dict[str, str]:
    """Each costs a tenth of a second."""
    return {name: hash_password(password) for name, password in PASSWORDS.items()}


@pytest.fixture
async def managing(library: Library, hashes: dict[str, str], tmp_path: Path) -> AsyncIterator[Managing]:
    port = free_port()
    extra = f"manage: {{listen: '127.0.0.1:{port}', url: 'http://127.0.0.1:{port}'}}\nmanagers:\n"
    for name, may in (("alice", '["tv:*"]'), ("owen", '["tv:own"]')):
        extra += f'  - name: {name}\n    password: "{hashes[name]}"\n    may: {may}\n    ids: [{name}-there]\n'
    async with running_gateway(tmp_path, POLICY, library.port, extra=extra) as running:
        yield Managing(running, library, port)
