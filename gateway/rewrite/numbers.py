"""Templates of DASH manifests: `seg-$RepresentationID$-$Number%05d$.m4s` (ISO/IEC 23009-1, 5.3.9.4.4). Pure.

Rule: `$RepresentationID$` and `$Bandwidth$` stand for what stands in the manifest and are filled in here;
`$Number$`, `$Time$` and `$SubNumber$` stand for digits, in the one spelling that a player gives a number, and for
nothing else. A template with any other name, or a single `$`, is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_COUNTED = ("Number", "Time", "SubNumber")
_MAX_DIGITS = 20  # of a 64-bit number
_MAX_PARTS = 64  # pieces of a template
_MAX_LITERAL = 8_192  # characters of its literal texts; values may stand there often


@dataclass(frozen=True, slots=True)
class Number:
    """One that a player fills in, with at least so many digits (0: as many as it has)."""

    name: str
    width: int

    def __str__(self) -> str:
        return f"${self.name}%0{self.width}d$" if self.width else f"${self.name}$"

    def takes(self, digits: str) -> bool:
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
            return False
        return digits == str(int(digits)).zfill(self.width)


@dataclass(frozen=True, slots=True)
class Template:
    """Literal texts and numbers."""

    pieces: tuple[str | Number, ...]

    @property
    def numbers(self) -> tuple[Number, ...]:
        """Each once, in the order in which they come."""
        return tuple(dict.fromkeys(piece for piece in self.pieces if isinstance(piece, Number)))

    def __str__(self) -> str:
        return "".join(piece.replace("$", "$$") if isinstance(piece, str) else str(piece) for piece in self.pieces)

    @property
    def slots(self) -> str:
        """Where a player writes the numbers that `taken` takes."""
        return "-".join(map(str, self.numbers))

    def filled(self, numbers: Mapping[Number, str]) -> str:
        return "".join(piece if isinstance(piece, str) else numbers[piece] for piece in self.pieces)

    def taken(self, numbers: str) -> str | None:
        """Filled with what a player wrote where `-` stands between the numbers."""
        wanted, given = self.numbers, numbers.split("-")
        if len(wanted) != len(given) or not all(map(Number.takes, wanted, given)):
            return None
        return self.filled(dict(zip(wanted, given, strict=True)))


def parse_template(text: str, values: Mapping[str, str] | None = None) -> Template | None:
    """`values`: those of the manifest, by name; None: not a template."""
    parts = text.split("$")
    if len(parts) % 2 == 0 or len(parts) > 2 * _MAX_PARTS:
        return None
    pieces: list[str | Number] = []
    room = _MAX_LITERAL
    for index, part in enumerate(parts):
        if index % 2 == 0:
            literal: str | Number = part
        elif not part:
            literal = "$"
        else:
            found = _identifier(part, values or {})
            if found is None:
                return None
            literal = found
        if isinstance(literal, str):
            room -= len(literal)
            if room < 0:
                return None
        if isinstance(literal, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += literal
        elif literal != "":
            pieces.append(literal)
    return Template(tuple(pieces))


def _identifier(text: str, values: Mapping[str, str]) -> str | Number | None:
    name, mark, form = text.partition("%")
    width = 0
    if mark:
        digits = form[1:-1]
        if not (form[:1] == "0" and form[-1:] == "d" and digits.isascii() and digits.isdigit() and len(digits) <= 2):
            return None
        width = int(digits)
        if width > _MAX_DIGITS:
            return None
    if name in _COUNTED:
        return Number(name, width)
    value = values.get(name)
    if value is None or (mark and name == "RepresentationID"):
        return None
    return value.zfill(width)
