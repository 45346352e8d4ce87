"""Whether somebody opened an address, or something else asked for it: a script, a frame, a look ahead.

Rule: what a browser says about a request must be what it says when a person follows a link, types an
address or sends a form. Why absence passes: programs, mail scanners and old browsers say nothing; what
is asked for here is no permission, it only keeps scripts of the same host from reading a page in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

# `Purpose`, `X-Purpose` and `X-Moz` are what browsers said before `Sec-Purpose` was agreed upon.
_AHEAD_OF_TIME = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PURPOSES = ("prefetch", "prerender", "preview")


def not_opened(headers: CIMultiDictProxy[str], *, framed: bool = False) -> str | None:
    """What shows that nobody opened this; None when nothing does. The text is for the log. `framed`: it may be
    opened inside another page; whose, the browser is told by `frame-ancestors`."""
    places = ("document", "iframe") if framed else ("document",)
    if any(value not in places for value in headers.getall("Sec-Fetch-Dest", ())):
        return f"Sec-Fetch-Dest is not {' or '.join(places)}"
    if any(value != "navigate" for value in headers.getall("Sec-Fetch-Mode", ())):
        return "Sec-Fetch-Mode is not navigate"
    return None


def ahead_of_time(headers: CIMultiDictProxy[str]) -> str | None:
    """What shows that a browser gets this in case somebody will open it; None when nothing does."""
    for name in _AHEAD_OF_TIME:
        if any(word in value.lower() for value in headers.getall(name, ()) for word in _PURPOSES):
            return f"{name}: ahead of time"
    return None


def shown_to_somebody(headers: CIMultiDictProxy[str]) -> bool:
    """Whether a browser says that it opens this, and now. Programs, most mail scanners and chat previews say nothing,
    nor do old browsers; a scanner that drives a browser looks like a person."""
    return headers.getall("Sec-Fetch-Mode", ()) == ["navigate"] and ahead_of_time(headers) is None


def for_service_worker(headers: CIMultiDictProxy[str]) -> bool:
    """Whether the answer would become a service worker: a script that outlives all its pages and answers
    for them, the entry page included."""
    return any(
        word.strip().lower() == token
        for name, token in (("Service-Worker", "script"), ("Sec-Fetch-Dest", "serviceworker"))
        for value in headers.getall(name, ())
        for word in value.split(",")
    )
