"""One request on its way through the gateway, as every door gets it.

The dispatcher makes it after the two questions that come before all others: has the target one
reading, and which media server's host is this. `reason` and `detail` are written by `refuse` and
read by the access log; they never reach the guest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.web.pages import Pages, plain_pages

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.access.servers import MediaServer
    from gateway.policy.target import Target
    from gateway.reasons import Reason


@dataclass(slots=True)
class Visit:
    """`target` is canonical; `ref` the eight characters that a refusal page and the log line share."""

    request: web.BaseRequest
    target: Target
    server: MediaServer
    ref: str
    reason: Reason | None = None
    detail: str = ""
    at: str = ""  # which of the server's addresses was asked, where it is not the main one
    grant: str = ""  # the id of the grant that answers this request, once one does
    # Theme, languages and prefixes of this deployment; without them the plain look.
    pages: Pages = field(default_factory=plain_pages, repr=False)
