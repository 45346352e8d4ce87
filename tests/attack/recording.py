"""An upstream that is as gullible as servers come, and remembers what it was asked.

It stands for the worst of what is really behind proxies: it decodes up to three times, resolves dot segments, strips
`;…`, takes backslashes for slashes, folds full-width letters, ignores case, takes the first, the last or all of
repeated query names, believes headers that override method and address, and takes `_` and `.` in their names for `-`.
Every such reading of what it received is judged by `outside`.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import unquote_to_bytes

from tests.attack.policy import PLACES, A


@dataclass
class Recorder:
    """Answers everything with 200 and keeps each request head as it came."""

    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                lower = head.lower()
                if b"\r\ncontent-length:" in lower:
                    length = int(lower.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
                    self.bodies.append(await reader.readexactly(length))
                body = b"" if head.startswith(b"HEAD ") else b"ok"
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: 2\r\n\r\n" + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    def take(self) -> list[bytes]:
        heads, self.heads = self.heads, []
        return heads


def readings(path: str) -> Iterator[str]:
    """Every way some server could read this path (without its query)."""
    for rounds, fold, strip, lower in product(range(4), (False, True), (False, True), (False, True)):
        octets = path.encode("latin-1")
        for _ in range(rounds):
            octets = unquote_to_bytes(octets)
        text = octets.decode("utf-8", "replace")
        if fold:
            text = unicodedata.normalize("NFKC", text)
            for _ in range(rounds):
                text = unquote_to_bytes(text).decode("utf-8", "replace")
        text = text.replace("\\", "/")
        if strip:
            text = "/".join(segment.partition(";")[0].rstrip() for segment in text.split("/"))
        text = text.partition("\0")[0]
        segments: list[str] = []
        for segment in text.split("/"):
            if segment.strip() in ("", "."):
                continue
            if segment.strip() == "..":
                segments = segments[:-1]
            else:
                segments.append(segment)
        resolved = "/" + "/".join(segments)
        yield resolved.lower() if lower else resolved


def query_values(query: str, wanted: Callable[[str], bool]) -> Iterator[list[str]]:
    """All values some server could find under a name, however it re-reads them; a list for each reading."""
    for rounds in range(4):
        text = query
        for _ in range(rounds):
            text = unquote_to_bytes(text).decode("utf-8", "replace")
        for mark in ";?#":
            text = text.replace(mark, "&")
        found = []
        for piece in text.split("&"):
            name, _, value = piece.partition("=")
            if wanted(unquote_to_bytes(name).decode("utf-8", "replace")):
                found.append(unquote_to_bytes(value).decode("utf-8", "replace"))
        yield found


def is_id(name: str) -> bool:
    """Whether the most careless of servers would look this up as `id`."""
    plain = unicodedata.normalize("NFKC", name).lower().partition("[")[0].strip("+ ")
    return plain.replace("_", "").replace("-", "").replace(".", "") == "id"


def is_method(name: str) -> bool:
    """And as `_method`: PHP turns spaces, dots and an open bracket in names into `_`."""
    plain = unicodedata.normalize("NFKC", name).lower().strip("+ ")
    return re.fullmatch(r"[_.\-\[]method(\[.*)?", plain, re.DOTALL) is not None


OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override", "-method")
REWRITES = (
    "x-original-url", "x-rewrite-url", "x-forwarded-uri", "x-original-uri", "x-forwarded-path", "x-forwarded-prefix",
    "x-accel-redirect", "x-sendfile", "destination", "x-http-destinationurl",
)  # fmt: skip
# What the gateway may say: of the guest's headers the list of spec 4, and its own words.
GUESTS = {
    "accept", "accept-language", "accept-encoding", "range", "if-range", "if-match", "if-none-match",
    "if-modified-since", "content-type", "user-agent", "last-event-id",
}  # fmt: skip
OWN = {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "content-length"}


def outside(head: bytes, *, host: str, public: str) -> str | None:
    """Why some server would find something in this request that is not the guest's; None where none would.

    `host`: the upstream's own name; `public`: the guests' address, host and port.
    """
    line, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":
        return "the request line"
    method, target, _ = parts
    fields: dict[str, list[str]] = {}
    for field_line in lines:
        name, _, value = field_line.partition(":")
        fields.setdefault(name.lower().replace("_", "-").replace(".", "-"), []).append(value.strip())
        if name.lower() not in GUESTS | OWN:
            return f"the header {name}"
        if not (value.isascii() and value.strip().replace("\t", " ").isprintable()):
            return f"the value of {name}"
    wanted = {"host": host, "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": public}
    for name, value in wanted.items():
        if fields.get(name) != [value]:
            return f"{name}: {fields.get(name)}"
    if fields.get("content-length", ["0"]) != ["0"]:
        return "a body"
    for name in OVERRIDES:
        method = fields.get(name, [method])[-1]
    for name in REWRITES:
        target = fields.get(name, [target])[-1]
    return foreign_target(method, target)


def foreign_target(method: str, target: str) -> str | None:
    """Why some server would take this for another item, method or page; None where none would."""
    path, mark, query = target.partition("?")
    if not path.startswith("/") or "#" in target:
        return "the form of the target"
    if method != "POST" and method not in ("GET", "HEAD"):
        return "the method"
    if (method == "POST") != (path == f"/api/play/{A}"):
        return "the method of the path"
    pinned = path in ("/api/items", "/api/one")
    for values in query_values(query, is_id):
        if values != ([A] if pinned else []):
            return f"ids in the query: {values}"
    if any(any(values) for values in query_values(query, is_method)):
        return "a method in the query"
    if mark and not query:
        return "an empty query"
    if pinned:
        return None
    if not path.startswith(tuple(f"{place}{A}" for place in PLACES)):
        return "the path"
    for reading in readings(path):
        place = next((place for place in PLACES if reading.startswith(f"{place}{A}")), None)
        if place is None:
            return f"read as {reading}"
        rest = reading.removeprefix(f"{place}{A}")
        if rest and (rest[0] != "/" if place not in ("/seg/",) else rest[0] != "-"):
            return f"read as {reading}"
    return None
