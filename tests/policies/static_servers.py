"""Three real servers of static files, set up as docs/servers/*.md tell operators to, and then made careless.

The blocks of configuration stand in the documents; only the folder and the port are put in. Careless means what real
installations do besides: listings, nginx's alias without its slash, lighttpd's names in any case. A server that guards
nothing shows what the gateway is good for.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.nginx import nginx
from tests.policies.wire import Stage, between
from tests.running import ask, free_port
from tests.system_parts import need

DOCS = Path(__file__).parents[2] / "docs" / "servers"
PROGRAMS = ("nginx", "caddy", "lighttpd")
FENCES = {"nginx": "nginx", "caddy": "caddyfile", "lighttpd": "lighttpd"}


def written(program: str, document: str, media: Path, port: int) -> str:
    """The block that a document has for a program, with this folder and port."""
    found = re.findall(rf"^```{FENCES[program]}\n(.*?)^```", (DOCS / document).read_text(), re.M | re.S)
    assert len(found) == 1, f"{document}: one block for {program}"
    for text, ours in (("/srv/media", str(media)), ("8096", str(port))):
        assert text in found[0], f"{document}, {program}: {text}"
        found[0] = found[0].replace(text, ours)
    return str(found[0])


@asynccontextmanager
async def static_server(
    program: str, document: str, media: Path, own: Path, *, careless: bool = False
) -> AsyncIterator[int]:
    """Run it on `media`, the folder that documents call /srv/media; its port."""
    port = free_port()
    text = written(program, document, media, port)
    if program == "nginx":
        inside = re.fullmatch(r"server \{\n    listen 127\.0\.0\.1:\d+;\n(.*)\}\n", text, re.S)
        assert inside, "the block is one server on the loopback address"
        block = inside[1]
        if careless:
            block, count = re.subn(
                r"location (/\w+)/ \{\s+root (\S+);", r"autoindex on; location \1 { alias \2\1/;", block
            )
            assert count == 1
        async with nginx(own, block, port=port):
            yield port
        return
    own.mkdir(parents=True, exist_ok=True)
    if program == "caddy":
        text = "{\n\tadmin off\n}\n" + text
        if careless:
            text = text.replace("\tfile_server\n", "\tfile_server browse\n")
        words = ["run", "--config", str(own / "config"), "--adapter", "caddyfile"]
    else:
        if careless:
            text += (
                'server.modules += ("mod_dirlisting")\ndir-listing.activate = "enable"\n'
                'server.force-lowercase-filenames = "enable"\n'
            )
        words = ["-D", "-f", str(own / "config")]
    (own / "config").write_text(text)
    async with _running(program, words, own, port):
        yield port


@asynccontextmanager
async def _running(program: str, words: list[str], own: Path, port: int) -> AsyncIterator[None]:
    with (own / "stderr.log").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            str(need(program)), *words, stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said,
            env={"PATH": os.environ["PATH"], "HOME": str(own)},  # Caddy keeps what it remembers below HOME
        )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while True:
                assert process.returncode is None, (own / "stderr.log").read_text()
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:  # Caddy waits for whatever is still open
            process.kill()
            await process.wait()


@dataclass
class Cinema:
    """One of the programs, and the gateway in front of it."""

    program: str
    server: int  # the port of the program itself
    stage: Stage

    @property
    def port(self) -> int:
        """Where guests go."""
        return self.stage.guest.port

    async def make_link(self, item: str) -> str:
        return await self.stage.gateway.make_link(item)

    async def refuses_what_the_server_would_give(
        self, cookie: str, vectors: str, directly: Callable[[int, str], Awaitable[str]]
    ) -> None:
        """Each line of `vectors` is a request and what each program answers to it when it is asked directly, as
        `directly` tells. Through the gateway none of them comes that far."""
        lines = vectors.strip().splitlines()
        for line in lines:
            method, target, *verdicts = line.split()
            request = f"{method} {target}"
            assert await directly(self.server, request) == verdicts[PROGRAMS.index(self.program)], request
            if method == "OPTIONS":  # which the gateway answers itself
                before = len(self.stage.server.there)
                assert (await ask(self.port, request, cookie=cookie)).status == 204
                assert len(self.stage.server.there) == before
            else:
                await self.stage.refuses(cookie, request)


@asynccontextmanager
async def cinema(program: str, policy: str, media: Path, own: Path, *, careless: bool = False) -> AsyncIterator[Cinema]:
    async with (
        static_server(program, f"{policy}.md", media, own / "server", careless=careless) as port,
        between(own, policy, port) as stage,
    ):
        yield Cinema(program, port, stage)
