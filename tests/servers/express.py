"""How Express 4 reads paths, for fakes of servers built on it.

Three facts carry PeerTube's traps (expressjs/express 4.x: `lib/router/layer.js`, pillarjs/path-to-regexp 0.1.x,
pillarjs/send 0.x and expressjs/serve-static 1.x):

- a mount or route is matched on the RAW path, without regard to case, and a mount takes whatever follows it;
- its variables are decoded afterwards, and never hold a raw `/`;
- static files are looked up by the DECODED path with `//`, `/./` and inner `..` taken away.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from re import Match
from urllib.parse import unquote_to_bytes

from aiohttp import web

from tests.servers.asked import TYPES


class BadEscape(Exception):
    """Express answers 400."""


def decode(text: str) -> str:
    """decodeURIComponent: strict about `%` and about UTF-8."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise BadEscape
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise BadEscape from None


def mounted(path: str, mount: str) -> str | None:
    """What follows the mount, starting with `/` or empty; None where the path is not below it."""
    mount = mount.rstrip("/")
    if path[: len(mount)].lower() != mount.lower():
        return None
    rest = path[len(mount) :]
    return rest if not rest or rest.startswith("/") else None


def use(path: str, pattern: str) -> list[str] | None:
    """The decoded variables of a `.use` pattern (regular expressions in groups), None where it does not match."""
    return _variables(re.match(rf"{pattern}/?(?=/|$)", path, re.IGNORECASE))


def route(path: str, pattern: str) -> list[str] | None:
    """The same for `.get` and its like: the whole path, a trailing slash does not matter."""
    return _variables(re.fullmatch(rf"{pattern}/?", path, re.IGNORECASE))


def _variables(found: Match[str] | None) -> list[str] | None:
    return None if found is None else [decode(one) for one in found.groups() if one is not None]


def static(request: web.Request, root: Path, rest: str, original: str) -> web.StreamResponse:
    """A file below `root`, with fallthrough off: what is not there is 404 here and reaches no later route."""
    if request.method not in ("GET", "HEAD"):
        return web.Response(status=405, headers={"Allow": "GET, HEAD"})
    path = decode(rest)
    if "\0" in path:
        return web.Response(status=400)
    path = posixpath.normpath("./" + path) + ("/" if path.endswith("/") else "")
    if path == ".." or path.startswith("../"):
        return web.Response(status=403)
    if any(part.startswith(".") and part != "." for part in path.split("/")):
        return web.Response(status=404)
    file = root / path
    if file.is_dir() and not path.endswith("/"):
        return web.Response(status=301, headers={"Location": original + "/"})
    if path.endswith("/") or not file.is_file():
        return web.Response(status=404)
    return web.FileResponse(file, headers={"Content-Type": TYPES.get(file.suffix, "application/octet-stream")})
