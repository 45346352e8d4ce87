"""How nginx makes a file name of a request, for fakes of sites that are folders behind it.

nginx/nginx: src/http/ngx_http_parse.c, ngx_http_parse_complex_uri: every escape is decoded, `%2f` too, before `//`,
`/./` and `/../` are taken away (merge_slashes is on); locations are matched on what comes out.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from aiohttp import web

from tests.servers.asked import TYPES


def tidied(raw: str) -> str | None:
    """None: nginx's 400."""
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", raw):
        return None
    path = unquote_to_bytes(raw).decode("utf-8", "surrogateescape")
    kept: list[str] = []
    parts = re.sub("/+", "/", path).split("/")[1:]
    for part in parts:
        if part == "..":
            if not kept:
                return None
            kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", "..") and kept and kept[-1] != "":
        kept.append("")
    return "/" + "/".join(kept)


def folder(request: web.Request, file: Path, path: str) -> web.StreamResponse:
    """What a static location answers: `file` for `path`, without listings."""
    if request.method not in ("GET", "HEAD"):
        return web.Response(status=405)
    if file.is_dir():
        if path.endswith("/"):
            index = file / "index.html"
            return page(index) if index.is_file() else web.Response(status=403)
        # absolute_redirect is on: the name that was asked for comes back with it
        return web.Response(status=301, headers={"Location": f"http://{request.headers.get('Host', '')}{path}/"})
    if path.endswith("/") or not file.is_file():
        return web.Response(status=404)
    return page(file)


def page(file: Path) -> web.StreamResponse:
    return web.FileResponse(file, headers={"Content-Type": TYPES.get(file.suffix, "application/octet-stream")})
