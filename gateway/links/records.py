"""What is kept about items, links, guests and grants. Values only; how they lie in Redis is the
store's business, what they mean is said in `rules`.

Times are milliseconds since 1970 (UTC), as the scripts in the store compare them; doors turn them
into dates. A record carries the schema version it was written with, see `SCHEMA`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA = 2

Variables = Mapping[str, tuple[str, ...]]
"""Variables of a policy: a name may hold several values, each of which counts."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on a media server and its guest-access switch."""

    server: str
    item: str
    kind: str
    title: str | None
    # None: nobody has touched the switch. A manager's False outlasts the making of links (409).
    access: bool | None
    version: int = 0
    # Whose it is there, by the policy's variable `owner`, when it was last asked.
    owners: tuple[str, ...] = ()
    live_at: int | None = None  # ms; when a live item was seen on the air, see `rules.has_begun`


@dataclass(frozen=True, slots=True)
class Link:
    """A guest link. The token itself is not here: `sealed` is its encrypted copy."""

    id: str
    server: str
    item: str
    kind: str
    title: str | None
    name: str
    clicks_limit: int | None
    clicks_used: int
    created_at: int
    created_by: str
    expires_at: int | None
    enabled: bool
    deleted_at: int | None
    version: int
    sealed: bytes = field(repr=False, default=b"")
    # When a browser first showed it to somebody, or somebody came in without that.
    opened_at: int | None = None
    starts_at: int | None = None  # ms; before that nobody is let in
    viewers_limit: int | None = None  # seats: guests who may watch at once
    pin: str | None = field(repr=False, default=None)  # its Argon2id hash
    # Addresses and domains (`@example.org`) in their one spelling; empty: any address will do.
    emails: tuple[str, ...] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class Guest:
    """One admission of one browser through one link. Name and address are the guest's own words."""

    id: str
    link: str
    name: str = field(repr=False)
    email: str = field(repr=False)
    first_seen: int
    last_seen: int
    # The guest ticked "not my device": the cookie must end with the browser.
    shared_device: bool = False
    # Left, removed, or their data erased: no return without a new admission.
    gone_at: int | None = None
    # What they answered to the form's further questions, by name.
    fields: Mapping[str, str | bool] = field(repr=False, default_factory=dict)
    # The version of the consent text they ticked, and when; None: they were not asked, or did not tick it.
    consent_version: str | None = None
    consent_at: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What one admission lets a browser reach. Final once `ended_at` is set."""

    id: str
    link: str
    guest: str
    server: str
    item: str
    kind: str
    variables: Variables
    created_at: int
    ends_at: int  # `session.max_age` after creation; nothing of the grant outlives it
    last_seen: int
    ended_at: int | None = None
    end_reason: str | None = None
    # What the media server gave for this grant alone: variables of prepare.
    brought: Variables = field(default_factory=dict)
    # When it was last asked for anew, or somebody began to (ms); None: at admission.
    renewed_at: int | None = None
