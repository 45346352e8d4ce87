"""Templates in followed manifests: how one is signed, and what a player's numbers make of it.

    /_gateway/s/{sealed template}/$Number%05d$-$Time$/seg-$Number%05d$.m4s

Rule: sealed is the whole template, so numbers may stand anywhere in it, also in a folder or a query; a player
fills in the rest of the URL as it would have filled in the server's. What comes back is digits, one for each number,
in the spelling that players give them; put together they are one place, judged like every other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gateway.policy.follow import MAX_NAME, NAME_CHARACTERS, Place, Reach
from gateway.proxy.places import MAX_PLACE, place_of
from gateway.rewrite.numbers import Number, Template, parse_template

if TYPE_CHECKING:
    from gateway.links.followed import Followed

NO_NAME = "file"  # at the end, where the template's own name is no plain one
_SAMPLES = ("1", "100000", "1000000000")  # patterns for numbers may want more digits than one
_ROOM = 20  # characters of a name for its numbers


def canonical(template: Template, named: Callable[[str], Place | None]) -> tuple[str, Template] | None:
    """Its origin and its target, spelled as they are sent. Stand-ins for the numbers go through the reading of any
    address and are found again in what comes of it."""
    stand_ins = _stand_ins(template)
    place = named(template.filled(stand_ins)) if stand_ins is not None else None
    if stand_ins is None or place is None or len(place.sent) > MAX_PLACE:
        return None
    pieces: list[str | Number] = [place.target.sent]
    whole = template.filled(stand_ins)
    for number, digits in stand_ins.items():
        if place.target.sent.count(digits) != whole.count(digits):
            return None  # part of an escape, of a host, of what is not sent
        pieces = [part for piece in pieces for part in _cut(piece, digits, number)]
    return place.origin, Template(tuple(pieces))


def samples(origin: str, template: Template) -> Iterator[Place]:
    for digits in _SAMPLES:
        place = place_of(origin + template.filled({one: digits.zfill(one.width) for one in template.numbers}))
        if place is not None:
            yield place


def template_name(template: Template) -> str:
    """What a player sees at the end, once it has filled it in."""
    name = str(template).partition("?")[0].rpartition("/")[2]
    found = parse_template(name)
    literals = [piece for piece in found.pieces if isinstance(piece, str)] if found is not None else ["/"]
    plain = all(map(NAME_CHARACTERS.issuperset, literals)) and not (name.startswith(".") or name.endswith("."))
    used = sum(map(len, literals)) + _ROOM * (len(found.pieces) - len(literals) if found is not None else 0)
    return name if name and plain and used <= MAX_NAME else NO_NAME


def filled_place(followed: Followed) -> Place | None:
    """The place of a sealed template with the numbers that came."""
    template = parse_template(followed.place)
    text = template.taken(followed.numbers) if template is not None else None
    return place_of(text) if text is not None else None


def stays_in_folder(sealed: str, reach: Reach, levels: int) -> bool:
    """Without `to` no number may choose among folders beside the rule's own."""
    return not reach.own_folder or sealed.partition("$")[0].count("/") >= levels


def _stand_ins(template: Template) -> dict[Number, str] | None:
    """Digits for each number: none is in the literal text, and since each begins with the only 9 in it, none can be
    found across the end of another."""
    numbers: Sequence[Number] = template.numbers
    literal = "\0".join(piece for piece in template.pieces if isinstance(piece, str))
    for salt in range(10, 89):
        head = f"9{salt}0"
        if "9" not in head[1:] and head not in literal and len(numbers) <= 9:
            return {number: f"{head}{index}" for index, number in enumerate(numbers)}
    return None


def _cut(piece: str | Number, digits: str, number: Number) -> list[str | Number]:
    if not isinstance(piece, str):
        return [piece]
    out: list[str | Number] = []
    for index, part in enumerate(piece.split(digits)):
        if index:
            out.append(number)
        if part:
            out.append(part)
    return out
