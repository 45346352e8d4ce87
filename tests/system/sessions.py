"""A media server that opens a session for whoever plays, as Jellyfin and Kaltura do: each session has an id,
streams are had by it alone, and it runs until it is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.running import free_port
from tests.system.stage import ITEM

KEY = "the-operator's-own-key"

POLICY = """
server: Session server
item:
  id: "[a-z0-9]{6,32}"
patterns: {file: "[a-z0-9]+[.][a-z0-9]+"}
kinds:
  video:
    open: /media/{id}
    prepare:
      - request: POST /play/{id}
        json: {client: guest-gateway, device: "{grant.id}", nested: [{who: "{guest.name}"}]}
        headers: {X-Device: "guest {guest.id}"}
        vars: {play: $.session}
    release: ["DELETE /play/{play}"]
    allow:
      - page GET /media/{id}
      - GET /hls/{play}/{file}
guest_access: {links_per_item: 9, on_revoke: %s}
upstream: {headers: {X-Key: "the-operator's-own-key"}}
examples: {with: {vars: {play: p1}}, allow: [GET /hls/p1/a.ts], deny: [GET /hls/p2/a.ts]}
"""


@dataclass
class Sessions:
    """`says`: what takes the place of a session id; `fails`: a status for everything asked for by the gateway
    itself; `waits`: seconds before an answer to prepare."""

    port: int = 0
    open: dict[str, Any] = field(default_factory=dict)
    made: int = 0
    deleted: list[str] = field(default_factory=list)
    says: Any = None
    fails: int = 0
    refuses_delete: int = 0
    waits: float = 0.0
    heads: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = request.path.split("/")[1:]
        if parts[0] == "play":
            assert request.headers["X-Key"] == KEY
            if request.method == "POST":
                return await self._play(request)
            self.deleted.append(parts[1])
            if self.refuses_delete:
                self.refuses_delete -= 1
                return web.Response(status=503)
            return web.Response(status=204 if self.open.pop(parts[1], None) else 404)
        if parts[0] == "hls":
            return web.Response(status=200 if parts[1] in self.open else 410, body=b"media", content_type="video/mp2t")
        return web.Response(text="<title>a film</title>", content_type="text/html")

    async def _play(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.json()
        self.heads.append(dict(request.headers))
        if self.fails:
            return web.Response(status=self.fails, text="nothing of this is for a guest")
        self.made += 1
        name = f"s{self.made}"
        self.open[name] = body
        await asyncio.sleep(self.waits)
        return web.json_response({"session": name if self.says is None else self.says})


@asynccontextmanager
async def sessions_server() -> AsyncIterator[Sessions]:
    server = Sessions()
    runner = web.ServerRunner(web.Server(server.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


def write_config(folder: Path, server: Sessions, *, on_revoke: str = "drain", policy: str = POLICY) -> int:
    port = free_port()
    (folder / "policy.yaml").write_text(policy % on_revoke)
    (folder / "config.yaml").write_text(
        f"listen: 127.0.0.1:{port}\npublic_url: http://127.0.0.1:{port}\ndata_dir: data\n"
        "limits: {guesses_per_address: 100000, connections_per_address: 4000}\n"
        f"servers:\n  - name: tv\n    upstream: http://127.0.0.1:{server.port}\n    policy: ./policy.yaml\n"
        "    timeouts: {answer: 2s, connect: 2s}\n"
    )
    return port


__all__ = ["ITEM", "KEY", "POLICY", "Sessions", "sessions_server", "write_config"]
