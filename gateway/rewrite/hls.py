"""An HLS playlist in which every address has been judged. Pure; line by line.

Rule: whatever a player could load is an address that `address` has returned. It is asked for each URI line and
each attribute that holds an address, and answers with the text to write in its place, or None: then the line
goes, and with a segment or variant the tags that speak of it. All that is kept is written anew (one address to
a line, LF, attributes as NAME=value), so that no player reads another line, attribute or address than was
judged here: a lone CR, a byte order mark, an attribute without quotes.

Tags that are not known stay, as RFC 8216 6.3.1 has players ignore them, unless they hold an address that could
not be judged. `{$name}` is replaced before an address is judged, and what is written holds none. Content
steering goes: its manifest would replace hosts afterwards. So do `data:` and `skd:` keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.rewrite.addresses import ADDRESS, MAX_ADDRESSES, Addresses, NotFollowed

MAX_LINE = 65_536
MAX_LINES = 400_000


# Nothing of it is given back: of a run of spaces there are else as many readings as it has pairs.
_ATTRIBUTE = re.compile(r'\s*+([A-Za-z0-9-]++)\s*+=\s*+("[^"]*+"|[^",\s]*+)\s*+(?:,|$)')
_REFERENCE = re.compile(r"\{\$([A-Za-z0-9_-]+)\}")
_LINE = re.compile(r"\r\n|\n|\r")
# Line ends to some readers, nothing to others; none has business in a playlist (RFC 8216 4.1).
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_ADDRESS_NAME = re.compile(r"(?:^|-)(?:URI|URL|HREF|SRC)$|^X-ASSET-LIST$", re.I)

_NAMED = {
    "#EXT-X-MEDIA": "hls", "#EXT-X-I-FRAME-STREAM-INF": "hls", "#EXT-X-IMAGE-STREAM-INF": "hls",
    "#EXT-X-RENDITION-REPORT": "hls",
    "#EXT-X-SESSION-DATA": "any",  # JSON, or whatever its FORMAT says
}  # fmt: skip
# Some segments one after another as most playlists have them: a duration without an address in its title, and what
# it is of.
_SEGMENTS = re.compile(r"(?:#EXTINF:[^/:\n]{0,255}\n[^#\s{\"][^\s{\"]{0,4095}\n){1,64}")
_OF_NEXT = ("#EXTINF", "#EXT-X-BYTERANGE", "#EXT-X-STREAM-INF", "#EXT-X-GAP")
_STEERING = "#EXT-X-CONTENT-STEERING"
_DEFINE = "#EXT-X-DEFINE"
_STREAM = "#EXT-X-STREAM-INF"


def is_playlist(text: str) -> bool:
    return text.startswith("#EXTM3U") and text[7:8] in ("", "\n", "\r", " ", "\t")


def decoded(body: bytes) -> str:
    """Raises NotFollowed."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotFollowed("not UTF-8") from error
    if not is_playlist(text):
        raise NotFollowed("does not begin with #EXTM3U")
    if _ODD.search(text):
        raise NotFollowed("holds control characters")
    return text


def rewritten(text: str, addresses: Addresses) -> Iterator[str]:
    """The lines of a `decoded` playlist, each with its end; "" for each that is left out or waits for others, so that
    whoever takes them sees the time pass. Raises NotFollowed."""
    return _Rewriter(addresses).lines(text)


class _Rewriter:
    def __init__(self, addresses: Addresses) -> None:
        self._address, self._files = addresses.address, addresses.files
        self._defined: dict[str, str] = {}
        self._held: list[str] = []  # tags that belong to the next URI line
        self._variant = False
        self._skip = False
        self._left = MAX_ADDRESSES

    def lines(self, text: str) -> Iterator[str]:
        text = _one_end(text)
        at, end = 0, len(text)
        while at < end:
            # Either way is good for every line; the first one is quicker for segments.
            if not self._held and not self._variant and not self._skip and text.startswith("#EXTINF:", at):
                begun = at
                out, at = self._segments(text, at)
                yield out
                if at > begun:
                    continue
            stop = text.find("\n", at)
            stop = end if stop < 0 else stop
            if stop - at > MAX_LINE:
                raise NotFollowed("a line longer than 64 KiB")
            yield self._line(text[at:stop].strip())
            at = stop + 1

    def _segments(self, text: str, at: int) -> tuple[str, int]:
        """Some plain segments from here on, and where the next line begins."""
        match = _SEGMENTS.match(text, at)
        if match is None:
            return "", at
        lines = match.group().split("\n")
        self._left -= len(lines) // 2
        if self._left < 0:
            raise NotFollowed(f"more than {MAX_ADDRESSES} addresses")
        found = zip(lines[0::2], self._files(lines[1::2]), strict=False)
        return "".join([f"{tag}\n{name}\n" for tag, name in found if name is not None and _plain(name)]), match.end()

    def _line(self, line: str) -> str:
        held = self._held
        if not line.startswith("#"):
            if not line:
                return ""
            found = self._judged(line, "hls" if self._variant else "file")
            kept = f"{''.join(held)}{found}\n" if found is not None and not self._skip else ""
            held.clear()
            self._variant = self._skip = False
            return kept
        if line.startswith("#EXTINF:"):
            held.append((line if "/" not in line and ":" not in line[8:] else _plain_duration(line)) + "\n")
            return ""
        written = self._tag(line)
        if written is None:
            # What it says of the next address is not left out alone: a variant would be a segment.
            self._skip = self._skip or line.partition(":")[0].rstrip() in _OF_NEXT
            return ""
        if written.partition(":")[0] in _OF_NEXT:
            held.append(written + "\n")
            return ""
        return written + "\n"

    def _judged(self, written: str, sort: str) -> str | None:
        self._left -= 1
        if self._left < 0:
            raise NotFollowed(f"more than {MAX_ADDRESSES} addresses")
        text = written
        if "{$" in written:
            resolved = self._resolved(written)
            if resolved is None:
                return None
            text = resolved
        found = self._address(text, sort)
        return found if found is not None and _plain(found) else None

    def _resolved(self, text: str) -> str | None:
        """With each `{$name}` replaced, once; None when one is not defined here."""
        pieces = _REFERENCE.split(text)
        values = [self._defined.get(name) for name in pieces[1::2]]
        found = [value for value in values if value is not None]
        # Looked at before it is put together: a line of references to a long value is gigabytes.
        if len(found) < len(values) or len(text) + sum(map(len, found)) > 2 * MAX_LINE:
            return None
        pieces[1::2] = found
        text = "".join(pieces)
        return None if "{$" in text or len(text) > MAX_LINE else text

    def _tag(self, line: str) -> str | None:
        name, colon, rest = line.partition(":")
        name = name.rstrip()
        if name == _STEERING:
            return None
        if name == _STREAM:
            self._variant = True
        if not colon or "=" not in rest:
            # No attributes: a comment, a number, a title.
            return None if ADDRESS.search(line) else line
        attributes = _attributes(rest)
        if attributes is None:
            # What stands there is a player's guess, and so must hold no address and no name of one.
            odd = ADDRESS.search(line) or re.search(r"UR[IL]|ASSET|\{\$", line, re.I) or not name.startswith("#EXT")
            return None if odd else line
        if name == _DEFINE:
            self._define(dict(attributes))
        written = []
        for key, value in attributes:
            text = value[1:-1] if value.startswith('"') else value
            if _ADDRESS_NAME.search(key):
                found = self._judged(text, _NAMED.get(name, "file")) if text and key.upper() != "X-ASSET-LIST" else None
                if found is None:
                    return None
                value = f'"{found}"'
            elif ADDRESS.search(text):
                return None
            elif "{$" in text and name != _DEFINE:
                resolved = self._resolved(text)
                if resolved is not None and ADDRESS.search(resolved):
                    return None
            written.append(f"{key}={value}")
        return f"{name}:{','.join(written)}"

    def _define(self, attributes: dict[str, str]) -> None:
        name, value = attributes.get("NAME", ""), attributes.get("VALUE")
        if value is not None:
            self._defined[name.strip('"')] = value.strip('"')


def _plain(address: str) -> bool:
    """Whether what is written is read as the address that it is."""
    return not ('"' in address or "{$" in address or address[:1] == "#")


def _one_end(text: str) -> str:
    if "\r" in text:
        text = _LINE.sub("\n", text)
    if text.count("\n") > MAX_LINES:
        raise NotFollowed(f"more than {MAX_LINES} lines")
    return text


def _attributes(text: str) -> list[tuple[str, str]] | None:
    """An attribute list, when all of it is one; a name that stands twice has two readings."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None:
            return None
        found.append((match.group(1), match.group(2)))
        at = match.end()
    names = {name.upper() for name, _ in found}
    return found if len(names) == len(found) else None


def _plain_duration(line: str) -> str:
    """Titles are for people; one with an address in it is left out."""
    return line.partition(",")[0] + "," if ADDRESS.search(line[8:]) else line
