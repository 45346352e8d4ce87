"""Requests that the gateway makes itself: those of resolve, prepare and release, filled with variables.

Rule: a value is encoded for where it stands (path, query, JSON, header) and can't become anything else
there: no further segment, pair, field or header. What can't be written so is not sent at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gateway.policy.target import Ambiguity, Target, parse_target
from gateway.policy.template import Part, Values, Variable, filled

if TYPE_CHECKING:
    from gateway.policy.model import Address

_ACCEPT = ("Accept", "application/json, application/xml;q=0.9, */*;q=0.5")
_VISIBLE = "".join(map(chr, range(0x20, 0x7F)))


@dataclass(frozen=True, slots=True)
class Words:
    """A text with variables in it, inside a JSON value or a header."""

    parts: tuple[Part, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts if isinstance(part, Variable))

    def filled(self, values: Values) -> str | None:
        """With the first value of each variable; None when one is missing."""
        return filled(self.parts, values)


@dataclass(frozen=True, slots=True)
class Written:
    """A request that is ready to be sent, credentials apart."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    at: str = ""


@dataclass(frozen=True, slots=True)
class Checksum:
    """A pair at the end of a request's query, computed over `over`, in which {query} is that query as it is sent
    and the rest mostly a secret; which itself is never sent."""

    name: str
    algorithm: str
    over: Words = field(repr=False)

    def signed(self, target: Target, values: Values) -> str | None:
        text = self.over.filled({**values, "query": (target.query,)})
        if text is None:
            return None
        digest = hashlib.new(self.algorithm, text.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{target.sent}{'&' if target.query else '?'}{self.name}={digest}"


@dataclass(frozen=True, slots=True)
class StepRequest:
    """`json`: a JSON value whose texts are `Words`; with `has_json` it is sent, also when it is null."""

    method: str
    address: Address
    json: Any = None
    has_json: bool = False
    headers: tuple[tuple[str, Words], ...] = ()
    checksum: Checksum | None = None
    at: str = ""  # the address of the server that is asked; "" is the main one

    def at_home(self, origins: tuple[str, ...]) -> StepRequest:
        return dataclasses.replace(self, address=dataclasses.replace(self.address, home=origins))

    @property
    def variables(self) -> frozenset[str]:
        found = {*self.address.variables, *names_in(self.json)}
        if self.checksum is not None:
            found |= {name for name in self.checksum.over.variables if name != "query"}
        return frozenset(found.union(*(words.variables for _, words in self.headers)))

    def written(self, values: Values) -> Written | None:
        """None when a variable is missing, or what comes out could be read two ways."""
        raw = self.address.render(values)
        target = parse_target(raw) if raw is not None else None
        if target is None or isinstance(target, Ambiguity):
            return None
        headers = [_ACCEPT]
        for name, words in self.headers:
            text = words.filled(values)
            if text is None:
                return None
            headers = [one for one in headers if one[0].lower() != name.lower()]
            headers.append((name, quote(text, safe=_VISIBLE)))
        body = None
        if self.has_json:
            try:
                body = json.dumps(_filled(self.json, values), ensure_ascii=False).encode()
            except (_Missing, UnicodeEncodeError):
                return None
            if not any(name.lower() == "content-type" for name, _ in headers):
                headers.append(("Content-Type", "application/json"))
        sent = target.sent if self.checksum is None else self.checksum.signed(target, values)
        return None if sent is None else Written(self.method, sent, tuple(headers), body, self.at)


class _Missing(Exception):
    """A variable has no value."""


def filled_json(value: Any, values: Values) -> Any:
    """A JSON value whose texts are `Words`; None when a variable is missing."""
    try:
        return _filled(value, values)
    except _Missing:
        return None


def _filled(value: Any, values: Values) -> Any:
    if isinstance(value, Words):
        text = value.filled(values)
        if text is None:
            raise _Missing
        return text
    if isinstance(value, Mapping):
        return {name: _filled(one, values) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    return value


def names_in(value: Any) -> set[str]:
    """The variables in a JSON value whose texts are `Words`."""
    if isinstance(value, Words):
        return set(value.variables)
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return {name for one in inner for name in names_in(one)}
