"""Reading an answer that is followed: which answers are, and writing them anew.

Rule: what a player would read as a playlist is rewritten or refused; what is media passes untouched. The path
decides before the type, since players go by what they asked for. A signed URL that stands for a playlist is one
whatever its answer says of itself, and one that stands for a file must not turn out to be a playlist.
"""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import TYPE_CHECKING

from gateway.proxy.unpacked import unpacked
from gateway.rewrite.hls import NotFollowed, decoded, rewritten

if TYPE_CHECKING:
    from gateway.proxy.following import Following
    from gateway.upstream.client import Answer

_PLAYLISTS = frozenset({"m3u8", "m3u"})
_CAPTIONS = frozenset({"vtt", "webvtt", "srt", "ttml", "dfxp"})
_MEDIA = frozenset({"ts", "m4s", "m4a", "m4v", "m4f", "mp4", "cmfv", "cmfa", "cmft", "aac", "ac3", "ec3", "mp3", "ogg"})
_MEDIA |= {"opus", "oga", "ogv", "flac", "wav", "webm", "mkv", "mov", "key", "bin", "init", "jpg", "jpeg", "png"}
_MEDIA_TYPES = ("video/", "audio/", "image/", "font/", "text/vtt", "application/mp4", "application/ttml+xml")
_TYPE = "application/vnd.apple.mpegurl"
_LARGE = 256 * 1024  # bytes from which reading moves to a thread
_TURN = 0.01  # seconds between two looks at what else there is to do


class Sort(Enum):
    """What becomes of an answer."""

    READ = "rewritten"
    PASSED = "passed on as it is"
    REFUSED = "refused"


def expected(following: Following, path: str) -> bool:
    """Whether a playlist is to be expected: then the whole plain text is asked for at once."""
    if following.sort != "hls":
        return False
    ending = _ending(path)
    return ending in _PLAYLISTS or (following.depth > 0 and ending not in _CAPTIONS)


def read_as(following: Following, answer: Answer, path: str) -> Sort:
    if not 200 <= answer.status < 300 or answer.status in (204, 205):
        return Sort.PASSED  # an error, which no player plays
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    listed = "mpegurl" in kind or kind == "application/dash+xml"
    if following.sort == "file":
        return Sort.REFUSED if listed else Sort.PASSED
    if listed or expected(following, path):
        return Sort.READ
    media = kind.startswith(_MEDIA_TYPES) or _ending(path) in (_MEDIA | _CAPTIONS)
    return Sort.PASSED if media else Sort.READ


async def rewrite_answer(answer: Answer, following: Following, limit: int) -> tuple[bytes, str]:
    """The text for the guest and its type. Raises NotFollowed, AnswerTooLarge, UpstreamFailed."""
    if answer.status != 200:
        raise NotFollowed(f"status {answer.status} where a whole text was asked for")
    packed = await answer.read(limit)
    body = await asyncio.to_thread(unpacked, packed, answer.headers.get("Content-Encoding", ""), limit)
    if body is None:
        raise NotFollowed("a packed text that can't be unpacked")
    text = await asyncio.to_thread(decoded, body) if len(body) > _LARGE else decoded(body)
    lines = []
    until = time.perf_counter() + _TURN
    for line in rewritten(text, following.address):
        if line:
            lines.append(line)
        if time.perf_counter() > until:  # by the clock, as lines may be very long
            await asyncio.sleep(0)
            until = time.perf_counter() + _TURN
    return "".join(lines).encode(), _TYPE


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""
