"""`cookies`: which cookies of the media server are kept for a grant, and which the guest's browser has itself.

    cookies: [session]            kept with the grant and sent back; the guest never sees it
    cookies: [{theme: guest}]     the guest's own: his goes to the server, the server's comes to him

Rule: a name that is not listed passes in no direction. A jar is for one server and one grant: a cookie goes back to
where it came from, whatever `Domain` or `Secure` say of other places, below its path and until it ends. What comes
from a guest is taken apart and only listed names with plain values are written anew, so that no text of his can be read
as another cookie.

Kept cookies lie among a grant's variables, under names that no template can write (there is a space in them): so they
are where its variables are, for every worker, and in what is released.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from gateway.policy.decide import Variables

KEPT_COOKIE = "cookie "
"""How names of variables begin that are cookies kept for a grant."""

MAX_NAMES = 16
MAX_VALUE = 4_096
MAX_PATHS = 4  # of one name
MAX_ALL = 16_384  # characters of all kept cookies of a grant
MAX_LINES = 50  # of one answer that are looked at
SECRET = 16  # characters from which a kept value is looked for in what a guest gets

# RFC 6265 4.1.1 and what servers write besides. A guest's own has no comma, quote or backslash: some servers see
# the end of a cookie there.
_SERVERS = re.compile(r"[!-:<-~]*")
_GUESTS = re.compile(r"[!#-+\--:<-\[\]-~]{0,4096}")
_HYPHENS = re.compile(r"(?<=[0-9])-(?=[A-Za-z])|(?<=[A-Za-z])-(?=[0-9])")  # 21-Oct-2015
_SECONDS = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class CookieRules:
    """Names as the server writes them."""

    kept: frozenset[str] = frozenset()
    guest: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.kept or self.guest)


@dataclass(frozen=True, slots=True)
class SetCookie:
    """One that a server sets. `ends` in ms, None: with the session; a past time removes it."""

    name: str
    value: str
    path: str
    ends: int | None
    http_only: bool
    strict: bool

    def over(self, now: int) -> bool:
        return self.ends is not None and self.ends <= now


def set_cookies(lines: Sequence[str], names: frozenset[str], path: str, now: int) -> list[SetCookie]:
    """Those of these names, in their order; `path` is that of the request."""
    found = []
    for line in lines[:MAX_LINES]:
        pair, *attributes = line.split(";")
        name, equals, value = pair.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not equals or name not in names or len(value) > MAX_VALUE or not _SERVERS.fullmatch(value):
            continue
        said: dict[str, str] = {}
        for attribute in attributes:
            key, _, word = attribute.partition("=")
            said[key.strip(" \t").lower()] = word.strip(" \t")
        own = said.get("path", "")
        own = own if own.startswith("/") and len(own) <= 256 and own.isascii() and " " not in own else _default(path)
        found.append(
            SetCookie(
                name, value, own, _ends(said, now), "httponly" in said, said.get("samesite", "").lower() == "strict"
            )
        )
    return found


def _default(path: str) -> str:
    """RFC 6265 5.1.4."""
    return path.rpartition("/")[0] or "/"


def _ends(said: Mapping[str, str], now: int) -> int | None:
    """`Max-Age` counts before `Expires` (RFC 6265 5.3)."""
    if _SECONDS.fullmatch(said.get("max-age", "")):
        seconds = int(said["max-age"])
        return now + 1000 * min(seconds, 400 * 86_400) if seconds > 0 else 0
    if "expires" in said:
        try:
            moment = parsedate_to_datetime(_HYPHENS.sub(" ", said["expires"]))
            return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
        except (ValueError, TypeError, OverflowError):
            return None
    return None


# --- kept with the grant ---------------------------------------------------------------------------


def taken(rules: CookieRules, lines: Sequence[str], path: str, variables: Variables, now: int) -> Variables:
    """What is to be kept of an answer's `Set-Cookie` lines, as variables; only what changes something."""
    if not rules.kept or not lines:
        return {}
    changed: dict[str, tuple[str, ...]] = {}
    known = {key: values[0] for key, values in variables.items() if key.startswith(KEPT_COOKIE) and values}
    for one in set_cookies(lines, rules.kept, path, now):
        key = f"{KEPT_COOKIE}{one.name} {one.path}"
        before, text = known.get(key, ""), "" if one.over(now) else f"{one.ends or 0}:{one.value}"
        if text == before or _same_for_now(before, text, now):
            continue
        others = [other for other, kept in known.items() if kept and other != key]
        paths = sum(other.startswith(f"{KEPT_COOKIE}{one.name} ") for other in others)
        size = sum(len(other) + len(known[other]) for other in others) + len(key) + len(text)
        if text and (size > MAX_ALL or paths >= MAX_PATHS):
            continue
        known[key] = text
        changed[key] = (text,)
    return changed


def _same_for_now(before: str, after: str, now: int) -> bool:
    """The same value with a later end: servers say that with each piece of a stream, and only when a quarter of the
    time has gone it is worth writing down."""
    old, _, value = before.partition(":")
    new, _, other = after.partition(":")
    if not before or not after or value != other or old == "0" or new == "0":
        return False
    return int(new) >= int(old) and 4 * (int(old) - now) > 3 * (int(new) - now)


def kept_pairs(rules: CookieRules, variables: Variables, path: str, now: int) -> list[tuple[str, str]]:
    """Those that go with a request for this path, longest path first (RFC 6265 5.4)."""
    found = []
    for name, own, value in _kept(variables, now):
        if name in rules.kept and (path == own or path.startswith(own if own.endswith("/") else own + "/")):
            found.append((own, name, value))
    found.sort(key=lambda one: (-len(one[0]), one[1]))
    return [(name, value) for _, name, value in found]


def kept_secrets(variables: Variables) -> tuple[str, ...]:
    """Values that a guest must not see, not even when they have ended."""
    return tuple(value for _, _, value in _kept(variables, 0) if len(value) >= SECRET)


def _kept(variables: Variables, now: int) -> Iterable[tuple[str, str, str]]:
    for key, values in variables.items():
        if key.startswith(KEPT_COOKIE) and values and values[0]:
            name, _, path = key.removeprefix(KEPT_COOKIE).partition(" ")
            ends, _, value = values[0].partition(":")
            if ends == "0" or int(ends) > now:
                yield name, path, value


# --- the guest's own -------------------------------------------------------------------------------


def guest_pairs(rules: CookieRules, lines: Iterable[str]) -> list[tuple[str, str]]:
    """Of what a browser sent those that are the guest's own. Two of one name are a trick, and count as none."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for pair in line.split(";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if equals and name in rules.guest:
                found.setdefault(name, []).append(value)
    return [(name, one[0]) for name, one in sorted(found.items()) if len(one) == 1 and _GUESTS.fullmatch(one[0])]


def for_guest(rules: CookieRules, lines: Sequence[str], now: int) -> list[SetCookie]:
    """What a server sets in the guest's browser: of each name what it says last."""
    latest = {one.name: one for one in set_cookies(lines, rules.guest, "/", now) if _GUESTS.fullmatch(one.value)}
    return [latest[name] for name in sorted(latest)]


def header(pairs: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{name}={value}" for name, value in pairs)
