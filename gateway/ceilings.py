"""What operators demand of guest links: ceilings, in a policy's `guest_access` or of one server in config.yaml.

    default_days: N                     what a link gets for which no days are said
    max_days: N, max_clicks: N          no link may last longer, or admit more
    require: [days, clicks, pin]        what must be said of each

Rule: what is said of one server only tightens what its policy says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.yaml_source import did_you_mean

MAX_CLICKS = 1_000_000_000
MAX_DAYS = 36_500
REQUIRABLE = ("days", "clicks", "pin")
KEYS = ("default_days", "max_days", "max_clicks", "require")


@dataclass(frozen=True, slots=True)
class Ceilings:
    """`require` in the order of REQUIRABLE; None is no limit."""

    default_days: int | None = None
    max_days: int | None = None
    max_clicks: int | None = None
    require: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Ceilings()

    @property
    def days(self) -> int | None:
        """What a link gets for which no days are said; None: it is for ever."""
        return self.default_days if self.default_days is not None else self.max_days

    def tightened(self, by: Ceilings) -> Ceilings:
        """Both at once; the default of `by` goes first, as far as the maximum lets it."""
        most = _least(self.max_days, by.max_days)
        default = by.default_days if by.default_days is not None else self.default_days
        return Ceilings(
            default_days=default if default is None else _least(default, most),
            max_days=most,
            max_clicks=_least(self.max_clicks, by.max_clicks),
            require=tuple(name for name in REQUIRABLE if name in (*self.require, *by.require)),
        )


def read_ceilings(data: Mapping[str, Any], fault: Callable[[tuple[str | int, ...], str], None]) -> Ceilings:
    """Those among the keys of `data`. `fault` takes the way to what is wrong, from `data` on, and what that is."""

    def whole(key: str, most: int) -> int | None:
        value = data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            fault((key,), f"must be a whole number from 1 to {most}")
            return None
        return value

    default, longest = whole("default_days", MAX_DAYS), whole("max_days", MAX_DAYS)
    if default is not None and longest is not None and default > longest:
        fault(("default_days",), f"is more than max_days, {longest}")
        default = None
    return Ceilings(default, longest, whole("max_clicks", MAX_CLICKS), _required(data.get("require"), fault))


def _required(written: Any, fault: Callable[[tuple[str | int, ...], str], None]) -> tuple[str, ...]:
    if written is None or written == {}:
        return ()
    if not isinstance(written, list):
        fault(("require",), f"must be a list of {', '.join(REQUIRABLE)}")
        return ()
    for index, name in enumerate(written):
        if name not in REQUIRABLE:
            hint = did_you_mean(name, REQUIRABLE) if isinstance(name, str) else f" (known: {', '.join(REQUIRABLE)})"
            fault(("require", index), f"can't be required of a link{hint}")
        elif name in written[:index]:
            fault(("require", index), "stands here twice")
    return tuple(name for name in REQUIRABLE if name in written)


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)
