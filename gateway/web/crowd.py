"""How many connections at once, in all and from one address.

Rule: connections that have shown a live session don't count against their address: a lecture hall
behind one address is many guests. Of the others an address may hold so many; when one more comes, the
oldest that has no whole request at work is closed for it, and likewise when the total is reached. Only
when all of them are at work the new one is turned away. Of IPv6 the first 64 bits count: whoever has one
address there has all of them.

Why close the oldest: whoever opens connections and sends nothing, or sends it a byte at a time, would
else lock out everybody who shares the address.
"""

from __future__ import annotations

from typing import Protocol

from gateway.web.client_address import neighbourhood


class Connection(Protocol):
    """What the crowd asks of a connection."""

    @property
    def waiting(self) -> bool:
        """Whether it has no whole request at work: it is silent, or still sending one."""

    def give_way(self) -> None:
        """Close it for a newer one."""


class Crowd:
    """The connections of one process. `per_address` counts those without a session."""

    def __init__(self, connections: int, per_address: int) -> None:
        self._most = connections
        self._most_each = per_address
        self._held: dict[Connection, str | None] = {}
        # By address, oldest first.
        self._strangers: dict[str, dict[Connection, None]] = {}

    def fit(self, connections: int, per_address: int) -> None:
        """Other limits; who is in stays."""
        self._most, self._most_each = connections, per_address

    def __len__(self) -> int:
        return len(self._held)

    def enter(self, connection: Connection, address: str | None) -> bool:
        """Whether it may stay. `address` None: not counted by address (a trusted proxy, a unix socket)."""
        if len(self._held) >= self._most and not self._make_room(list(self._held)):
            return False
        if address is not None:
            address = neighbourhood(address)
            strangers = self._strangers.setdefault(address, {})
            if len(strangers) >= self._most_each and not self._make_room(list(strangers)):
                return False
            self._strangers.setdefault(address, {})[connection] = None
        self._held[connection] = address
        return True

    def replace(self, old: Connection, new: Connection) -> None:
        """`new` takes the place of `old`, which is the same connection: its handshake is over."""
        if old not in self._held:
            return
        address = self._held.pop(old)
        self._held[new] = address
        if address is not None:
            self._strangers[address][new] = None
            self._forget(old, address)

    def vouch(self, connection: Connection) -> None:
        """It has shown a live session."""
        address = self._held.get(connection)
        if address is not None:
            self._held[connection] = None
            self._forget(connection, address)

    def leave(self, connection: Connection) -> None:
        address = self._held.pop(connection, None)
        if address is not None:
            self._forget(connection, address)

    def _make_room(self, oldest_first: list[Connection]) -> bool:
        for one in oldest_first:
            if one.waiting:
                self.leave(one)
                one.give_way()
                return True
        return False

    def _forget(self, connection: Connection, address: str) -> None:
        strangers = self._strangers.get(address)
        if strangers is not None:
            strangers.pop(connection, None)
            if not strangers:
                del self._strangers[address]
