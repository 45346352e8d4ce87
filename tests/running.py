"""A whole gateway in the test's own process: real store, real sockets, one media server behind it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from gateway.access.issue import IssueRefused, LinkDesk, LinkView
from gateway.app import Gateway, Sockets, bind, open_gateway, serve_gateway
from gateway.config import Config
from gateway.config_file import load_config
from gateway.loading import load

NAME, EMAIL = "Ada Guest", "ada@example.org"
_PORTS = count(os.getpid() * 37)  # runs side by side begin at different ones


@dataclass
class Running:
    """What a test needs to play owner, guest and attacker."""

    gateway: Gateway
    config: Config
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def desk(self) -> LinkDesk:
        return self.gateway.desk

    async def make_link(self, item: str, **limits: object) -> str:
        """The address of a new link to an item."""
        made = await self.desk.create("tv", item, name="A test", by="test", **limits)  # type: ignore[arg-type]
        if isinstance(made, IssueRefused):
            raise LookupError(str(made))
        assert made.url is not None
        return made.url

    async def link(self, url: str) -> LinkView:
        """What the owner sees of a link."""
        views = await self.desk.list("tv")
        assert not isinstance(views, IssueRefused)
        return next(view for view in views if view.url == url)

    async def delete(self, url: str) -> None:
        """Delete a link."""
        assert not isinstance(await self.desk.delete((await self.link(url)).link.id), IssueRefused)

    async def reconfigure(self, old: str, new: str) -> None:
        """Change config.yaml, and put it in force as the reloader does."""
        text = self.config.file.read_text()
        assert old in text
        self.config.file.write_text(text.replace(old, new))
        self.config.file.chmod(0o600)
        await self.gateway.adapt(load(self.config.file, before=self.gateway.doors.loaded))

    async def switch(self, item: str, *, on: bool) -> None:
        """Turn an item's guest access on or off."""
        assert not isinstance(await self.desk.set_access("tv", item, on), IssueRefused)


@asynccontextmanager
async def running_gateway(
    folder: Path,
    policy: str,
    upstream: int,
    *,
    port: int = 0,
    extra: str = "",
    server_extra: str = "",
    public: str = "",
    beside: Mapping[str, int] | None = None,
) -> AsyncIterator[Running]:
    """`policy` is a shipped policy's name or the text of one; `upstream` a loopback port, `beside` further ones of the
    same server by name; `public` what guests see."""
    port = port or free_port()
    named = policy
    if "\n" in policy:
        (folder / "policy.yaml").write_text(policy)
        named = "./policy.yaml"
    address = f"http://127.0.0.1:{upstream}"
    if beside:
        ports = {"main": upstream, **beside}
        address = "{" + ", ".join(f"{name}: http://127.0.0.1:{one}" for name, one in ports.items()) + "}"
    (folder / "config.yaml").write_text(
        f"listen: 127.0.0.1:{port}\npublic_url: {public or f'http://127.0.0.1:{port}'}\ndata_dir: data\n"
        f"servers:\n  - name: tv\n    upstream: {address}\n    policy: {named}\n{server_extra}{extra}"
    )
    config = load_config(folder / "config.yaml", need_servers=True)
    sockets: Sockets = bind(config)
    with closing(sockets):
        async with open_gateway(config) as gateway, serve_gateway(gateway, sockets, patience=0.5):
            yield Running(gateway, config, port)


def free_port() -> int:
    """A port of the loopback that nobody listens on, and that no other call of these tests is given.

    Below the range that the system hands out by itself: a connection going out can't sit on it by the time a server
    is to listen there. Test processes side by side count in ranges of their own.
    """
    import socket

    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, size = 12_000 + worker % 4 * 5_000, 5_000
    for _ in range(size):
        number = first + next(_PORTS) % size
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
    raise RuntimeError("no port is free")


async def raw(port: int, sent: bytes, *, seconds: float = 5.0) -> bytes:
    """Send bytes, read until the other side closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), seconds)
    except TimeoutError:
        return b""
    finally:
        writer.close()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    body: bytes
    set_cookies: list[str] = field(default_factory=list)


async def ask(
    port: int, line: str, *, cookie: str = "", host: str | None = None, headers: str = "", body: bytes = b""
) -> Answer:
    """One request written by hand, so that nothing normalises its target on the way."""
    head = f"{line} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\nConnection: close\r\n{headers}"
    head += f"Cookie: {cookie}\r\n" if cookie else ""
    head += f"Content-Length: {len(body)}\r\n" if body else ""
    answer = await raw(port, head.encode("utf-8", "surrogateescape") + b"\r\n" + body, seconds=30)
    first, _, rest = answer.partition(b"\r\n")
    fields, _, content = rest.partition(b"\r\n\r\n")
    found: dict[str, str] = {}
    cookies: dict[str, str] = {}
    lines: list[str] = []
    for written in fields.decode("latin-1").split("\r\n"):
        name, _, value = written.partition(": ")
        found[name.lower()] = value
        if name.lower() == "set-cookie":
            key, _, token = value.partition(";")[0].partition("=")
            cookies[key] = token
            lines.append(value)
    parts = first.split(b" ")
    return Answer(int(parts[1]) if len(parts) > 1 else 0, found, cookies, content, lines)


async def enter(port: int, link: str, *, name: str = NAME, email: str = EMAIL, **answers: str) -> tuple[str, Answer]:
    """Open a link and post its form as a browser would, with answers to what it asks besides; the session cookie
    and the last answer."""
    from urllib.parse import urlencode

    path = "/" + link.split("/", 3)[3]
    page = await ask(port, f"GET {path}", headers="Accept: text/html\r\n")
    text = page.body.decode()
    form = text.partition('name="form" value="')[2].partition('"')[0]
    body = urlencode({"name": name, "email": email, "form": form, **answers}).encode()
    cookie = "; ".join(f"{key}={value}" for key, value in page.cookies.items())
    answer = await ask(
        port,
        f"POST {path}",
        cookie=cookie,
        headers=f"Accept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\nOrigin: http://127.0.0.1:{port}\r\n",
        body=body,
    )
    session = answer.cookies.get("gateway", "")
    return f"gateway={session}" if session else "", answer
