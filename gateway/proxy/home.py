"""The server's own addresses in a text, brought to the public one.

Rule: where a text names one of the addresses that are this server, a guest's browser must read ours: it can't reach the
other, or would go around the gateway. Only scheme, host and port are exchanged, in the spelling they stand in (plain,
escaped as in JSON, percent-encoded); what such an address leads to is judged when it is asked for.

Why not by decoding: a text is more than its addresses, and the rest of it must stay as it is to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from gateway.config import Origin

_USUAL = {"http": 80, "https": 443}
_PIECE = 64 * 1024  # bytes that are looked through at once
_NEVER = re.compile(rb"(?!)")


def host_spellings(origins: Iterable[Origin]) -> list[str]:
    """As patterns: host and port, plain or percent-encoded; the scheme's usual port may be missing."""
    found = []
    for origin in origins:
        port = rf"(?::|%3A){origin.port}"
        if origin.port == _USUAL.get(origin.scheme):
            port = f"(?:{port})?"
        found.append(re.escape(origin.host) + port)
    return found


def spelled(origins: Iterable[Origin]) -> re.Pattern[bytes]:
    """Finds these origins in a text. Behind another scheme (`rtsp:`) or in front of more of a name it is no such
    address."""
    places = host_spellings(origins)
    if not places:
        return _NEVER
    return re.compile(
        rf"(?:(?<![A-Za-z0-9+.-])(?P<scheme>https?|wss?)(?P<colon>:|%3A)|(?<!:)(?<!%3A))"
        rf"(?P<slash>\\?/|%2F)(?P=slash)(?:{'|'.join(places)})(?![A-Za-z0-9:@-]|\.[A-Za-z0-9]|%3A|%40)".encode(),
        re.IGNORECASE,
    )


def brought_home(text: bytes, own: re.Pattern[bytes], public: Origin, homes: Collection[Origin]) -> bytes:
    """The text with `public` in place of each of them; the very same where there is none.

    By pieces, and only those in which a host's name stands: a search through all of a long text is slow, and while it
    lasts nobody else has a turn, in whatever thread it is."""
    hosts, beyond = [origin.host.lower().encode() for origin in homes], reach(homes)
    out, done = [], 0
    for at in range(0, len(text), _PIECE):
        end = at + _PIECE
        plain = text[at : end + beyond].lower()
        if not any(host in plain for host in hosts):
            continue
        for match in own.finditer(text, max(at, done), end + beyond):
            if match.start() >= end:
                break  # its own piece sees what follows it
            out += [text[done : match.start()], ours(public, match)]
            done = match.end()
    return b"".join((*out, text[done:])) if done else text


def ours(public: Origin, match: re.Match[bytes]) -> bytes:
    """What stands in place of one of them, in the spelling it has."""
    scheme, slash = match["scheme"], match["slash"]
    colon = match["colon"] or b""
    host = public.netloc.encode()
    if slash[:1] == b"%":
        host = host.replace(b":", b"%3A")
    if scheme is None:
        return slash + slash + host
    mine = "ws" if scheme.lower().startswith(b"ws") else "http"
    return f"{mine}{'s' if public.secure else ''}".encode() + colon + slash + slash + host


def reach(origins: Iterable[Origin]) -> int:
    """How many bytes one of them may take, with what is looked at behind it."""
    return max((len(origin.host) for origin in origins), default=0) + 48
