"""One canonical request target, or a refusal (spec 4).

Rule: what can be read in two ways is refused, never repaired; what is left is brought to one
spelling (unreserved characters decoded, hex digits in upper case), judged in that spelling and sent
in that spelling, byte for byte.

Why so strict: the classic fault of an access proxy is two readings of one request, the check's and
the server's behind it. nginx resolves `%2e%2e`, others decode twice, strip `;x`, fold full-width
letters or ignore case. Here every further reading is worked out in advance: a segment is decoded
until nothing changes, folded (NFKC), and refused when that yields a separator, a dot segment or a
control character. Names that merely look odd (`100%25.ts`, full-width letters) stay plain names.

All steps are linear in the length of the target; nothing here uses regular expressions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MAX_PAIRS = 256

Pair = tuple[str, str | None]
"""Name and value of a query, each decoded once; a value of None had no `=`."""


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """The target can be read in more than one way; `what` is for the log, not for the guest."""

    what: str


@dataclass(frozen=True, slots=True)
class Target:
    """A canonical target. `text` is the path decoded once: since no segment can hold a slash, its
    slashes are the real ones. `query` is "" where there is none."""

    path: str
    query: str
    text: str
    pairs: tuple[Pair, ...]

    @property
    def sent(self) -> str:
        """What goes into the upstream's request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


_VISIBLE = bytes(range(0x21, 0x7F))
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HEX = "0123456789abcdefABCDEF"
# Two hex digits, in any case -> (byte, its canonical spelling).
_ESCAPES = {
    a + b: (value := int(a + b, 16), chr(value) if value < 0x7F and chr(value) in _UNRESERVED else f"%{value:02X}")
    for a in _HEX
    for b in _HEX
}


def parse_target(raw: str) -> Target | Ambiguity:
    """Judge the target of a request line as it came (`request.message.path` of aiohttp)."""
    try:
        visible = not raw.encode("ascii").translate(None, _VISIBLE)
    except UnicodeEncodeError:
        visible = False
    if not visible:
        return Ambiguity("bytes outside visible ASCII")
    if not raw.startswith("/"):
        return Ambiguity("not in origin form")
    if "#" in raw:
        return Ambiguity("a fragment")
    raw_path, _, raw_query = raw.partition("?")
    path = _parse_path(raw_path)
    if isinstance(path, Ambiguity):
        return path
    if not raw_query:
        return Target(path[0], "", path[1], ())
    query = _parse_query(raw_query)
    if isinstance(query, Ambiguity):
        return query
    return Target(path[0], query[0], path[1], query[1])


def _parse_path(raw: str) -> tuple[str, str] | Ambiguity:
    segments = raw.split("/")[1:]
    last = len(segments) - 1
    canonical, texts = [], []
    for index, segment in enumerate(segments):
        if not segment:
            if index != last:
                return Ambiguity("an empty segment")
            canonical.append("")
            texts.append("")
            continue
        if "%" not in segment:
            spelling, text = segment, segment
        else:
            decoded = _decode(segment)
            if isinstance(decoded, Ambiguity):
                return decoded
            spelling, text = decoded
        trouble = _segment_trouble(text)
        if trouble:
            return Ambiguity(trouble)
        canonical.append(spelling)
        texts.append(text)
    return "/" + "/".join(canonical), "/" + "/".join(texts)


def _parse_query(raw: str) -> tuple[str, tuple[Pair, ...]] | Ambiguity:
    if ";" in raw:
        return Ambiguity("a semicolon in the query")
    pieces = raw.split("&")
    if len(pieces) > MAX_PAIRS:
        return Ambiguity("too many query pairs")
    spellings, pairs = [], []
    for piece in pieces:
        decoded = []
        raw_name, equals, raw_value = piece.partition("=")
        for part in (raw_name, raw_value):
            if "%" not in part:
                decoded.append((part, part))
                continue
            found = _decode(part)
            if isinstance(found, Ambiguity):
                return found
            decoded.append(found)
        name, value = decoded
        if overrides_method(name[1]):
            return Ambiguity("a method override")
        spellings.append(name[0] + equals + value[0])
        pairs.append((name[1], value[1] if equals else None))
    return "&".join(spellings), tuple(pairs)


def _decode(part: str) -> tuple[str, str] | Ambiguity:
    """The canonical spelling and the text of one segment, name or value that holds a `%`."""
    head, *rest = part.split("%")
    spelling, octets = [head], bytearray(head, "ascii")
    for piece in rest:
        escape = _ESCAPES.get(piece[:2])
        if escape is None:
            return Ambiguity("a percent sign without two hex digits")
        value, canonical = escape
        if value < 0x20 or value == 0x7F:
            return Ambiguity("an encoded control character")
        octets.append(value)
        octets += piece[2:].encode("ascii")
        spelling.append(canonical + piece[2:])
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return Ambiguity("not UTF-8")
    if not text.isascii() and _has_control(text):
        return Ambiguity("an encoded control character")
    return "".join(spelling), text


def _segment_trouble(text: str) -> str | None:
    """Why this segment, decoded once, could be taken for something else; None when it can't."""
    if "/" in text or "\\" in text or ";" in text:
        return "an encoded slash, backslash or semicolon"
    # Most segments end here: nothing left to decode or fold, and a tail that is neither dot nor space.
    if text.isascii() and "%" not in text and text[-1] not in ". ":
        return None
    if _is_dots(text) or text.rstrip().endswith(".."):
        return "a dot segment"
    deepest = text
    for _ in range(4):
        reduced = _decode_fully(deepest)
        if reduced is None:
            return "text that is not UTF-8 when decoded again"
        if reduced != deepest and (
            any(mark in reduced for mark in "/\\;") or _is_dots(reduced) or reduced.rstrip().endswith("..")
        ):
            return "text that becomes a separator or dot segment when decoded again"
        if _has_control(reduced):
            return "text that becomes a control character when decoded again"
        folded = reduced if reduced.isascii() else unicodedata.normalize("NFKC", reduced)
        # A folded `;` counts only where it would uncover a dot segment: full-width letters are names.
        if "/" in folded or "\\" in folded or _is_dots(folded.partition(";")[0]):
            return "text that folds into a separator or dot segment"
        if folded == deepest:
            return None
        deepest = folded
    return "text that changes each time it is read"


def _is_dots(text: str) -> bool:
    # White space before one dot is a name like any other; before two it is what some servers trim.
    return text.rstrip() == "." or text.strip() == ".."


def _has_control(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def _decode_fully(text: str) -> str | None:
    """`text` after decoding until nothing changes; None when a reading on the way is not UTF-8."""
    if "%" not in text:
        return text
    octets, rounds = _octets(text)
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        return None
    for index, octet in enumerate(octets):
        # A continuation byte belongs to the character before it, and so to the same round.
        if octet & 0xC0 == 0x80 and rounds[index] != rounds[index - 1]:
            return None
    return decoded


def _octets(text: str) -> tuple[bytearray, list[int]]:
    """All of `text` decoded until nothing changes.

    One pass with a stack: an escape that is completed by a decoded character is decoded in turn.
    Escapes can't overlap, so the order does not matter. Every octet remembers in which round it came
    to be: octets of one character that came in different rounds mean that some round read bad UTF-8.
    """
    octets = bytearray()
    rounds: list[int] = []
    for octet in text.encode("utf-8"):
        octets.append(octet)
        rounds.append(0)
        while len(octets) >= 3 and octets[-3] == 0x25:
            escape = _ESCAPES.get(octets[-2:].decode("latin-1"))
            if escape is None:
                break
            depth = 1 + max(rounds[-3:])
            del octets[-3:], rounds[-3:]
            octets.append(escape[0])
            rounds.append(depth)
    return octets, rounds


def fold_name(name: str) -> str:
    """A query name as servers that ignore case, `_`, `.`, `-` or array brackets would look it up."""
    plain = unicodedata.normalize("NFKC", name) if not name.isascii() else name
    return plain.strip(" +").partition("[")[0].lower().replace("_", "").replace(".", "").replace("-", "")


def overrides_method(name: str) -> bool:
    """Whether some server takes this query name for `_method`; PHP writes `_` for other marks at its beginning."""
    plain = (unicodedata.normalize("NFKC", name) if not name.isascii() else name).strip(" +").lower()
    return plain[:1] in ("_", ".", "-", "[") and plain[1:].partition("[")[0].strip() == "method"


def smuggled_name(target: Target, pinned: Iterable[str]) -> str | None:
    """A pinned name (see `fold_name`) or a method override that hides inside a value: a server which reads
    a value as a query of its own would find it there. None when there is none."""
    names = None
    for _, value in target.pairs:
        if value is None or not any(mark in value for mark in "%&;?#="):
            continue
        if names is None:
            names = frozenset(pinned)
        # Bad UTF-8 on the way may be data, and what stands beside it is read all the same.
        whole = _octets(value)[0].decode("utf-8", "replace")
        for mark in "&;?#":
            whole = whole.replace(mark, "\0")
        for index, piece in enumerate(whole.split("\0")):
            name, equals, _ = piece.partition("=")
            # The first piece without `=` is the value itself, not a name.
            if (equals or index) and (fold_name(name) in names or overrides_method(name)):
                return name
    return None
