"""Where an address that a followed answer names leads: on this server, on an origin of the policy, or nowhere.

Rule: the same reading as for redirects, which never repairs; and what is found is one canonical target that is
judged, signed and, when it is asked for, sent.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.config import Origin
from gateway.policy.follow import Place
from gateway.policy.target import Ambiguity, Target, parse_target
from gateway.proxy.redirects import led_to
from gateway.rewrite.addresses import MAX_ADDRESS

MAX_PLACE = 4_096  # characters of a place that is sealed; a request line has room for twice as many


def split_origin(text: str) -> tuple[str, str]:
    """`https://host:port` ("" for the server itself) and the rest of a place's text."""
    if text.startswith("/"):
        return "", text
    scheme, mark, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + mark + host, slash + path


def place_of(text: str) -> Place | None:
    """The place that was written as `Place.sent`; None for anything that is not canonical."""
    origin, rest = split_origin(text)
    target = parse_target(rest)
    if isinstance(target, Ambiguity) or target.sent != rest:
        return None
    return Place(origin, target)


def named(
    address: str, base: Place, home: Collection[Origin], origins: Collection[Origin], injected: Collection[str]
) -> Place | None:
    """Where `address`, written in an answer of `base`, leads. `home` and `injected` as in `led_to`."""
    if len(address) > MAX_ADDRESS:
        return None
    if address.startswith("//") and base.origin:
        # The scheme of what it stands in, which for another origin is that origin's.
        address = base.origin.partition("//")[0] + address
    if _relative(address):
        led = led_to(address, base.target, (), () if base.origin else injected)
        return Place(base.origin, led[0]) if led is not None else None
    led = led_to(address, base.target, home, injected)
    if led is not None:
        return Place("", led[0])
    for origin in origins:
        led = led_to(address, base.target, (origin,))
        if led is not None:
            return Place(str(origin), led[0])
    return None


def _relative(address: str) -> bool:
    head = address.partition("/")[0].partition("?")[0].partition("#")[0]
    return not address.startswith("//") and ":" not in head


def file_ending(target: Target) -> str:
    name = target.text.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""
