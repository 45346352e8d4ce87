"""A body that has to be read, unpacked within a bound: a few kilobytes can unpack to gigabytes."""

from __future__ import annotations

import zlib

from gateway.upstream.client import AnswerTooLarge

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def unpacked(body: bytes, coding: str, limit: int) -> bytes | None:
    """None for a coding that is not known, or a body that is broken. Raises AnswerTooLarge."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in _WINDOWS:
        return None
    unpacker = zlib.decompressobj(_WINDOWS[coding])
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        return None
    if len(plain) > limit:
        raise AnswerTooLarge(f"an answer of more than {limit} bytes when unpacked")
    return plain if unpacker.eof and not unpacker.unused_data else None
