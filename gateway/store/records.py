"""Records as they lie in the store, and back: one hash of texts each, a missing field is None.

Rule: every record says in `v` by which schema it was written. A newer one is refused, never guessed
at; an older one is brought up to ours (`store.upgrade`); fields we do not know are left as they are,
since scripts set fields by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from gateway.errors import StoreDown, StoreTooNew
from gateway.links.records import SCHEMA, Grant, Guest, Item, Link, Variables
from gateway.store.upgrade import upgraded

Hash = Mapping[str, str]
R = TypeVar("R")


def check_version(found: Hash, what: str) -> None:
    """Raises StoreTooNew."""
    version = found.get("v", "")
    if not version.isdecimal():
        raise StoreDown(f"{what} in the store carries no schema version: something else writes there")
    if int(version) > SCHEMA:
        raise StoreTooNew(f"{what} was written by a later version (schema {version}, this one knows {SCHEMA})")


def to_hash(**fields: object) -> dict[str, str]:
    """The fields that are set, as texts, with the schema version."""
    texts = {"v": str(SCHEMA)}
    for name, value in fields.items():
        if isinstance(value, bool):
            texts[name] = "1" if value else "0"
        elif isinstance(value, bytes):
            texts[name] = value.decode()
        elif value is not None:
            texts[name] = str(value)
    return texts


def item_hash(item: Item) -> dict[str, str]:
    return to_hash(
        server=item.server,
        item=item.item,
        kind=item.kind,
        title=item.title,
        access=item.access,
        owners=owners_text(item.owners),
        live_at=item.live_at,
    )


def owners_text(owners: Sequence[str]) -> str | None:
    return json.dumps(list(owners), ensure_ascii=False) if owners else None


def read_item(found: Hash) -> Item | None:
    return _read(
        found,
        "an item",
        lambda found: Item(
            server=found["server"],
            item=found["item"],
            kind=found["kind"],
            title=found.get("title"),
            access=None if "access" not in found else found["access"] == "1",
            version=int(found.get("version", "0")),
            owners=tuple(str(owner) for owner in json.loads(found.get("owners", "[]"))),
            live_at=_number(found.get("live_at")),
        ),
    )


def link_hash(link: Link) -> dict[str, str]:
    fields = {name: getattr(link, name) for name in Link.__slots__}
    return to_hash(**{**fields, "emails": emails_text(link.emails)})


def emails_text(emails: Sequence[str]) -> str | None:
    return json.dumps(list(emails), ensure_ascii=False) if emails else None


def read_link(found: Hash) -> Link | None:
    return _read(
        found,
        "a link",
        lambda found: Link(
            id=found["id"],
            server=found["server"],
            item=found["item"],
            kind=found["kind"],
            title=found.get("title"),
            name=found["name"],
            clicks_limit=_number(found.get("clicks_limit")),
            clicks_used=int(found.get("clicks_used", "0")),
            created_at=int(found["created_at"]),
            created_by=found["created_by"],
            expires_at=_number(found.get("expires_at")),
            enabled=found["enabled"] == "1",
            deleted_at=_number(found.get("deleted_at")),
            version=int(found["version"]),
            sealed=found.get("sealed", "").encode(),
            opened_at=_number(found.get("opened_at")),
            starts_at=_number(found.get("starts_at")),
            viewers_limit=_number(found.get("viewers_limit")),
            pin=found.get("pin"),
            emails=_texts(found.get("emails")),
        ),
    )


def guest_hash(guest: Guest) -> dict[str, str]:
    fields = {name: getattr(guest, name) for name in Guest.__slots__}
    return to_hash(**{**fields, "fields": answers_text(guest.fields)})


def answers_text(answers: Mapping[str, str | bool]) -> str | None:
    return json.dumps(dict(answers), ensure_ascii=False) if answers else None


def read_guest(found: Hash) -> Guest | None:
    return _read(
        found,
        "a guest",
        lambda found: Guest(
            id=found["id"],
            link=found["link"],
            name=found.get("name", ""),
            email=found.get("email", ""),
            first_seen=int(found["first_seen"]),
            last_seen=int(found["last_seen"]),
            shared_device=found.get("shared_device") == "1",
            gone_at=_number(found.get("gone_at")),
            fields={
                name: value if isinstance(value, bool) else str(value)
                for name, value in json.loads(found.get("fields", "{}")).items()
            },
            consent_version=found.get("consent_version"),
            consent_at=_number(found.get("consent_at")),
        ),
    )


def grant_hash(grant: Grant) -> dict[str, str]:
    fields = {name: getattr(grant, name) for name in Grant.__slots__}
    brought = variables_text(grant.brought) if grant.brought else None
    return to_hash(**{**fields, "variables": variables_text(grant.variables), "brought": brought})


def variables_text(variables: Variables) -> str:
    return json.dumps({name: list(values) for name, values in variables.items()}, ensure_ascii=False)


def read_grant(found: Hash) -> Grant | None:
    return _read(
        found,
        "a grant",
        lambda found: Grant(
            id=found["id"],
            link=found["link"],
            guest=found["guest"],
            server=found["server"],
            item=found["item"],
            kind=found["kind"],
            variables=read_variables(found["variables"]),
            created_at=int(found["created_at"]),
            ends_at=int(found["ends_at"]),
            last_seen=int(found["last_seen"]),
            ended_at=_number(found.get("ended_at")),
            end_reason=found.get("end_reason"),
            brought=read_variables(found.get("brought", "{}")),
            renewed_at=_number(found.get("renewed_at")),
        ),
    )


def read_variables(text: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in json.loads(text).items()}


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _texts(text: str | None) -> tuple[str, ...]:
    """A list that is none is a record that can't be read: it must not count as one that lets everybody in."""
    if text is None:
        return ()
    found = json.loads(text)
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise ValueError("a list of texts is none")
    return tuple(found)


def _read(found: Hash, what: str, make: Callable[[Hash], R]) -> R | None:
    """None for a record that is not there. Raises StoreTooNew, StoreDown for one that makes no sense."""
    if not found:
        return None
    check_version(found, what)
    try:
        return make(upgraded(what.rpartition(" ")[2], found))
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise StoreDown(f"{what} in the store can't be read: {error}") from error


def flat(texts: Mapping[str, str]) -> list[str]:
    """As a script takes a hash: its length, then names and values in turn."""
    return [str(2 * len(texts)), *(word for pair in texts.items() for word in pair)]


def unflat(words: list[str]) -> dict[str, str]:
    """As a script returns a hash."""
    return dict(zip(words[::2], words[1::2], strict=True))
