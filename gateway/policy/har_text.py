"""The entries of a recording, one after the other, from a text that arrives in pieces.

Why not `json.load`: bodies make such a file hundreds of megabytes, and 200 MB of brackets many gigabytes of
Python objects. So entries are parsed one at a time, and each may have `MAX_ENTRY` characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

MAX_ENTRY = 32 * 2**20


class HarError(Exception):
    """This is no recording that can be read; the text says why."""


def entries(chunks: Iterable[str]) -> Iterator[Any]:
    """The members of log.entries; whatever else is in the file is read over. Raises HarError."""
    text = _Text(chunks)
    seen = False
    for key in _keys(text):
        if key != "log":
            text.value()
            continue
        for inner in _keys(text):
            if inner != "entries":
                text.value()
                continue
            seen = True
            text.take("[")
            if text.next() == "]":
                text.take("]")
                continue
            while True:
                yield text.value()
                if text.take(",]") == "]":
                    break
    if not seen:
        raise HarError("no log.entries: not a HAR file")
    if text.next():
        raise HarError("something follows the end of the recording")


def _keys(text: _Text) -> Iterator[str]:
    text.take("{")
    if text.next() == "}":
        text.take("}")
        return
    while True:
        key = text.value()
        if not isinstance(key, str):
            raise HarError("not a HAR file: a key is no text")
        text.take(":")
        yield key
        if text.take(",}") == "}":
            return


class _Text:
    """A JSON text that arrives in pieces."""

    _SPACE = " \t\r\n"

    def __init__(self, chunks: Iterable[str]) -> None:
        self._chunks = iter(chunks)
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._at = 0
        self._ended = False

    def next(self) -> str:
        """The next character that is no white space, not taken; "" at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in self._SPACE:
                    return self._buffer[self._at]
                self._at += 1
            if not self._more(1):
                return ""

    def take(self, wanted: str) -> str:
        found = self.next()
        if not found or found not in wanted:
            raise HarError(
                f"not a HAR file, as a browser's network panel saves it: {' or '.join(wanted)} expected"
                if found
                else "the file is empty, or cut off"
            )
        self._at += 1
        return found

    def value(self) -> Any:
        """One whole JSON value."""
        self.next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError as error:
                raise HarError("not a HAR file: nested too deeply") from error
            except json.JSONDecodeError as error:
                trouble = error.msg
            except ValueError as error:  # a number of thousands of digits
                raise HarError("not a HAR file: a number is too long") from error
            else:
                # A number at the end of what has come may go on in the next piece.
                if end < len(self._buffer) or self._ended:
                    self._at = end
                    return value
                trouble = "no end"
            held = len(self._buffer) - self._at
            if held > MAX_ENTRY:
                raise HarError(f"one entry has more than {MAX_ENTRY // 2**20} MiB: record without bodies")
            if self._ended:
                raise HarError(f"not a HAR file, or it is cut off ({trouble})")
            # Twice as much each time: a long entry is parsed anew a few times, not once per piece.
            self._more(max(held, 1))

    def _more(self, wanted: int) -> bool:
        """Whether there was anything more, the news included that there will be none."""
        if self._ended:
            return False
        pieces = [self._buffer[self._at :]]
        self._at = 0
        while wanted > 0 and not self._ended:
            piece = next(self._chunks, None)
            self._ended = piece is None
            pieces.append(piece or "")
            wanted -= len(piece or "")
        self._buffer = "".join(pieces)
        return True
