"""A guest whom the owner removes does not come back with anything that the browser, a television or a script of the
page still holds: not one address, cookie, form or open connection leads in again, by no worker."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.long_lived import Owner, Talk
from tests.running import Answer, ask, free_port
from tests.system.stage import Guest, form_id, path_of, running_worker, until
from tests.wire import Call, WireClient, WireServer

POLICY = """
server: All that a browser may hold
item: {id: "[a-z0-9]+"}
patterns: {file: "[a-z0-9]+[.](m3u8|ts)"}
kinds:
  live:
    player: {src: "/list/{id}/main.m3u8"}
    allow:
      - page GET /page/{id}
      - request: GET /list/{id}/main.m3u8
        follow: {as: hls, to: ["/cdn/{id}/**"]}
      - GET /open/{id}/{file}
      - GET /poll/{id}
      - GET /endless/{id}
      - WS /ws/{id}
      - request: POST /whep/{id}
        body: {type: application/sdp}
        capture: {session: "Location: /whep/{id}/{session}"}
      - PATCH,DELETE /whep/{id}/{session}
cookies: [seat]
guest_access: {on_revoke: drain, links_per_item: 9}
examples: {with: {id: abc, vars: {session: s1}}, allow: [GET /open/abc/x.ts], deny: [GET /open/xyz/x.ts]}
"""
CAST = POLICY.replace("{on_revoke", "{cast: 4h, on_revoke")
SIGNED = re.compile(r"/_gateway/s/[^\s\"<&]+")


@dataclass
class Media:
    """`asked`: the lines that reached it; `open`: what it holds for guests now."""

    asked: list[str] = field(default_factory=list)
    open: int = 0
    made: int = 0

    async def __call__(self, call: Call) -> None:
        self.asked.append(call.line)
        path = call.target
        if path.endswith(".m3u8"):
            text = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n/cdn/abc/1.ts\n"
            await call.answer(text, headers="Content-Type: application/vnd.apple.mpegurl\r\n")
        elif path.startswith("/whep/") and call.line.startswith("POST"):
            await call.reader.readexactly(int(call.header("Content-Length") or 0))
            self.made += 1
            await call.answer(b"", status="201 Created", headers=f"Location: /whep/abc/s{self.made}\r\n")
        elif path.startswith(("/poll/", "/ws/", "/endless/")):
            await self._held(call)
        else:
            await call.answer(b"<title>media</title>", headers="Content-Type: text/html\r\nSet-Cookie: seat=s1\r\n")

    async def _held(self, call: Call) -> None:
        if call.target.startswith("/ws/"):
            await call.say(_switch(call.header("Sec-WebSocket-Key") or ""))
        elif call.target.startswith("/endless/"):
            await call.say("HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nTransfer-Encoding: chunked\r\n\r\n")
            await call.say("5\r\nbytes\r\n")
        self.open += 1
        try:
            await call.gone()
        finally:
            self.open -= 1
            call.writer.close()


def _switch(key: str) -> str:
    import base64
    import hashlib

    accept = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False).digest()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {base64.b64encode(accept).decode()}\r\n\r\n"
    )


@dataclass
class Stage:
    media: Media
    owner: Owner
    workers: list[int]


@asynccontextmanager
async def stage(folder: Path, policy: str) -> AsyncIterator[Stage]:
    """Two workers on one store, the first with the managing origin."""
    media = Media()
    async with WireServer(media) as server:
        owner = Owner.of(folder, upstream=f"http://127.0.0.1:{server.port}", policy=policy)
        second = free_port()
        async with running_worker(folder), running_worker(folder, second):
            yield Stage(media, owner, [owner.port, second])


@dataclass
class Kept:
    """What one browser has seen and may send again."""

    guest: Guest
    form: str
    link: str
    paths: list[str]
    session: str

    async def everything(self, port: int, *, cookies: bool) -> dict[str, Answer]:
        cookie = self.guest.cookie if cookies else ""
        host = f"127.0.0.1:{self.guest.port}"
        found = {}
        for line in [
            *(f"GET {path}" for path in self.paths),
            "GET /_gateway/back", "GET /page/abc", "GET /open/abc/x.ts", "GET /list/abc/main.m3u8", "GET /poll/abc",
            "GET /endless/abc", f"PATCH /whep/abc/{self.session}", f"DELETE /whep/abc/{self.session}",
        ]:  # fmt: skip
            found[line] = await ask(port, line, host=host, cookie=cookie, headers="Accept: text/html,*/*\r\n")
        return found


async def entered(at: Stage, link: str, name: str) -> Kept:
    """A guest who has opened everything once."""
    guest = Guest(at.owner.port)
    form = await guest.form(link)
    answer = await guest.post(link, form, name=name, remember="1")
    assert answer.status == 303, answer
    watch = answer.headers["location"]
    page = (await guest.get(watch)).body.decode()
    paths = [watch, *SIGNED.findall(page)]
    assert await guest.status("/page/abc") == 200
    playlist = await guest.get("/list/abc/main.m3u8")
    paths += SIGNED.findall(playlist.body.decode())
    sdp = await guest.ask("POST /whep/abc", headers="Content-Type: application/sdp\r\n", body=b"v=0")
    assert sdp.status == 201
    for path in paths:
        assert await guest.status(path) == 200, path
    return Kept(guest, form, link, paths, sdp.headers["location"].rpartition("/")[2])


@pytest.mark.parametrize(("policy", "way"), [(POLICY, ""), (CAST, "?erase=true")], ids=["removed", "cast, erased"])
async def test_nothing_that_a_removed_guest_holds_leads_in_again(tmp_path: Path, policy: str, way: str) -> None:
    async with stage(tmp_path, policy) as at:
        link = await at.owner.link("abc", clicks=3)
        kept, other = [await entered(at, link, name) for name in ("Ada", "Bob")]
        assert len(kept.paths) > 1 + (policy is CAST)
        for path in kept.paths[1:]:
            alone = (await Guest(at.owner.port).get(path)).status
            assert alone == (200 if policy is CAST else 403), "without the cookie"
        first, second = at.workers
        host = kept.guest.host

        async with WireClient(first, host) as poll, WireClient(second, host) as body, WireClient(first, host) as theirs:
            talk = await Talk.open(first, "/ws/abc", kept.guest.cookie)
            for client, path, whose in ((poll, "/poll", kept), (body, "/endless", kept), (theirs, "/poll", other)):
                await client.ask(f"GET {path}/abc", f"Cookie: {whose.guest.cookie}\r\n")
            await until("all are open", lambda: at.media.open == 4)
            assert (await body.head()).status == 200

            guests = (await at.owner.asks("GET /guests"))["guests"]
            (ada,) = [one["id"] for one in guests if one["name"] == "Ada"]
            began = time.monotonic()
            await at.owner.asks(f"DELETE /guests/{ada}{way}")
            # What is open ends now, also where others drain; whoever else is here stays.
            await until("it is cut", lambda: talk.ended is not None and at.media.open == 1)
            assert (await poll.reply()).status == 403
            with suppress(ConnectionError):
                rest = await asyncio.wait_for(body.reader.read(), 5)
                assert not rest.endswith(b"0\r\n\r\n"), "a clean end"
            assert time.monotonic() - began < 2
            assert talk.code == 1008
            await until("the other worker has heard", lambda: _refused(second, kept))
            assert time.monotonic() - began < 2

            before = len(at.media.asked)
            for port in at.workers:
                for cookies in (True, False):
                    for line, answer in (await kept.everything(port, cookies=cookies)).items():
                        assert answer.status == 403, (line, cookies, answer)
                        assert b"Ada" not in answer.body
                with pytest.raises(ConnectionRefusedError, match="403"):
                    await Talk.open(port, "/ws/abc", kept.guest.cookie, host=host)
            # The form that Back brings up again, filled in as it was: no admission, no click.
            for name in ("Ada", "Eve"):
                again = await kept.guest.post(link, kept.form, name=name)
                assert again.status == 422
            # The link itself knows this browser no more: the form, which the browser's owner may have filled in.
            page = await kept.guest.get(path_of(link))
            assert page.status == 200
            assert b'value="Ada"' in page.body, "remembered on the guest's own device, which opens nothing"
            assert len(at.media.asked) == before, "the media server was asked nothing"
            (shown,) = (await at.owner.asks("GET /links"))["links"]
            assert shown["clicks"] == {"limit": 3, "used": 2}
            assert await other.guest.status("/page/abc") == 200

            # By the link he is another guest, for another click, and what he had before stays dead.
            new = await kept.guest.post(link, form_id(page), name="Ada")
            assert new.status == 303
            assert await kept.guest.status("/page/abc") == 200
            for line in (*(f"GET {path}" for path in kept.paths), f"PATCH /whep/abc/{kept.session}"):
                assert (await kept.guest.ask(line)).status == 403, line
            assert await Guest(first).status(path_of(link)) == 410, "three clicks are used"


async def _refused(port: int, kept: Kept) -> bool:
    host = f"127.0.0.1:{kept.guest.port}"
    return (await ask(port, "GET /open/abc/x.ts", host=host, cookie=kept.guest.cookie)).status == 403
