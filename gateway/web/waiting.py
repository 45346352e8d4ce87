"""The page of a guest whose link is good and who has to wait: until its start, for a seat, or until what they are
invited to is on the air.

It goes on by itself: a countdown opens the link when its time has come, a question every few seconds tells
when a seat is free, or when it has begun. Without scripts it says to load it again. What a guest has typed is
sent again from here (`form`), with a ticket for what they have shown and never with a PIN.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.access.outcome import Denied
from gateway.reasons import Reason

if TYPE_CHECKING:
    from gateway.web.visit import Visit

EVERY = 5  # seconds between two questions

_SCRIPTS = ("waiting.js", "entry.js")


# Where what is waited for comes without anybody opening another address.
_IN_PLACE = frozenset({Reason.FULL, Reason.NOT_STARTED, Reason.NOT_LIVE})


def is_wait(reason: Reason) -> bool:
    return reason is Reason.NOT_OPEN_YET or reason in _IN_PLACE


def wait_page(visit: Visit, denied: Denied, form: Mapping[str, str] | None = None) -> web.Response:
    """`form`: what is to be posted to this address when the wait is over; without one it is loaded again."""
    reason = denied.reason
    visit.reason, visit.detail = reason, denied.detail
    pages, public = visit.pages, visit.server.config.public
    locale = pages.locale(visit.request)
    starts, path = denied.starts_at, visit.target.path
    # What a grant was needed for is over; only the link itself opens by its address.
    by_itself = reason in _IN_PLACE or path.startswith(f"{pages.prefixes.link}/")
    return pages.respond(
        visit.request,
        "waiting.html",
        status=reason.status,
        headers=headers_of(denied),
        # Our scripts and nothing else: on this host 'self' would be the media server's as well.
        policy={
            "script-src": " ".join(f"{public}{pages.static(name)}" for name in _SCRIPTS),
            "connect-src": f"{public}{pages.prefixes.own}/seat",
        },
        fields=("form", "ticket") if form else (),
        site=visit.server.policy.title,
        page=reason.page,
        ref=visit.ref,
        starts=None if starts is None else {"ms": starts, "date": locale.date(starts)},
        now=time.time_ns() // 1_000_000,
        by_itself=by_itself,
        seat=denied.seat,
        every=EVERY,
        form=form,
    )


def headers_of(denied: Denied) -> dict[str, str]:
    """With which a program learns when to try again."""
    return {"Retry-After": str(denied.wait)} if denied.wait else {}
