"""Operations: is it alive, is it ready, what does it count.

Rule: these paths say nothing about guests, items or servers' addresses, and never need the store or a
media server to answer. The numbers are only on the listener for them (`admin_listen`), never on the
guests' host; health is on both, for any Host, since whoever probes knows no names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway.metrics import CONTENT_TYPE, Metrics

_PLAIN = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Ops:
    """`problems` names what keeps this process from serving guests; nothing: it is ready. `warnings` is what
    an operator should look at while guests are served all the same."""

    metrics: Metrics
    problems: Callable[[], Sequence[str]]
    own: str = "/_gateway"
    warnings: Callable[[], Sequence[str]] = tuple

    async def live(self, request: web.BaseRequest) -> web.Response:
        """The process runs and its loop turns."""
        return web.Response(text="ok\n", headers=_PLAIN)

    async def ready(self, request: web.BaseRequest) -> web.Response:
        """200 when guests can be served, else 503 with what is wrong."""
        problems = list(self.problems())
        return web.Response(
            status=503 if problems else 200,
            text=json.dumps({"ready": not problems, "problems": problems, "warnings": list(self.warnings())}) + "\n",
            content_type="application/json",
            headers=_PLAIN | ({"Retry-After": "5"} if problems else {}),
        )

    async def numbers(self, request: web.BaseRequest) -> web.Response:
        return web.Response(body=self.metrics.text(), headers=_PLAIN | {"Content-Type": CONTENT_TYPE})

    async def admin(self, request: web.BaseRequest) -> web.Response:
        """All that the operators' own listener answers."""
        path = request.raw_path.partition("?")[0]
        answer = {
            f"{self.own}/metrics": self.numbers,
            f"{self.own}/health/live": self.live,
            f"{self.own}/health/ready": self.ready,
        }.get(path)
        if answer is None:
            return web.Response(status=404, text="not found\n", headers=_PLAIN)
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="method not allowed\n", headers=_PLAIN | {"Allow": "GET, HEAD"})
        return await answer(request)
