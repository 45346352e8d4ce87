"""How an ASP.NET server reads a request line; Jellyfin adds one step of its own.

- Kestrel decodes the path once, all but `%2F`, and then takes dot segments away (`dotnet/aspnetcore:
  src/Servers/Kestrel/Core/src/Internal/Http/Http1Connection.cs`, `PathNormalizer.cs`). So `%2e%2e` climbs.
- Routes are compared without case, a slash at the end does not matter, `//` is an empty segment and matches nothing.
- Names in a query are compared without case; of several values of one name a parameter takes the first.
- A query that is one name without a value, whose decoded text holds `=`, is read again as a query
  (`jellyfin/jellyfin: Jellyfin.Api/Middleware/UrlDecodeQueryFeature.cs`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

_GUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class BadRequest(Exception):
    """Kestrel says 400 and the application never hears of it."""


def read_path(raw: str) -> str:
    if not raw.startswith("/"):
        raise BadRequest
    decoded = unquote(re.sub("%2f", "%252f", raw, flags=re.IGNORECASE), errors="surrogateescape")
    if "\0" in decoded:
        raise BadRequest
    kept: list[str] = []
    parts = decoded.split("/")[1:]
    for number, part in enumerate(parts):
        if part in (".", ".."):
            if part == ".." and kept:
                kept.pop()
            if number == len(parts) - 1:
                kept.append("")
        else:
            kept.append(part)
    return "/" + "/".join(kept)


def read_guid(text: str) -> str | None:
    """Any spelling the binder takes, as 32 small digits."""
    text = text.strip()
    if text[:1] + text[-1:] in ("{}", "()"):
        text = text[1:-1]
        if "-" not in text:
            return None
    return text.replace("-", "").lower() if _GUID.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Query:
    pairs: tuple[tuple[str, str], ...]
    text: str  # as it came, with its question mark; "" where there was none

    def first(self, name: str) -> str | None:
        return next((value for key, value in self.pairs if key.lower() == name.lower()), None)

    def get(self, name: str) -> str:
        return self.first(name) or ""

    def on(self, name: str, default: bool = False) -> bool:
        value = self.first(name)
        return default if value is None else value.lower() == "true"


def read_query(raw: str) -> Query:
    pairs = []
    for piece in raw.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    if len(pairs) == 1 and not pairs[0][1] and "=" in pairs[0][0]:
        # The names are then compared with case in the real server; here in any case, which only shows more.
        pieces = pairs[0][0].split("&")
        pairs = [(name, value) for name, _, value in (piece.partition("=") for piece in pieces)]
    return Query(tuple(pairs), f"?{raw}" if raw else "")
