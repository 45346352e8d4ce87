"""Where a server's redirect leads, seen from the guest. Pure.

Rule: only what stays on this server can become ours; its target is then judged like any request of
this guest. Everything that can be read in two ways leads nowhere.

Why not urljoin: it repairs. `/\\evil`, `http:/x`, `//u@host` and tabs inside mean different places to
it, to browsers and to servers.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from gateway.config import Origin
from gateway.policy.target import Ambiguity, Target, parse_target
from gateway.rewrite.addresses import without_dots

_DEFAULT_PORTS = {"http": 80, "https": 443}
_VISIBLE = frozenset(chr(code) for code in range(0x21, 0x7F))


def led_to(
    location: str, base: Target, home: Collection[Origin], injected: Collection[str] = ()
) -> tuple[Target, str] | None:
    """The target on this server and the fragment (with its `#`, or ""); None when it leads elsewhere.

    `base`: what was asked for. `home`: the server's origins. `injected`: query pairs that we add to each
    request, as they are spelled in its target; a server that repeats them in its redirect is relieved of them.
    """
    if not location or not _VISIBLE.issuperset(location) or "\\" in location:
        return None
    reference, hash_, fragment = location.partition("#")
    path = _on_this_server(reference, home) if _has_origin(reference) else _resolved(reference, base)
    if path is None:
        return None
    target = parse_target(without(path, injected))
    if isinstance(target, Ambiguity):
        return None
    return target, hash_ + fragment


def _has_origin(reference: str) -> bool:
    head = reference.partition("/")[0].partition("?")[0]
    return reference.startswith("//") or ":" in head


def _on_this_server(reference: str, home: Collection[Origin]) -> str | None:
    scheme, _, rest = reference.partition(":") if not reference.startswith("//") else ("", "", reference)
    if not rest.startswith("//") or "@" in rest.partition("?")[0]:
        return None
    try:
        parts = urlsplit(reference)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if ":" in host:
        host = f"[{host}]"
    for origin in home:
        wanted = (scheme or origin.scheme).lower()
        if wanted == origin.scheme and host == origin.host and (port or _DEFAULT_PORTS.get(wanted)) == origin.port:
            path = rest[2:].partition("?")[0].partition("/")
            return (path[1] + path[2] or "/") + (f"?{parts.query}" if parts.query else "")
    return None


def _resolved(reference: str, base: Target) -> str | None:
    """A relative reference as RFC 3986 5.2 has it, for the plain cases."""
    path, mark, query = reference.partition("?")
    if not path:
        return base.path + (mark + query if mark else (f"?{base.query}" if base.query else ""))
    if not path.startswith("/"):
        path = base.path.rpartition("/")[0] + "/" + path
    flat = without_dots(path)
    return None if flat is None else flat + mark + query


def without(target: str, injected: Collection[str]) -> str:
    path, mark, query = target.partition("?")
    if not mark or not injected:
        return target
    kept = [pair for pair in query.split("&") if pair not in injected]
    return path + ("?" + "&".join(kept) if kept else "")
