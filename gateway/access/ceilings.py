"""Ceilings on guest links: the one place where they are applied, for pages, API and command line. Pure.

Rule: a new link gets what was not said, where there is a ceiling for it; what goes beyond one, or leaves out
what is required, is refused. A change is judged by what it changes: a link from before the ceilings keeps
working as it is, can be renamed and turned off and on, and is shown among those that break them.

Why days are measured from now, also in a change: a link that somebody prolongs is looked at again by then,
which is what a ceiling is for.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.ceilings import Ceilings
from gateway.links.records import Link

_DAY = 86_400_000  # ms


def completed(said: Mapping[str, object], ceilings: Ceilings) -> dict[str, object]:
    """What was said of a new link, with what it gets besides. What is required must be said."""
    found = dict(said)
    for name, given in (("days", ceilings.days), ("clicks", ceilings.max_clicks)):
        if found.get(name) is None and name not in ceilings.require and given is not None:
            found[name] = given
    return found


def faults_of_new(said: Mapping[str, object], ceilings: Ceilings) -> dict[str, str]:
    """Field to what is wrong with it, of a new link that is `completed`."""
    return {
        name: fault
        for name in ("days", "clicks", "pin")
        if (fault := _fault(name, said.get(name), ceilings)) is not None
    }


def faults_of_change(said: Mapping[str, object], ceilings: Ceilings, link: Link) -> dict[str, str]:
    """Likewise, of a change to this link: what is said again as it is, is no change."""
    same = {
        "days": link.expires_at is None and said.get("days") is None,
        "clicks": said.get("clicks") == link.clicks_limit,
        "pin": link.pin is None and said.get("pin") is None,
    }
    return {
        name: fault
        for name, unchanged in same.items()
        if name in said and not unchanged and (fault := _fault(name, said[name], ceilings)) is not None
    }


def broken(link: Link, ceilings: Ceilings, *, now: int) -> tuple[str, ...]:
    """Where a link that can still be used is beyond the ceilings, which are younger than it is: its fields."""
    if link.deleted_at is not None or (link.expires_at is not None and link.expires_at <= now):
        return ()
    left = None if link.expires_at is None else -((now - link.expires_at) // _DAY)  # begun days count whole
    pin = None if link.pin is None else ""
    has = {"days": left, "clicks": link.clicks_limit, "pin": pin}
    return tuple(name for name, value in has.items() if _fault(name, value, ceilings) is not None)


def most_of(name: str, ceilings: Ceilings) -> int | None:
    return {"days": ceilings.max_days, "clicks": ceilings.max_clicks}.get(name)


def needed(name: str, ceilings: Ceilings) -> bool:
    """Whether a link can't be without it."""
    return name in ceilings.require or most_of(name, ceilings) is not None


def _fault(name: str, value: object, ceilings: Ceilings) -> str | None:
    most = most_of(name, ceilings)
    if value is None and needed(name, ceilings):
        return "is needed here" if most is None else f"is needed here, and must be at most {most}"
    if most is not None and isinstance(value, int) and value > most:
        return f"must be at most {most} here"
    return None
