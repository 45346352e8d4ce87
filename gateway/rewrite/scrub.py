"""Finding the policy's credentials in what is about to reach a guest, however they are spelled.

Rule: an answer in which one is found is not delivered. Nothing is cut out: a text that holds a key in
one place may hold it in another that we did not think of.

A text is searched as it is and again after each round of decoding (percent, JSON and JavaScript
escapes, HTML entities), until nothing is left to decode; base64 is searched for as the three texts
that a key becomes, depending on where in a group of three bytes it begins.

Why decode instead of listing spellings: each character may be written in a dozen ways, in any mix
(`S%65cr\\u0065t`), and servers nest them (a URL in JSON in HTML).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from html.entities import html5

_ROUNDS = 6  # deeper nesting than any server writes; each round costs one pass

_ESCAPE = re.compile(
    rb"%([0-9A-Fa-f]{2})"
    rb"|\\u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})"
    rb"|\\u([0-9A-Fa-f]{4})"
    rb"|\\u\{0*+([0-9A-Fa-f]{0,6})\}"
    rb"|\\x([0-9A-Fa-f]{2})"
    rb"|\\([/\"'\\&])"
    rb"|&#[xX]0*([0-9A-Fa-f]{1,6});?"
    rb"|&#0*([0-9]{1,7});?"
    rb"|&([A-Za-z]{2,31});"
)
# The same where a backslash before a mark is one: of a credential that holds one, written as `\&lt;` in a page.
_ESCAPE_BUT_MARKS = re.compile(_ESCAPE.pattern.replace(rb"|\\([/\"'\\&])", rb"|(?!)([/])"))
_SHORTEST_BASE64 = 8  # characters; shorter pieces of base64 turn up by chance


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXT_MARKS = (
    "json",
    "xml",
    "javascript",
    "ecmascript",
    "mpegurl",
    "yaml",
    "graphql",
    "subrip",
    "urlencoded",
    "x-scpls",
    "x-sh",
    "sdp",
)
_ENDLESS = frozenset({"text/event-stream", "application/x-ndjson", "application/ndjson", "application/jsonl"})
_TEXT_ENDINGS = _words(
    "m3u8 m3u mpd json xml txt log html htm xhtml js mjs css map vtt webvtt srt ass ssa ttml dfxp svg csv md"
    " yaml yml ini conf cfg sdp pls webmanifest php asp aspx jsp"
)
# Players read these whatever type they come with, so a wrong type must not hide them.
_CERTAIN_ENDINGS = _words("m3u8 m3u mpd json xml vtt srt")
_MEDIA_ENDINGS = _words(
    "ts m4s m4a m4v mp4 cmfv cmfa cmft aac mp3 ogg opus oga ogv flac wav webm mkv mov avi flv aacp mpg mpeg m2ts"
    " jpg jpeg png webp gif avif ico bmp bif key init bin woff woff2 ttf otf wasm zip pdf"
)


_MOST_ESCAPES = 2_000_000  # each takes about 3 µs a round; of text that is written for machines a few in a hundred


class CredentialFound(Exception):
    """A text that flows holds a credential; what was held back must not be sent."""


def costly(data: bytes) -> bool:
    """Whether reading `data` in all its spellings would take many seconds."""
    if len(data) <= _MOST_ESCAPES:
        return False
    return sum(map(data.count, (b"%", b"\\", b"&"))) > _MOST_ESCAPES


class CredentialFinder:
    """Knows what to look for. Build once per policy; searching needs no lock and keeps no state."""

    __slots__ = ("_needles", "reach")

    def __init__(self, credentials: Iterable[str]) -> None:
        needles: set[bytes] = set()
        for credential in credentials:
            raw = credential.encode("utf-8", "surrogateescape")
            if not raw:
                continue
            needles |= {raw, raw.replace(b" ", b"+"), *_rounds(raw)}
            needles |= set(_as_base64(raw))
        self._needles = tuple(sorted(needles, key=len))
        # How far apart the ends of one spelling may lie: the widest escape of a byte is about 16 wide.
        self.reach = 16 * max((len(needle) for needle in self._needles), default=0)

    def __bool__(self) -> bool:
        return bool(self._needles)

    def found(self, data: bytes) -> bool:
        """Whether `data` holds a credential in any spelling. Linear in its length."""
        if not self._needles:
            return False
        if b"\0" in data:
            data += b"\n" + data.replace(b"\0", b"")  # UTF-16 and UTF-32 are ASCII with zeros between
        if any(needle in data for needle in self._needles):
            return True
        if any(needle in reading for reading in _rounds(data) for needle in self._needles):
            return True
        marked = [needle for needle in self._needles if b"\\" in needle] if b"\\" in data else []
        return bool(marked) and any(
            needle in reading for reading in _rounds(data, _ESCAPE_BUT_MARKS) for needle in marked
        )

    def found_in(self, text: str) -> bool:
        return bool(self._needles) and self.found(text.encode("utf-8", "surrogateescape"))


class ChangingFinder:
    """A `CredentialFinder` of what must not be told at this moment: secrets change while an answer flows. `secrets`
    gives all of them."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Callable[[], tuple[str, ...]]) -> None:
        self._secrets = secrets

    def _now(self) -> CredentialFinder:
        return _finder_of(self._secrets())

    def __bool__(self) -> bool:
        return bool(self._now())

    @property
    def reach(self) -> int:
        return self._now().reach

    def found(self, data: bytes) -> bool:
        return self._now().found(data)

    def found_in(self, text: str) -> bool:
        return self._now().found_in(text)


Finder = CredentialFinder | ChangingFinder


@lru_cache(maxsize=512)
def _finder_of(secrets: tuple[str, ...]) -> CredentialFinder:
    """Many grants have secrets of their own, and each asks for every piece of a stream."""
    return CredentialFinder(secrets)


class FlowingText:
    """Searches a text that has no end (events, lines of JSON) while it flows.

    A line is passed on when it is whole: no spelling of a credential spans two lines. Of a line that
    grows very long only its end is held back, as far as a spelling reaches.
    """

    __slots__ = ("_finder", "_held", "_least")

    def __init__(self, finder: Finder, *, limit: int = 65_536) -> None:
        self._finder = finder
        self._held = b""
        self._least = limit

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on now. Raises CredentialFound."""
        text = self._held + chunk
        if self._finder.found(text):
            raise CredentialFound
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if len(text) - end > max(self._least, 2 * self._finder.reach):
            end = len(text) - self._finder.reach
        self._held = text[end:]
        return text[:end]

    def finish(self) -> bytes:
        """The rest, when the text has ended after all; it was searched when it came."""
        rest, self._held = self._held, b""
        return rest


def is_text(content_type: str, path: str) -> bool:
    """Whether an answer of this type is searched. Without a telling type its path's ending decides
    (that of a playlist or of data also against its type); nothing known at all counts as text, as servers
    that forget types serve their errors."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or any(mark in kind for mark in _TEXT_MARKS):
        return True
    if kind and kind not in ("application/octet-stream", "binary/octet-stream", "multipart/byteranges", "unknown"):
        return _ending(path) in _CERTAIN_ENDINGS
    ending = _ending(path)
    if kind in ("application/octet-stream", "binary/octet-stream"):
        return ending in _TEXT_ENDINGS
    return ending not in _MEDIA_ENDINGS


def looks_like_text(path: str) -> bool:
    """Whether what this path names will most likely be a text."""
    return _ending(path) in _TEXT_ENDINGS


def is_endless(content_type: str) -> bool:
    """Whether a text of this type is sent as it comes about, possibly for ever."""
    return content_type.partition(";")[0].strip().lower() in _ENDLESS


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def _rounds(data: bytes, escape: re.Pattern[bytes] = _ESCAPE) -> Iterable[bytes]:
    """`data` after one round of decoding, after two, … as long as something changes."""
    for _ in range(_ROUNDS):
        if b"%" not in data and b"\\" not in data and b"&" not in data:
            return
        decoded = escape.sub(_decoded, data)
        if decoded == data:
            return
        yield decoded
        data = decoded


def _decoded(match: re.Match[bytes]) -> bytes:
    percent, high, low, json_code, braced, script_code, simple, html_hex, html_decimal, name = match.groups()
    if percent is not None:
        return bytes((int(percent, 16),))
    if simple is not None:
        return bytes(simple)
    if high is not None:
        return _character(0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00))
    if name is not None:
        return html5.get(name.decode() + ";", match.group().decode()).encode()
    if braced is not None:
        return _character(int(braced or b"0", 16))
    number = json_code or script_code or html_hex
    return _character(int(number, 16) if number is not None else int(html_decimal))


def _character(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass") if number <= 0x10FFFF else b""


def _as_base64(raw: bytes) -> Iterable[bytes]:
    """The characters that stand for `raw` in base64, whatever stands before and after it."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + raw)
        first = -(-before * 8 // 6)  # the first character that holds none of the bits before
        last = (before + len(raw)) * 8 // 6  # and the last one that holds no bit behind
        piece = coded[first:last]
        if len(piece) >= _SHORTEST_BASE64:
            yield piece
            yield piece.replace(b"+", b"-").replace(b"/", b"_")
