"""What the player page offers to take along: the first rule of the interaction group `download`, as an address.

The group is an ordinary one: whoever may ask for the file is judged by its rules alone, and without the group
being on (`guest_access.interactions`) there are none. Here is only whether there is one address to show.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gateway.policy.minting import JWT
from gateway.policy.template import NoValue, Part, QueryTemplate, Text, ValueTemplate, Variable

if TYPE_CHECKING:
    from gateway.policy.model import Address, Rule

GROUP = "download"


def download_address(rules: Iterable[Rule]) -> Address | None:
    """None where no rule of the group takes GET, or the first that does leaves something to choose (a pattern, `*`,
    a query that must hold one)."""
    from gateway.policy.model import Address

    rule = next((rule for rule in rules if rule.group == GROUP and "GET" in rule.methods), None)
    if rule is None or not _fixed(rule.path.parts):
        return None
    path, query = rule.path, _query(rule.query)
    # A variable that holds a whole address has its own query; with more behind it, it is a place and no file.
    if query is None or (path.whole is not None and (query or len(path.parts) > 1)):
        return None
    address = Address(path.parts, query, whole=path.whole is not None)
    # A token of the gateway's own making is for the server, and stands on no page for this.
    return None if any(name.startswith(JWT) for name in address.variables) else address


def _fixed(parts: tuple[Part, ...]) -> bool:
    return all(isinstance(part, Text | Variable) for part in parts)


def _query(query: QueryTemplate) -> tuple[Part, ...] | None:
    """What must be there; what may be missing is left out."""
    parts: list[Part] = []
    for name in query.wanted:
        if name not in query.needed:
            continue
        wanted = query.wanted[name]
        before = "&" if parts else ""
        if isinstance(wanted, NoValue):
            parts.append(Text(before + name))
        elif isinstance(wanted, ValueTemplate) and _fixed(wanted.parts):
            parts += [Text(f"{before}{name}="), *wanted.parts]
        else:
            return None
    return tuple(parts)
