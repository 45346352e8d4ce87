"""Three real servers of static files, set up as docs/servers/*.md tell operators to, and then made careless.

The blocks of configuration stand in the documents; only the folder and the port are put in. Careless means what real
installations do besides: listings, nginx's alias without its slash, lighttpd's names in any case. A server that guards
nothing shows what the gateway is good for.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.nginx import nginx
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
class Wire:
    """Stands between gateway and server and passes every byte on: what the gateway sent, and nothing else, is seen."""

    port: int
    sent: bytearray = field(default_factory=bytearray)

    def take(self) -> bytes:
        """What was sent since it was last asked."""
        sent = bytes(self.sent)
        self.sent.clear()
        return sent


@asynccontextmanager
async def wire(to: int) -> AsyncIterator[Wire]:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray | None) -> None:
        try:
            while data := await reader.read(1 << 16):
                if seen is not None:
                    seen += data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pass_on(reader, back_writer, between.sent), pass_on(back_reader, writer, None))

    between = Wire(0)
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    yield between
    server.close()


async def refused(port: int, cookie: str, line: str, between: Wire, headers: str = "") -> None:
    """Nothing of this reaches the server, and the guest learns nothing (204: OPTIONS, which the gateway answers)."""
    between.take()
    answer = await ask(port, line, cookie=cookie, headers=headers)
    assert answer.status in (204, 400, 403, 404, 405), (line, answer.status)
    assert between.take() == b"", line
