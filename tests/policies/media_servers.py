"""Real media servers of the tests' own, each with a few small films and songs, a free port, and an end.

Servers of PyPI come from tests/media-servers.lock into a folder of their own inside the environment that runs the
tests. Why not one more of the tests' dependencies: they bring Flask and Pillow, and nothing of that belongs beside
what the gateway is run and judged with.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.media import Media
from tests.running import free_port
from tests.system_parts import missing, need

LOCK = Path(__file__).parents[1] / "media-servers.lock"


def packages() -> Path:
    """Where the servers of the lock file are installed; done once for each state of it."""
    name = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = Path(sys.prefix) / "media-servers"
    home.mkdir(exist_ok=True)
    done = home / name
    with (home / ".lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not done.is_dir():
            for old in home.glob("[0-9a-f]*"):
                shutil.rmtree(old)
            part = home / "part"
            shutil.rmtree(part, ignore_errors=True)
            made = subprocess.run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
                 "--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", part, "-r", LOCK],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
            )  # fmt: skip
            if made.returncode != 0:
                missing(f"tests/media-servers.lock can't be installed ({made.stderr.strip()[-300:]})")
            part.rename(done)
    return done


def film(media: Media, file: Path) -> None:
    """The small film of tests/media.py under another name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(media.mp4() / "film.mp4", file)


def song(media: Media, file: Path, title: str, *, cover: bool = False) -> None:
    """The small song with tags of its own; `cover`: with the picture inside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    folder = media.audio()
    picture = ("-i", folder / "cover.jpg", "-map", "0", "-map", "1", "-disposition:v", "attached_pic") if cover else ()
    tags = ("-metadata", f"title={title}", "-metadata", "artist=The Village Band", "-metadata", f"album={title}")
    subprocess.run(
        [need("ffmpeg"), "-loglevel", "error", "-nostdin", "-i", folder / "song.mp3", *picture, "-c", "copy", *tags,
         file],
        check=True, timeout=60,
    )  # fmt: skip


CAPTIONS = "1\n00:00:00,500 --> 00:00:11,000\nGood evening, village.\n"


@contextmanager
def running(
    own: Path, command: Sequence[str | Path], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run until left; begins when the port answers."""
    said = own / "server.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={"PATH": os.environ["PATH"], "HOME": str(own), "LANG": "C.UTF-8", **(environment or {})},
        )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while True:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"it did not start: {said.read_text(errors='replace')[-2000:]}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                break
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def minidlna(own: Path, media: Path) -> Iterator[int]:
    """MiniDLNA with everything in `media`, announced on loopback alone. Yields its port when it has read all."""
    port = free_port()
    own.mkdir(parents=True)
    (own / "minidlna.conf").write_text(
        f"port={port}\nnetwork_interface=lo\nmedia_dir={media}\ndb_dir={own}\nlog_dir={own}\ninotify=no\n"
        f"friendly_name=test\nminissdpdsocket={own / 'none.sock'}\n"
    )
    command = [need("minidlnad"), "-S", "-f", own / "minidlna.conf", "-P", own / "pid"]
    with running(own, command, port):
        wait_for(lambda: "Finished parsing playlists" in (own / "minidlna.log").read_text(errors="replace"))
        yield port


@contextmanager
def py_media_server(own: Path, media: Path) -> Iterator[int]:
    """py-media-server with the films below `media`."""
    port = free_port()
    own.mkdir(parents=True)
    program = "from py_media_server.server import main; main()"
    command = [sys.executable, "-s", "-c", program, media, "--port", str(port), "--host", "127.0.0.1"]
    with running(own, command, port, {"PYTHONPATH": str(packages())}):
        yield port


@contextmanager
def supysonic(own: Path, media: Path, *, user: str, password: str) -> Iterator[int]:
    """Supysonic with the songs below `media`, and one listener who may do nothing else."""
    port = free_port()
    own.mkdir(parents=True)
    (own / "supysonic.conf").write_text(
        f"[base]\ndatabase_uri = sqlite:///{own}/songs.db\n"
        f"[webapp]\ncache_dir = {own}/cache\n[daemon]\nsocket = {own}/daemon.sock\n"
    )
    environment = {"PYTHONPATH": str(packages()), "PATH": os.environ["PATH"], "HOME": str(own), "LANG": "C.UTF-8"}
    for words in (
        ("user", "add", user, "-p", password),
        ("folder", "add", "songs", str(media)),
        ("folder", "scan", "songs", "-f"),
    ):
        program = "from supysonic.cli import main; main()"
        subprocess.run(
            [sys.executable, "-s", "-c", program, *words], cwd=own, env=environment, check=True, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    program = "from supysonic.server import main; main()"
    command = [sys.executable, "-s", "-c", program, "-S", "waitress", "-h", "127.0.0.1", "-p", str(port)]
    with running(own, command, port, environment):
        yield port


@contextmanager
def copyparty(own: Path, media: Path, *, user: str, password: str) -> Iterator[int]:
    """copyparty as docs/servers/copyparty.md says: one volume, one account that may get files whose names it knows."""
    port = free_port()
    own.mkdir(parents=True)
    command = [
        sys.executable, "-s", "-m", "copyparty", "-i", "127.0.0.1", "-p", str(port), "--no-crt", "--http-only",
        "-a", f"{user}:{password}", "-v", f"{media}:/media:g,{user}", "--hist", own / "hist",
        "--ban-403", "no", "--ban-404", "no", "--ban-url", "no", "--rproxy", "-1", "--xff-src", "127.0.0.1",
    ]  # fmt: skip
    with running(own, command, port, {"PYTHONPATH": str(packages()), "XDG_CONFIG_HOME": str(own)}):
        yield port


def wait_for(done: Callable[[], object]) -> None:
    """Poll until it is true."""
    until = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until, "it took a minute"
        time.sleep(0.05)
