"""How long somebody watched: in slots of thirty seconds in which something was watched. Pure.

Why slots and not sums of times: several workers and tabs serve one guest at once, and a slot that two of
them name is still one slot. What is told twice changes nothing.
"""

from __future__ import annotations

SLOT = 30_000  # ms
_MOST = 400_000  # slots of one guest that are counted, more than the longest a guest is recognised


def slot_at(moment: int) -> int:
    """The slot of a moment (ms since 1970)."""
    return moment // SLOT


def offset(slot: int, first_seen: int) -> int | None:
    """Where a slot stands in a guest's own row, whose first is that of the admission; None far outside it."""
    found = slot - slot_at(first_seen)
    return found if 0 <= found < _MOST else None


def watched_seconds(slots: int) -> int:
    return slots * SLOT // 1000
