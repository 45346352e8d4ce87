"""What another proxy says it was asked for: three dialects, each read in one way or not at all. Pure.

    nginx auth_request            X-Original-URI, X-Original-Method; Host
    Traefik, Caddy                X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-Host, X-Forwarded-Proto
    Envoy ext_authz               the target stands behind the path prefix, the method is the request's own; Host

Rule: exactly one dialect, each of its words exactly once. A guest's own headers travel along with the question, so
a second dialect, a word that stands twice or in another spelling (`X_Original_URI`) may be his: what has two
readings is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.policy.header_names import fold_header

if TYPE_CHECKING:
    from multidict import MultiMapping

_NGINX = ("x-original-uri", "x-original-method")
_FORWARDED = ("x-forwarded-uri", "x-forwarded-method")
# Told beside the first two; others than Traefik and Caddy send these with any request.
_BESIDE = ("x-forwarded-host", "x-forwarded-proto")
# Words of no dialect here that say what is asked for; whoever sends them expects them to count.
_OTHERS = frozenset({"x-original-url", "x-rewrite-url", "x-original-host", "x-forwarded-path", "x-replaced-path"})
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Original:
    """`target` as it is told; `upgrade`: the guest wants to switch to a websocket. `scheme` "": not told."""

    method: str
    target: str
    host: str
    scheme: str
    upgrade: bool


@dataclass(frozen=True, slots=True)
class Unclear:
    """What is told has no reading, or two; `what` is for the log."""

    what: str


def below(raw_path: str, place: str) -> str | None:
    """What follows the door's own path; None where this is another path. A query right behind it is none of a
    dialect's words: Caddy leaves the guest's there."""
    if raw_path == place or raw_path.startswith(f"{place}?"):
        return ""
    return raw_path.removeprefix(place) if raw_path.startswith(f"{place}/") else None


def read_original(method: str, suffix: str, headers: MultiMapping[str]) -> Original | Unclear:
    """`suffix`: what follows the door's own path in the request's target."""
    told: dict[str, list[tuple[str, str]]] = {}
    for name, value in headers.items():
        told.setdefault(fold_header(name), []).append((name, value))
    if _OTHERS & told.keys():
        return Unclear("a word of another dialect")
    nginx, forwarded = (any(word in told for word in words) for words in (_NGINX, _FORWARDED))
    if nginx + forwarded + bool(suffix) != 1:
        return Unclear("no dialect" if not (nginx or forwarded or suffix) else "two dialects at once")
    wanted = ("host", *(_NGINX if nginx else (*_FORWARDED, *_BESIDE) if forwarded else ()))
    said: dict[str, str] = {}
    for word in wanted:
        values = told.get(word, [])
        if len(values) != 1:
            return Unclear(f"{word} stands {len(values)} times")
        if values[0][0].lower() != word:
            return Unclear(f"{word} in another spelling")
        said[word] = values[0][1]
    upgrade = _upgrade([value for _, value in told.get("upgrade", [])])
    if upgrade is None:
        return Unclear("an upgrade to something else")
    if nginx:
        return Original(said["x-original-method"], said["x-original-uri"], said["host"], "", upgrade)
    if not forwarded:
        return Original(method, suffix, said["host"], "", upgrade)
    scheme = _SCHEMES.get(said["x-forwarded-proto"])
    if scheme is None:
        return Unclear("an unknown scheme")
    return Original(said["x-forwarded-method"], said["x-forwarded-uri"], said["x-forwarded-host"], scheme, upgrade)


def _upgrade(values: list[str]) -> bool | None:
    if not values:
        return False
    return True if [value.strip().lower() for value in values] == ["websocket"] else None
