"""Reading an answer that is followed: which answers are, as what, and writing them anew.

Rule: what a player would read as a list (a playlist, a manifest, a JSON answer) is rewritten or refused; what is
media passes untouched. The path decides before the type, since players go by what they asked for: what a rule
follows is a list unless its name is that of a segment. A signed URL that stands for a list is one whatever its
answer says of itself, and one that stands for a file must not turn out to be a list.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gateway.proxy.places import file_ending
from gateway.proxy.unpacked import unpacked
from gateway.rewrite import dash, hls, json_answer, markup
from gateway.rewrite.addresses import NotFollowed

if TYPE_CHECKING:
    from gateway.proxy.following import Following
    from gateway.rewrite.addresses import Addresses
    from gateway.upstream.client import Answer, Long

PASSED, REFUSED = "passed on as it is", "a list in place of a file"

_ENDINGS = {"m3u8": "hls", "m3u": "hls", "mpd": "dash", "json": "json"}
_CAPTIONS = frozenset({"vtt", "webvtt", "srt", "ttml", "dfxp"})
_MEDIA = frozenset({"ts", "m4s", "m4a", "m4v", "m4f", "mp4", "cmfv", "cmfa", "cmft", "aac", "ac3", "ec3", "mp3", "ogg"})
_MEDIA |= {"opus", "oga", "ogv", "flac", "wav", "webm", "mkv", "mov", "key", "bin", "init", "jpg", "jpeg", "png"}
_MEDIA |= {"webp", "gif", "avif"} | _CAPTIONS
_TYPES = {"hls": "application/vnd.apple.mpegurl", "dash": "application/dash+xml", "json": "application/json"}
_LARGE = 256 * 1024  # bytes from which reading moves to a thread
_TURN = 0.01  # seconds between two looks at what else there is to do
_MAX_WRITTEN = 64 * 1024 * 1024  # characters: signed URLs are longer than what they stand for

_Written = Callable[["Addresses"], Iterator[str]]


def expected(following: Following) -> bool:
    """Whether a list is to be expected: then the whole plain text is asked for at once."""
    ending = file_ending(following.place.target)
    if following.sort == "file":
        return False
    if following.sort == "any":
        return ending in _ENDINGS
    return ending not in (_MEDIA if following.depth == 0 else _CAPTIONS)


def read_as(following: Following, answer: Answer) -> str:
    """`hls`, `dash` or `json`; or PASSED, REFUSED."""
    if not 200 <= answer.status < 300 or answer.status in (204, 205):
        return PASSED  # an error, which no player plays
    says = _said(answer.headers.get("Content-Type", ""))
    if following.sort == "file":
        return PASSED if says is None else REFUSED
    if following.sort == "any":
        return _ENDINGS.get(file_ending(following.place.target)) or says or PASSED
    return following.sort if expected(following) or says in ("hls", "dash") else PASSED


def _said(content_type: str) -> str | None:
    """As what an answer of this type would be read."""
    kind = content_type.partition(";")[0].strip().lower()
    if "mpegurl" in kind:
        return "hls"
    if kind.startswith("application/dash"):
        return "dash"
    return "json" if kind.endswith(("/json", "+json")) else None


async def rewrite_answer(answer: Answer, following: Following, sort: str, limit: int, long: Long) -> tuple[bytes, str]:
    """The text for the guest and its type. Raises NotFollowed, AnswerTooLarge, UpstreamFailed."""
    if answer.status != 200:
        raise NotFollowed(f"status {answer.status} where a whole text was asked for")
    packed = await answer.read(limit, long)
    body = await asyncio.to_thread(unpacked, packed, answer.headers.get("Content-Encoding", ""), limit)
    if body is None:
        raise NotFollowed("a packed text that can't be unpacked")
    if len(body) > long.size:
        await long.begins()
    if len(body) > _LARGE:
        await asyncio.to_thread(following.look_at, body)
    else:
        following.look_at(body)
    read = _READING[sort]
    rewritten = await asyncio.to_thread(read, body) if len(body) > _LARGE else read(body)
    pieces, size = [], 0
    until = time.perf_counter() + _TURN
    for piece in rewritten(following):
        if piece:
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_WRITTEN:
                raise NotFollowed("what is named takes too much room")
        if time.perf_counter() > until:  # by the clock, as pieces may be very long
            await asyncio.sleep(0)
            until = time.perf_counter() + _TURN
    return "".join(pieces).encode(), _TYPES[sort]


def _playlist(body: bytes) -> _Written:
    text = hls.decoded(body)
    return lambda addresses: hls.rewritten(text, addresses)


def _manifest(body: bytes) -> _Written:
    root = markup.parse(body)
    return lambda addresses: dash.rewritten(root, addresses)


def _json(body: bytes) -> _Written:
    document: Any = json_answer.parse(body)
    return lambda addresses: json_answer.rewritten(document, addresses)


_READING: dict[str, Callable[[bytes], _Written]] = {"hls": _playlist, "dash": _manifest, "json": _json}
