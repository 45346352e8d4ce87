"""One request to the managing origin, as its doors get it.

The managing dispatcher makes it, once the target has one reading and the Host is the managing one. `who`,
`reason` and `detail` are written by the doors and read by the access log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.web.pages import Pages, plain_pages

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.policy.target import Target
    from gateway.reasons import Reason


@dataclass(slots=True)
class ManageVisit:
    """`target` is canonical; `client` the address as trusted proxies say it; `who` the manager, once known."""

    request: web.BaseRequest
    target: Target
    ref: str
    client: str = ""
    who: str = ""
    reason: Reason | None = None
    detail: str = ""
    pages: Pages = field(default_factory=plain_pages, repr=False)
