"""What a use case answers when somebody is refused: a value, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.reasons import Reason


@dataclass(frozen=True, slots=True)
class Denied:
    """`detail` is for the log; `errors` maps a field of a form to the key of the text shown beside it.

    `starts_at` (ms since 1970): when it will be otherwise. `wait` (seconds): when it may be. `ticket`: with it a
    guest who waits need not show again what they have shown (`links.forms`). `seat`: the pass to ask with whether a
    seat is free or a live item on the air (`access.seats`). `was_live` (ms since 1970): when a live item that is not on
    the air was there last, by the media server's own word.
    """

    reason: Reason
    detail: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    starts_at: int | None = None
    wait: int = 0
    ticket: str = field(default="", repr=False)
    seat: str = ""
    was_live: int | None = None
