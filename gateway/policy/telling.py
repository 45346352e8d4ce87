"""What a policy tells whom: of a guest to the media server, and of its own tokens to the guest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.policy.model import Address, Player
from gateway.policy.written import KindDocument, Said

Place = tuple[int, int]
"""Line and column."""
Told = tuple[Iterable[str], Place]
"""Variables that stand somewhere, and where."""


def page_addresses(kind: KindDocument, opened: Address | None, player: Player | None) -> Iterator[tuple[Address, Said]]:
    """Addresses that a guest's page has or is, with how they are written."""
    said = kind.player
    for address, written in (
        (opened, kind.open),
        (player.src if player else None, said.src if said else None),
        (player.poster if player else None, said.poster if said else None),
        (player.file if player else None, said.file if said else None),
        (player.chat if player else None, said.chat if said else None),
    ):
        if address is not None and written is not None:
            yield address, written


def told_of_guests(places: Iterable[Told]) -> tuple[frozenset[str], list[tuple[Place, str]]]:
    """Which of name and email go to the media server, and a warning for each place."""
    found, warnings = set(), []
    for names, place in places:
        for name in sorted({"guest.name", "guest.email"}.intersection(names)):
            found.add(name.removeprefix("guest."))
            warnings.append((place, f"{{{name}}} tells the media server who the guest is; the entry page says so"))
    return frozenset(found), warnings


def tokens_shown(tokens: tuple[str, ...], addresses: Iterable[Address]) -> tuple[frozenset[str], str]:
    """Those of `jwt` that the guest's own page has in its address, and a warning where there are any."""
    shown = frozenset(name for address in addresses for name in address.variables).intersection(tokens)
    if not shown:
        return shown, ""
    what = f"{{{min(shown)}}} stands in the address of the guest's page: the guest has it, and whoever"
    return shown, f"{what} reaches the server itself can use it there while it lasts"
