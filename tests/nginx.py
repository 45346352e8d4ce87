"""A real nginx of the test's own: no root, its own folder and port, ended with the test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.running import free_port
from tests.system_parts import need

# Started by root its workers would be nobody, who may not read a test's folder.
CONFIG = (
    "{top}\n"
    + ("user root;" if os.geteuid() == 0 else "")
    + """
daemon off;
worker_processes 1;
pid {own}/nginx.pid;
error_log {own}/error.log;
events {{ worker_connections 2048; }}
{more}
http {{
  access_log off;
  client_body_temp_path {own}/body; proxy_temp_path {own}/proxy; fastcgi_temp_path {own}/fastcgi;
  uwsgi_temp_path {own}/uwsgi; scgi_temp_path {own}/scgi;
  types {{
    application/vnd.apple.mpegurl m3u8; video/mp2t ts; video/mp4 mp4 m4s; text/vtt vtt; image/jpeg jpg; text/html html;
    application/dash+xml mpd; video/webm webm; audio/mpeg mp3; audio/ogg ogg;
  }}
  {http}
  server {{
    listen 127.0.0.1:{port};
    {server}
  }}
}}
"""
)


@asynccontextmanager
async def nginx(
    own: Path, server: str, *, http: str = "", port: int = 0, top: str = "", more: str = ""
) -> AsyncIterator[int]:
    """Run nginx with one server block; its port. `top` and `more` stand outside of `http`: above all, and before it."""
    port = port or free_port()
    own.mkdir(parents=True, exist_ok=True)
    (own / "nginx.conf").write_text(CONFIG.format(own=own, port=port, server=server, http=http, top=top, more=more))
    process = await asyncio.create_subprocess_exec(
        str(need("nginx")), "-p", str(own), "-c", str(own / "nginx.conf"), "-e", str(own / "error.log"),
        stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            if process.returncode is not None:
                raise RuntimeError((own / "error.log").read_text())
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def folder(root: Path, prefix: str) -> str:
    """A server block's inside: `root` below `prefix`, with directory listings as careless servers have them."""
    return f"location {prefix}/ {{ alias {root}/; autoindex on; }}"
