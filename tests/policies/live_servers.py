"""Real live servers of the tests' own, and publishers with a small picture and a tone, which end by themselves.

    async with nginx_rtmp(tmp_path / "own") as server, publishing(server.rtmp("camA")):
        …

nginx runs with the configuration that its document gives to operators, made quicker and then careless: listings,
`/stat` and `/control` on the same port.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Error, Page

from tests.nginx import nginx
from tests.running import ask, free_port
from tests.system_parts import need

DOCS = Path(__file__).parents[2] / "docs" / "servers"
_LONGEST = "150"  # seconds a publisher lives, whatever happens to its test

PICTURE = (
    *("-f", "lavfi", "-i", "testsrc=size=160x90:rate=10", "-f", "lavfi", "-i", "sine=frequency=330"),
    *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10"),
    *("-c:a", "aac", "-b:a", "32k"),
)  # fmt: skip
TONE = ("-f", "lavfi", "-i", "sine=frequency=330", "-c:a", "libmp3lame", "-b:a", "64k")


def spellings(door: str) -> list[str]:
    """A door of a server's own (a path that begins with `/`), as servers and proxies may read it."""
    path, mark, query = door.partition("?")
    rest, last = mark + query, path[-1]
    return [
        f"{path}{rest}", f"/{path}{rest}", f"/x/..{path}{rest}", f"/x/%2e%2e{path}{rest}", f"/x%2f..{path}{rest}",
        f"/x/..;{path}{rest}", f"/.{path}{rest}", f"{path}/{rest}", f"{path}/.{rest}", f"{path};x{rest}",
        f"{path[:-1]}%{ord(last):02x}{rest}", f"{path[:-1]}%25{ord(last):02x}{rest}", f"{path.upper()}{rest}",
        f"{path}%00{rest}", f"{path}%20{rest}", f"/x{path.replace('/', '%2f')}{rest}",
        f"/x{path.replace('/', chr(92))}{rest}",
    ]  # fmt: skip


@asynccontextmanager
async def publishing(
    to: str, *, what: tuple[str, ...] = PICTURE, as_: str = "flv"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """ffmpeg, sending in real time until left."""
    process = await asyncio.create_subprocess_exec(
        str(need("ffmpeg")), "-loglevel", "error", "-nostdin", "-re", *what, "-t", _LONGEST, "-f", as_, to,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        await stopped(process)


async def stopped(process: asyncio.subprocess.Process) -> None:
    """Ends a publisher as one ends that loses its network."""
    if process.returncode is None:
        process.kill()
    await process.wait()


async def until(true: Callable[[], Awaitable[bool]], *, seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.1)


class Listener:
    """Somebody who takes a body without end: what came, and when it was over (`time.monotonic`)."""

    def __init__(self, port: int, cookie: str, path: str) -> None:
        self.port, self.cookie, self.path = port, cookie, path
        self.got = bytearray()
        self.over: float | None = None
        self.broken = False

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            head = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.cookie}\r\n\r\n"
            writer.write(head.encode())
            while piece := await reader.read(65_536):
                self.got += piece
                if self.got.endswith(b"0\r\n\r\n"):
                    break
        except OSError:
            self.broken = True
        finally:
            self.over = time.monotonic()
            writer.close()

    async def hears(self, more: int) -> None:
        least = len(self.got) + more

        async def enough() -> bool:
            assert self.over is None
            return len(self.got) >= least

        await until(enough)


async def sounds(page: Page) -> None:
    """Something plays for two seconds, on this page or, when it has loaded itself anew, on the next."""
    player = "document.querySelector('video, audio')"
    async with asyncio.timeout(60):
        while True:
            with suppress(Error):  # a page that is just leaving answers nothing
                await page.evaluate(f"(v => {{ if (v?.paused) v.play().catch(() => {{}}) }})({player})")
                # What had stopped still stands where it stopped, behind the words that say so.
                if await page.evaluate(f"(v => v?.currentTime > 2 && !document.querySelector('.trouble'))({player})"):
                    return
            await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Rtmp:
    """nginx with the RTMP module."""

    port: int
    rtmp_port: int
    folder: Path

    def rtmp(self, name: str, app: str = "live") -> str:
        return f"rtmp://127.0.0.1:{self.rtmp_port}/{app}/{name}"

    async def live(self, playlist: str) -> None:
        """Until there is something in a playlist."""

        async def there() -> bool:
            return b".ts" in (await ask(self.port, f"GET {playlist}")).body

        await until(there)


@asynccontextmanager
async def nginx_rtmp(own: Path) -> AsyncIterator[Rtmp]:
    """As docs/servers/nginx-rtmp.md says, with segments of a second; besides a nested and encrypted application, and
    one with several qualities."""
    module = need("nginx rtmp module")
    port, rtmp_port, folder = free_port(), free_port(), own / "live"
    for name in ("hls", "nested", "variants"):
        (folder / name).mkdir(parents=True)
    said = re.findall(r"^ *```nginx\n(.*?)^ *```", (DOCS / "nginx-rtmp.md").read_text(), re.M | re.S)
    assert len(said) == 1
    rtmp, _, http = said[0].partition("   http {\n")
    for text, ours in (
        ("127.0.0.1:1935", f"127.0.0.1:{rtmp_port}"), ("/srv/live", str(folder)),
        ("hls_fragment 2s", "hls_fragment 1s"), ("hls_playlist_length 60s", "hls_playlist_length 6s"),
    ):  # fmt: skip
        assert text in rtmp
        rtmp = rtmp.replace(text, ours)
    short = "live on; hls on; hls_fragment 1s; hls_playlist_length 6s;"
    more = f"""
      application nested {{
        {short} hls_nested on; hls_path {folder}/nested;
        hls_keys on; hls_key_path {folder}/nested; hls_key_url /nested/; hls_fragments_per_key 2;
      }}
      application variants {{
        {short} hls_path {folder}/variants; hls_variant _low BANDWIDTH=100000; hls_variant _hi BANDWIDTH=400000;
      }}
    """
    before, end, after = rtmp.rpartition("     }\n")
    assert end
    found = re.search(r"listen 127\.0\.0\.1:8096;\n(.*?)\n {5}\}\n", http, re.S)
    assert found
    careless = f"""
      autoindex on;
      location /nested/ {{ alias {folder}/nested/; }}
      location /variants/ {{ alias {folder}/variants/; }}
      location /stat {{ rtmp_stat all; }}
      location /control {{ rtmp_control all; }}
    """
    block = found[1].replace("/srv/live", str(folder)) + careless
    async with nginx(own / "nginx", block, port=port, top=f"load_module {module};", more=before + more + end + after):
        yield Rtmp(port, rtmp_port, folder)


SOURCE, ADMIN, LISTENER = "source-pass-7Qk", "admin-pass-9Zt", "listen/pass+3Wm"

_ICECAST = """<icecast>
<location>somewhere</location><admin>owner@example.org</admin><hostname>radio.lan</hostname>
<limits><clients>50</clients><sources>5</sources><burst-size>65535</burst-size></limits>
<authentication>
  <source-password>{source}</source-password><admin-user>admin</admin-user><admin-password>{admin}</admin-password>
</authentication>
{listen}
{mount}
<paths>
  <basedir>/usr/share/icecast2</basedir><webroot>/usr/share/icecast2/web</webroot>
  <adminroot>/usr/share/icecast2/admin</adminroot><logdir>{own}</logdir>
</paths>
<logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>2</loglevel></logging>
<security><chroot>0</chroot><changeowner><user>{user}</user><group>{group}</group></changeowner></security>
</icecast>
"""


def icecast_source(port: int, mount: str) -> str:
    """Where a publisher sends to."""
    return f"icecast://source:{SOURCE}@127.0.0.1:{port}/{mount}"


@asynccontextmanager
async def icecast() -> AsyncIterator[int]:
    """Icecast with what docs/servers/icecast.md says; `/closed.mp3` asks listeners for a password. Its port."""
    program, port = need("icecast2"), free_port()
    blocks = re.findall(r"^ *```xml\n(.*?)^ *```", (DOCS / "icecast.md").read_text(), re.M | re.S)
    assert len(blocks) == 2
    # Started by root it becomes somebody else, who may not read a test's folder.
    with tempfile.TemporaryDirectory(prefix="icecast-") as folder:
        own = Path(folder)
        own.chmod(0o777)
        (own / "listeners").write_text(f"gateway:{hashlib.md5(LISTENER.encode(), usedforsecurity=False).hexdigest()}\n")
        text = _ICECAST.format(
            source=SOURCE, admin=ADMIN, own=own, listen=blocks[0].replace("8000", str(port)),
            mount=blocks[1].replace("radio", "closed").replace("/etc/icecast2", folder),
            user="nobody", group="nogroup",
        )  # fmt: skip
        (own / "icecast.xml").write_text(text)
        process = await asyncio.create_subprocess_exec(
            str(program), "-c", str(own / "icecast.xml"),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await listening(port, process)
            await until(lambda: _whole(port))
            yield port
        finally:
            await stopped(process)


async def _whole(port: int) -> bool:
    """In its first moment Icecast's JSON is none: what has no value yet takes the comma with it."""
    return b'"host":' in (await ask(port, "GET /status-json.xsl")).body


async def listening(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(40):
        while True:
            assert process.returncode is None, "it did not start"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
