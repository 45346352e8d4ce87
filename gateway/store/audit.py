"""The audit log: one stream in the store, newest last, that only grows until its oldest lines fall off.

Rule: what a manager does is done only if its line can be written: the caller hears StoreDown otherwise,
and the line goes to the process's own log, so that it is nowhere missing. What guests do is noted where
it can be; nobody is kept out because of the log.

Why one stream and not a line inside each script: the scripts reach one item's slot of a cluster, and the
log is read across all items.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

from gateway.errors import StoreDown, StoreTooNew
from gateway.links.events import Action, Event
from gateway.links.records import SCHEMA
from gateway.store import names
from gateway.store.client import Store

_log = logging.getLogger("gateway.audit")

KEPT = 200_000  # lines, about; Redis trims whole blocks
_PART = 500
_PLACES = ("server", "item", "link", "guest")


class AuditTrail:
    """Appending to the log and reading it backwards."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def append(self, event: Event) -> None:
        """Raises StoreDown; the line is then in the process's log."""
        fields = _to_fields(event)
        try:
            await self._store.run(lambda client: client.xadd(names.AUDIT, fields, maxlen=KEPT, approximate=True))
        except StoreDown:
            _log.error("not in the audit log, the store is down: %s", json.dumps(fields, ensure_ascii=True))
            raise

    async def note(self, event: Event) -> None:
        """As `append`, for what has happened whether or not it can be written."""
        with contextlib.suppress(StoreDown):
            await self.append(event)

    async def latest(self) -> str:
        """The id of the newest line; one before all where there is none."""
        found: list[tuple[str, dict[str, str]]] = await self._store.run(
            lambda client: client.xrevrange(names.AUDIT, count=1)
        )
        return found[0][0] if found else "0-0"

    async def after(self, identifier: str, *, count: int = _PART) -> tuple[list[Event], str]:
        """The lines that follow this one, oldest first, and the id of the last of them, read or not."""
        found: list[tuple[str, dict[str, str]]] = await self._store.run(
            lambda client: client.xrange(names.AUDIT, min=f"({identifier}", count=count)
        )
        events = [event for event in (_read(one, fields) for one, fields in found) if event is not None]
        return events, found[-1][0] if found else identifier

    async def backwards(self, before: str | None = None) -> AsyncIterator[Event]:
        """Newest first; `before` is an event's id. Raises StoreDown, StoreTooNew."""
        end = f"({before}" if before else "+"
        while True:
            latest = end
            found: list[tuple[str, dict[str, str]]] = await self._store.run(
                lambda client, latest=latest: client.xrevrange(names.AUDIT, max=latest, count=_PART)  # type: ignore[misc]
            )
            for identifier, fields in found:
                event = _read(identifier, fields)
                if event is not None:
                    yield event
            if len(found) < _PART:
                return
            end = f"({found[-1][0]}"


def is_event_id(text: str) -> bool:
    """Whether this can be the id of a line: milliseconds and a number. Before 0-0 there is nothing, and asking for
    that is an error to the store."""
    return _EVENT_ID.fullmatch(text) is not None


EVENT_ID = "[1-9][0-9]{0,18}-[0-9]{1,19}"
_EVENT_ID = re.compile(EVENT_ID)


def _to_fields(event: Event) -> dict[str, str]:
    fields: dict[str, Any] = {"v": str(SCHEMA), "at": str(event.at), "who": event.who, "action": str(event.action)}
    fields |= {name: getattr(event, name) for name in _PLACES if getattr(event, name) is not None}
    if event.detail:
        fields["detail"] = json.dumps(dict(event.detail), ensure_ascii=False)
    return fields


def _read(identifier: str, fields: dict[str, str]) -> Event | None:
    """None for a line that makes no sense. Raises StoreTooNew."""
    version = fields.get("v", "")
    if version.isdecimal() and int(version) > SCHEMA:
        raise StoreTooNew(f"a line of the audit log was written by a later version (schema {version})")
    try:
        return Event(
            at=int(fields["at"]),
            who=fields["who"],
            action=Action(fields["action"]),
            server=fields.get("server"),
            item=fields.get("item"),
            link=fields.get("link"),
            guest=fields.get("guest"),
            detail={str(name): str(value) for name, value in json.loads(fields.get("detail", "{}")).items()},
            id=identifier,
        )
    except (KeyError, ValueError, AttributeError):
        _log.warning("line %s of the audit log can't be read", identifier)
        return None
