"""Whether an unsafe request or a websocket comes from our own pages (spec 4).

Rule: an `Origin` or `Sec-Fetch-Site` that is sent must be ours. `Origin: null` says nothing by
itself: it counts only where the browser adds that the request is same-origin, or where the caller
has something better (the entry form: a signed id bound to a cookie).

Why absence passes: programs send neither, and a browser that sends neither is too old to be held to
it; the session cookie is SameSite=Lax, so such a foreign post arrives without a session. The cookies of
frames are not (see `embedding`), and no browser that keeps those posts without saying from where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from gateway.config import Origin


def foreign(headers: CIMultiDictProxy[str], ours: Origin, *, accept_null: bool = False) -> str | None:
    """What shows that another site sent this request; None when nothing does. The text is for the log."""
    sites = headers.getall("Sec-Fetch-Site", [])
    if any(site != "same-origin" for site in sites):
        return "Sec-Fetch-Site is not same-origin"
    origins = headers.getall("Origin", [])
    if len(origins) > 1:
        return "more than one Origin"
    if not origins:
        return None
    if origins[0] == "null":
        return None if sites or accept_null else "Origin is null"
    # Browsers write scheme and host in lower case and leave the usual port out, as `Origin.__str__` does.
    return None if origins[0].lower() == str(ours) else "Origin is not ours"
