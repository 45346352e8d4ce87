"""How a Go server with the chi router reads a request line: the same in Navidrome and others written like it.

From `golang/go: src/net/url/url.go` (setPath, parseQuery), `go-chi/chi: mux.go` (routeHTTP prefers RawPath).
Nothing is tidied: `//`, `/./` and `/../` stay, case matters, a slash at the end is another path.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})?")
# What Go leaves as it is in a path that it writes itself; the rest it escapes.
_PLAIN = "-_.~$&+,/:;=@"


def unescape(text: str, *, plus: bool = False) -> str | None:
    """None for a broken escape: Go refuses the path, or drops the pair of a query."""
    if any(found[1] is None for found in _ESCAPE.finditer(text)):
        return None
    if plus:
        text = text.replace("+", " ")
    data = re.sub(
        rb"%([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode("utf-8", "surrogateescape")
    )
    return data.decode("utf-8", "surrogateescape")


def route_path(raw: str) -> str | None:
    """What the router compares: decoded when the escapes were those Go would write, else the raw path.

    So `/share/%41` is not `/share/A`, and `%2f` is never a slash. Seen on a running Navidrome, see README.md.
    """
    decoded = unescape(raw)
    if decoded is None:
        return None
    return decoded if quote(decoded, safe=_PLAIN, errors="surrogateescape") == raw else raw


def read_query(raw: str) -> list[tuple[str, str]]:
    """The pairs in order. A pair with a semicolon or a broken escape is dropped, silently."""
    pairs = []
    for piece in raw.split("&"):
        if not piece or ";" in piece:
            continue
        name, _, value = piece.partition("=")
        key, text = unescape(name, plus=True), unescape(value, plus=True)
        if key is not None and text is not None:
            pairs.append((key, text))
    return pairs


def first(pairs: list[tuple[str, str]], name: str) -> str:
    """`url.Values.Get`: the first of that name, "" where there is none."""
    return next((value for key, value in pairs if key == name), "")
