"""What happened to guest access, as the audit log keeps it: events, in the past tense.

Rule: an event names people who manage by their name and guests by their id alone. No token, no guest's
name or address is ever in one: whoever erases a guest need not search the audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Action(Enum):
    """What was done; the value is what logs, exports and the API say."""

    LINK_CREATED = "link_created"
    LINK_CHANGED = "link_changed"
    LINK_ENABLED = "link_enabled"
    LINK_DISABLED = "link_disabled"
    LINK_DELETED = "link_deleted"
    LINK_OPENED = "link_opened"
    WRONG_TRIES = "wrong_tries"
    ACCESS_ENABLED = "access_enabled"
    ACCESS_DISABLED = "access_disabled"
    GUEST_ADMITTED = "guest_admitted"
    GUEST_LEFT = "guest_left"
    GUEST_REMOVED = "guest_removed"
    GUEST_ERASED = "guest_erased"
    GUESTS_EXPORTED = "guests_exported"
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_REFUSED = "sign_in_refused"
    BACKUP_MADE = "backup_made"
    BACKUP_RESTORED = "backup_restored"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Event:
    """`at` in ms since 1970; `who` is a manager's name, `cli:` and a user, `guest` or `gateway`. `detail` holds
    short facts, such as which fields of a link were changed to what. `id` is the log's own, "" before."""

    at: int
    who: str
    action: Action
    server: str | None = None
    item: str | None = None
    link: str | None = None
    guest: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
