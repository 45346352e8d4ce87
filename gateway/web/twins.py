"""Two cookies of one name: one of them was planted, and nobody can say which. It is told to go.

On https our cookies are `__Host-`: browsers take one of a name, for the whole host and no other. On plain
http a script of the media server may set another one for a path (`/g`, the media's own), which the
browser then sends beside ours for as long as the planted one lives; read as no session at all, it would
keep the guest out for months.

Rule: all of that name are told to go but the one that we set ourselves, for the host alone and the path
`/`. A request does not say where a cookie comes from, so each place is named from which it can have come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from aiohttp import web

from gateway.web.cookies import DELETED
from gateway.web.embedding import is_framed_name

MOST = 40  # lines in one answer: a front proxy has a few kilobytes for all of its head


def twins(request: web.BaseRequest, names: Collection[str]) -> list[str]:
    """Those of `names` that the request holds more than once."""
    sent = [pair.partition("=")[0].strip() for line in request.headers.getall("Cookie", ()) for pair in line.split(";")]
    return [name for name in names if sent.count(name) > 1]


def forget_twins(response: web.StreamResponse, names: Collection[str], host: str, path: str) -> None:
    """Add the lines that delete them. `host`: without port; `path`: canonical."""
    for name in names:
        for place in islice(_places(host, path), MOST):
            response.headers.add("Set-Cookie", f"{name}=; {place}; {DELETED}")
        if is_framed_name(name):
            # Set by this browser before it knew `Partitioned`, for all sites at once.
            response.headers.add("Set-Cookie", f"{name}=; Path=/; HttpOnly; SameSite=None; Secure; {DELETED}")


def _places(host: str, path: str) -> Iterator[str]:
    """Attributes of cookies that are sent to this host and path, ours excepted."""
    paths = list(_prefixes(path))
    for one in paths[1:]:
        yield f"Path={one}"
    labels = host.split(".")
    if ":" in host or labels[-1].isdigit():
        return  # an address: browsers take its domain for the host alone, which is where ours is
    for start in range(len(labels) - 1):  # of a top-level name likewise
        for one in paths:
            yield f"Path={one}; Domain={'.'.join(labels[start:])}"


def _prefixes(path: str) -> Iterator[str]:
    yield "/"
    at = 1
    while (end := path.find("/", at)) > 0:
        yield path[:end]
        yield path[: end + 1]
        at = end + 1
    if path[at:]:
        yield path
