"""Who is at the other end: the peer, or what a trusted proxy says about it.

Rule: `X-Forwarded-For` counts only when the peer itself is a trusted proxy, and then only as far back
as trusted proxies wrote it: read from its end, the first address that is not one of them is the guest.

Why from the end: everything before was sent by the guest, who may write there what he likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_MAX_HOPS = 32

Address = IPv4Address | IPv6Address


class TrustedProxies:
    """Addresses and networks whose word about the guest's address counts. Empty: nobody's."""

    __slots__ = ("_known", "_networks")

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raises ValueError for what is neither an address nor a network."""
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(network, strict=False) for network in networks
        )
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, peer: str | None) -> bool:
        if not self._networks or not peer:
            return False
        known = self._known.get(peer)
        if known is None:
            address = _parse(peer)
            known = address is not None and any(address in network for network in self._networks)
            if len(self._known) < 10_000:
                self._known[peer] = known
        return known


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: TrustedProxies) -> str:
    """The guest's address in one spelling; "" when it is not known (a unix socket without a proxy's word).

    `forwarded_for`: the values of all `X-Forwarded-For` headers, in their order.
    """
    if not forwarded_for or not trusted.trusts(peer):
        return _spelling(peer)
    found = peer
    for entry in ",".join(forwarded_for).split(",")[: -_MAX_HOPS - 1 : -1]:
        address = _parse(_without_port(entry.strip()))
        if address is None:
            # Not an address: what stands before it can't be told apart from an invention.
            break
        found = str(address)
        if not trusted.trusts(found):
            break
    return _spelling(found)


def neighbourhood(address: str) -> str:
    """What is counted as one address: of IPv6 the network of 64 bits that a household gets."""
    found = _parse(address) if ":" in address else None
    if not isinstance(found, IPv6Address):
        return str(found) if found is not None else address
    return str(IPv6Network((int(found) >> 64 << 64, 64)))


def _spelling(peer: str | None) -> str:
    if peer is None:
        return ""
    if ":" not in peer:
        return peer
    address = _parse(peer)
    return str(address) if address is not None else ""


def _parse(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
