"""`gateway demo`: a media server, the gateway in front of it, one guest link, and a look at what it gives.

Everything lies in a folder of its own that goes when the demo ends; nothing of the user's is read or
changed. How a gateway is run comes from whoever calls (`Opener`): the demo stands beside the program,
not above it.
"""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.access.issue import IssueRefused, LinkDesk
from gateway.access.passwords import hash_password
from gateway.demo.guest import DemoFailed, Tried, try_out
from gateway.demo.server import PRIVATE, SHARED, serving

PORT, MEDIA_PORT = 8080, 8090  # where they are free; managing is on the port after the first
_HOST = "127.0.0.1"
_TRIES = 50

# Refusals are logged whatever `access` says; a line for each segment would carry the link off the screen.
_CONFIG = """\
# Written by `gateway demo`, and gone when it ends.
listen: {host}:{port}
public_url: http://{host}:{port}
manage: {{listen: {host}:{manage_port}, url: http://{host}:{manage_port}}}
data_dir: data
store: embedded
log: {{access: off}}
theme: {{name: Guest gateway demo}}

servers:
  - name: demo
    upstream: http://{host}:{media_port}
    policy: hls

managers:
  - name: demo
    password: "{password_hash}"
    may: ["demo:*"]
"""


# Runs a gateway with this config.yaml until left; its links are made at the desk.
Opener = Callable[[Path], AbstractAsyncContextManager[LinkDesk]]


@dataclass(frozen=True, slots=True)
class Demo:
    """What a running demo has to show."""

    config: Path
    link: str  # its id …
    url: str  # … and the guest link itself
    direct: Tried  # the other item, asked for on the media server's own port
    through: Tried  # the same through the gateway, as a guest who has been admitted
    manage: str  # where the item's owner manages guest access …
    password: str  # … signing in as demo with this
    remarks: tuple[str, ...]  # what is not as usual: other ports

    def facts(self) -> dict[str, object]:
        """For programs."""
        return {
            "link": self.url,
            "manage": {"url": self.manage, "name": "demo", "password": self.password},
            "config": str(self.config),
            "other_item": {
                "direct": {"url": self.direct.url, "status": self.direct.status},
                "through_the_gateway": {"url": self.through.url, "status": self.through.status},
            },
        }

    def text(self, program: str) -> str:
        """For people. `program` is how they call this one: ./gw or gateway."""
        return f"""
A guest link, ready to be opened in a browser:

    {self.url}

Type any name and e-mail address, and the film "{SHARED}" plays.
The same media server holds a second one, "{PRIVATE}", which the link is not for:

    {self.direct.status}  {self.direct.url}  on the server's own port
    {self.through.status}  {self.through.url}  through the gateway, for an admitted guest

Its owner manages the link, and sees who came, at

    {self.manage}
    name: demo    password: {self.password}

In another terminal:

    {program} link list --config {self.config}
    {program} link disable {self.link} --config {self.config}
    {program} guests list --link {self.link} --config {self.config}

Ctrl-C ends all of it and leaves nothing behind.
"""


@asynccontextmanager
async def run_demo(opener: Opener, *, port: int = PORT, media_port: int = MEDIA_PORT) -> AsyncIterator[Demo]:
    """A demo that runs until left. Raises OSError without a free port, DemoFailed when it does not work."""
    remarks: list[str] = []
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
        media_port = _free(media_port, remarks, other=port)
        async with serving(media_port):
            port = _free(port, remarks)
            config = Path(folder) / "config.yaml"
            manage_port = _free(port + 1, remarks, other=media_port)
            password = secrets.token_urlsafe(9)
            config.write_text(
                _CONFIG.format(
                    host=_HOST,
                    port=port,
                    manage_port=manage_port,
                    media_port=media_port,
                    password_hash=hash_password(password),
                )
            )
            config.chmod(0o600)
            async with opener(config) as desk:
                link, url = await _make(desk, "A first guest link")
                # By a link of its own, so that nobody has come by the one that is shown.
                trial, trial_url = await _make(desk, "The demo tries itself")
                public, media = f"http://{_HOST}:{port}", f"http://{_HOST}:{media_port}"
                item, other = f"/hls/{SHARED}/master.m3u8", f"/hls/{PRIVATE}/master.m3u8"
                direct, through = await try_out(trial_url, public + item, media + other, public + other)
                await desk.delete(trial)
                manage = f"http://{_HOST}:{manage_port}/_gateway/manage?server=demo&item={SHARED}"
                yield Demo(config, link, url, direct, through, manage, password, tuple(remarks))


async def _make(desk: LinkDesk, name: str) -> tuple[str, str]:
    """A link for the shared item: its id and its address."""
    made = await desk.create("demo", SHARED, name=name, by="demo")
    if isinstance(made, IssueRefused) or made.url is None:
        raise DemoFailed(f"no guest link could be made: {made}")
    return made.link.id, made.url


def _free(wanted: int, remarks: list[str], other: int = 0) -> int:
    """`wanted` or the next port that nobody uses; another one is worth a remark."""
    for port in range(wanted, min(wanted + _TRIES, 65_536)):
        if port and port == other:
            continue
        with socket.socket() as tried:
            # As servers do it: a port whose last connections are still closing is free.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((_HOST, port))
            except OSError:
                continue
            if port != wanted and wanted:
                remarks.append(f"port {wanted} is in use, taking {port}")
            return int(tried.getsockname()[1])
    raise OSError(f"no free port from {wanted} on")
