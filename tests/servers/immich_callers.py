"""Who calls an Immich server, and what they may.

`immich-app/immich: server/src/services/auth.service.ts`, `server/src/utils/access.ts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from tests.servers.immich_library import Asset, Library, SharedLink, User


class Problem(Exception):
    """NestJS's JSON for an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True, slots=True)
class Caller:
    user: User  # of a shared link: its owner
    link: SharedLink | None = None
    permissions: frozenset[str] | None = None  # of an API key


def first(query: str, name: str) -> str:
    """Express gives a list for a name that is there twice, and the guard takes the first of it."""
    return next((value for key, value in parse_qsl(query, keep_blank_values=True) if key == name), "")


def find_caller(request: web.Request, query: str, library: Library) -> Caller:
    """A share key or slug wins over a session, a session over an API key; a header over the query."""

    def either(header: str, name: str) -> str:
        return request.headers.get(header, "") or (first(query, name) if name else "")

    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    key, slug = either("x-immich-share-key", "key"), either("x-immich-share-slug", "slug")
    session = (
        either("x-immich-user-token", "")
        or either("x-immich-session-token", "sessionKey")
        or (bearer if scheme.lower() == "bearer" else "")
        or request.cookies.get("immich_access_token", "")
    )
    api_key = either("x-api-key", "apiKey")
    if key or slug:
        link = library.link_by_key(key) if key else next((one for one in library.links if one.slug == slug), None)
        if link is None or link.over:
            raise Problem(401, f"Invalid share {'key' if key else 'slug'}")
        return Caller(link.owner, link)
    if session:
        user = library.sessions.get(session)
        if user is None:
            raise Problem(401, "Invalid user token")
        return Caller(user)
    if api_key:
        found = library.keys.get(api_key)
        if found is None:
            raise Problem(401, "Invalid API key")
        return Caller(found[0], permissions=found[1])
    raise Problem(401, "Authentication required")


def allow(caller: Caller, permission: str, *, shared: bool) -> None:
    """`AuthService.authenticate`: is this route for shared links, does the key hold its permission."""
    if caller.link is not None and not shared:
        raise Problem(403, "Forbidden")
    held = caller.permissions
    if held is not None and permission and not held & {"all", permission}:
        raise Problem(403, f"Missing required permission: {permission}")


def may(caller: Caller, permission: str, asset: Asset) -> bool:
    """`checkSharedLinkAccess` and `checkOtherAccess`. A link's password is asked about nowhere here.

    Sharing is the hole: a link may share on whatever its owner owns.
    """
    if caller.link is None:
        return asset.owner is caller.user
    inside = asset in caller.link.shown
    return {
        "asset.read": inside,
        "asset.view": inside,
        "asset.download": inside and caller.link.allow_download,
        "asset.share": asset.owner is caller.user,
    }.get(permission, False)


def need(library: Library, caller: Caller, permission: str, asset_id: str) -> Asset:
    """What is missing and what is not allowed are one answer: 400."""
    asset = library.asset(asset_id)
    if asset is None or not may(caller, permission, asset):
        raise Problem(400, f"Not found or no {permission} access")
    return asset
