"""A JSON answer in which every address has been judged. Pure.

Rule: a string that is an address (an absolute path, or one with a scheme or host) is written as it was judged, or
becomes null; so does a text with an address somewhere in it, or one too long to be looked through, and a pair goes
whose name holds one. The tree stays as it is. Relative addresses can't be told from words; they stay, and lead to
this host, where each request is judged.

A text that is read in two ways is refused: a name that stands twice in one object, NaN and the like, nesting that
some readers give up at, another encoding.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import islice
from typing import Any

from gateway.rewrite.addresses import MAX_ADDRESSES, Addresses, NotFollowed, holds_address
from gateway.strict_json import Misfit, parse_json

MAX_DEPTH = 64
MAX_CONTAINERS = 250_000
MAX_VALUES = 2_000_000
MAX_TEXT = 256 * 1024  # characters of one text; a longer one, which nobody looks through, becomes null
_PIECE = 1_000  # pieces of the encoder that are passed on at once
_TURN = 256  # values between two looks at the time
_SPACE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ufeff]")


def too_many(body: bytes) -> bool:
    """Whether what comes of a JSON text may take a hundred times the room of the text: `[[],[],[],…`. Counted before
    it is read, as more than there are; texts hold few of these marks."""
    return body.count(b"[") + body.count(b"{") > MAX_CONTAINERS or body.count(b",") > MAX_VALUES


def parse(body: bytes) -> Any:
    """Raises NotFollowed."""
    if too_many(body):
        raise NotFollowed("holds more values than an answer has")
    try:
        # Servers may begin with a byte order mark; that is no second reading.
        return parse_json(body.removeprefix(BOM_UTF8))
    except Misfit as error:
        raise NotFollowed(str(error)) from error


def rewritten(document: Any, addresses: Addresses) -> Iterator[str]:
    """The text in pieces, "" where time has passed. Raises NotFollowed."""
    rewriter = _Rewriter(addresses)
    root = [document]
    yield from rewriter.walk(root)
    encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
    pieces = encoder.iterencode(root[0])
    while some := list(islice(pieces, _PIECE)):
        yield "".join(some)


class _Rewriter:
    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._left = MAX_ADDRESSES

    def walk(self, root: list[Any]) -> Iterator[str]:
        todo: list[tuple[Any, int]] = [(root, 0)]
        while todo:
            yield ""
            inside, depth = todo.pop()
            if depth > MAX_DEPTH:
                raise NotFollowed(f"nested more than {MAX_DEPTH} deep")
            places = range(len(inside)) if isinstance(inside, list) else list(inside)
            for count, place in enumerate(places):
                if count % _TURN == 0:
                    yield ""
                if isinstance(place, str) and (len(place) > MAX_TEXT or holds_address(place)):
                    del inside[place]
                    continue
                value = inside[place]
                if isinstance(value, str):
                    inside[place] = self._judged(value)
                    yield ""
                elif isinstance(value, dict | list):
                    todo.append((value, depth + 1))

    def _judged(self, text: str) -> str | None:
        if len(text) > MAX_TEXT:
            return None
        if not text.startswith("/") and not holds_address(text):
            return text
        self._left -= 1
        if self._left < 0:
            raise NotFollowed(f"more than {MAX_ADDRESSES} addresses")
        return None if _SPACE.search(text) else self._addresses.address(text, "any")
