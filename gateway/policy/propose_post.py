"""What pages send: rules for the POSTs of a recording, from their names, types and answers.

Rule: what counts and reports is answered by the gateway and never sent: the server would count a guest as the
operator. A JSON body becomes a rule where it can name no other item: the id is pinned, the rest numbers and yes or
no. Everything else stays a comment that says what is open. No value of a body is ever written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.policy.har import sounds_secret
from gateway.policy.sorting import Own

_COUNTS = frozenset((
    "analytics", "beacon", "beacons", "collect", "count", "counter", "event", "events", "heartbeat", "hit", "hits",
    "metrics", "pageview", "ping", "playing", "progress", "qoe", "stat", "stats", "statistics", "telemetry", "track",
    "tracking", "view", "viewed", "views", "watched", "watching",
))  # fmt: skip
_CHANGES = frozenset((
    "account", "add", "admin", "block", "create", "delete", "edit", "grant", "import", "invite", "login", "logout",
    "move", "password", "permission", "permissions", "publish", "purge", "register", "remove", "rename", "reset",
    "restore", "revoke", "save", "settings", "share", "subscribe", "token", "unsubscribe", "update",
    "upload", "user", "users",
))  # fmt: skip
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_DEEPEST = 3
_MOST_FIELDS = 24


class _Unclear(Exception):
    """The text says what is open about a body."""


@dataclass(frozen=True, slots=True)
class Posted:
    """One rule: its keys besides `request`, and why it is a comment if it is to be one."""

    keys: tuple[str, ...]
    why_not: str = ""


def counts(one: Own) -> bool:
    """Whether it reports what is seen, by its address or by how the browser sent it."""
    return one.request.beacon or not _COUNTS.isdisjoint(_words(one.path))


def changes(one: Own) -> bool:
    """Whether its address sounds like something that is not a guest's to do."""
    return not _CHANGES.isdisjoint(_words(one.path))


def posted(members: Sequence[Own], item: str) -> Posted:
    """For requests of one method, path and set of query names."""
    first = members[0]
    if counts(first):
        return Posted((f"answer: {_answer(members)}",))
    method = first.request.method
    if method != "POST":
        return Posted(_keys(members, item), f"a {method} changes something; guests seldom need it")
    if changes(first):
        return Posted(_keys(members, item), "its name sounds like a change that is not a guest's to make")
    try:
        shape, pinned = _shape(members, item)
    except _Unclear as what:
        return Posted(_keys(members, item), str(what))
    if not (pinned or "{id}" in first.path or any(value == item for _, value in first.pairs)):
        return Posted((f"json: {_flow(shape)}",), "it does not name the item: what does it do?")
    if "string" in json.dumps(shape):
        return Posted((f"json: {_flow(shape)}",), "a free text in it could name another item: list what it may be")
    if item.isdigit() and "number" in json.dumps(shape):
        return Posted((f"json: {_flow(shape)}",), "ids are numbers here, so a number in it could name another item")
    return Posted((f"json: {_flow(shape)}",))


def body_keys(members: Sequence[Own], item: str) -> tuple[str, ...]:
    """`json` of a request that the gateway makes itself, as far as it can be told."""
    return _keys(members, item)


def _words(path: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", path)}


def _answer(members: Sequence[Own]) -> str:
    """Yes and no of the server's own answer, where it is nothing else; scripts may look at it."""
    body = next((one.request.body for one in members if one.request.body), None)
    try:
        said = json.loads(body) if body else None
    except (ValueError, RecursionError):
        said = None
    if (
        isinstance(said, dict)
        and 0 < len(said) <= 8
        and all(isinstance(value, bool) and _FIELD.fullmatch(name) for name, value in said.items())
    ):
        return f"{{json: {_flow(said)}}}"
    return "{status: 204}"


def _keys(members: Sequence[Own], item: str) -> tuple[str, ...]:
    try:
        shape, _ = _shape(members, item)
    except _Unclear:
        return ()
    return (f"json: {_flow(shape)}",)


def _shape(members: Sequence[Own], item: str) -> tuple[dict[str, Any], bool]:
    """Names and types on which all bodies agree, and whether the item's id is pinned in them."""
    bodies: list[dict[str, Any]] = []
    for one in members[:200]:
        request = one.request
        if not request.sends:
            raise _Unclear("no body was recorded; without json or body none passes")
        if "json" not in request.sends:
            raise _Unclear(f"{'a form' if 'form' in request.sends else 'another body than JSON'} can't be looked into")
        try:
            body = json.loads(request.sent or "")
        except (ValueError, RecursionError):
            raise _Unclear("its body was not recorded: record with bodies, or write json by hand") from None
        if not isinstance(body, dict):
            raise _Unclear("its body is no JSON object")
        bodies.append(body)
    shape = _object(bodies, item, 0)
    return shape, '"{id}"' in json.dumps(shape)


def _object(bodies: Sequence[dict[str, Any]], item: str, depth: int) -> dict[str, Any]:
    names = dict.fromkeys(name for body in bodies for name in body)
    if depth >= _DEEPEST or len(names) > _MOST_FIELDS:
        raise _Unclear("its body has too many fields, or too deep ones")
    found: dict[str, Any] = {}
    for name in names:
        if not _FIELD.fullmatch(name):
            raise _Unclear("its body has a field with an odd name")
        if sounds_secret(name):
            raise _Unclear(f"its field {name} sounds like a credential")
        values = [body[name] for body in bodies if name in body]
        found[name] = _value(values, item, depth, missing=len(values) < len(bodies))
    return found


def _value(values: Sequence[Any], item: str, depth: int, *, missing: bool) -> Any:
    if all(isinstance(value, dict) for value in values):
        if missing:
            raise _Unclear("a part of its body is not always there")
        return _object(values, item, depth + 1)
    if all(value == item for value in values):
        return "{id}"  # whatever came, or when nothing came
    sorts = {_sort(value) for value in values}
    if len(sorts) != 1 or None in sorts:
        raise _Unclear("its body has lists, or fields of changing types")
    return f"{sorts.pop()}{'?' if missing else ''}"


def _sort(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None


def _flow(value: Any) -> str:
    """YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(name)}: {_flow(one)}' for name, one in value.items())}}}"
    if isinstance(value, str):
        return value if value.isalpha() else json.dumps(value)
    return json.dumps(value)


def _key(name: str) -> str:
    """YAML reads some words as something else."""
    return json.dumps(name) if name.lower() in ("y", "n", "yes", "no", "on", "off", "true", "false", "null") else name
