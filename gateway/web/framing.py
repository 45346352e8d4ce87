"""Where a request begins and ends: our own reading of a head, besides the parser's.

Rule: a head is refused when anybody on the way could read it, or the length of its body, in another way
than we do: another version than 1.0 or 1.1, an odd byte in a name, a control byte in a value, a length
that is not one plain number, a transfer coding that is not exactly `chunked` (which 1.0 does not have),
both at once, or a name that some servers fold into one of these (`Content_Length`).

Why again after the parser: it is right today. Each of these has been let through by some version of some
parser, among them ours (`gzip, chunked`, and a coding in a request of 1.0), and nothing behind this
file asks a second time. Line ends, folded lines and chunks are the parser's: they can't be seen any more
when a head has been read, and `tests/web/test_framing.py` holds it to them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp.http import HttpVersion10, HttpVersion11

if TYPE_CHECKING:
    from aiohttp.http import HttpVersion
    from multidict import CIMultiDictProxy

RawHeaders = Sequence[tuple[bytes, bytes]]

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# RFC 9110 5.5: visible, space and tab; bytes from 0x80 are opaque and stay.
_CONTROL = bytes(set(range(0x20)) - {0x09}) + b"\x7f"
_LENGTH = re.compile(r"0|[1-9][0-9]{0,17}")
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "upgrade", "connection"})


def fault_of(version: HttpVersion, headers: CIMultiDictProxy[str], raw: RawHeaders) -> str | None:
    """What is unclear about this head, in a few words for the log; None: it has one reading."""
    if version not in (HttpVersion10, HttpVersion11):
        return "HTTP version"
    names = b"".join(name for name, _ in raw)
    if names.translate(None, _TOKEN) or not all(name for name, _ in raw):
        return "an odd byte in a header's name"
    values = b"".join(value for _, value in raw)
    if len(values.translate(None, _CONTROL)) != len(values):
        return "a control byte in a header"
    if (b"_" in names or b"." in names) and any(_alike(name) for name, _ in raw):
        return "a header spelt like one that frames"
    return _body_fault(version, headers)


def _body_fault(version: HttpVersion, headers: CIMultiDictProxy[str]) -> str | None:
    lengths = headers.getall("Content-Length", ())
    codings = headers.getall("Transfer-Encoding", ())
    if lengths and codings:
        return "a length and a transfer coding"
    if lengths and (len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0])):
        return "not one plain Content-Length"
    if codings:
        if version != HttpVersion11:
            return "a transfer coding in HTTP/1.0"
        if len(codings) > 1 or codings[0].lower() != "chunked":
            return "not one Transfer-Encoding: chunked"
    return None


def _alike(name: bytes) -> bool:
    written = name.decode("latin-1").lower()
    return written not in _FRAMING and written.replace("_", "-").replace(".", "-") in _FRAMING
