"""Who calls a Jellyfin server: tokens of users, API keys, and the many places where one may stand."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from tests.servers.asked import Asked, Refused
from tests.servers.aspnet_target import Query, read_guid
from tests.servers.jellyfin_library import Item, Library, User


@dataclass(frozen=True, slots=True)
class Caller:
    token: str = ""  # what the server prints into addresses, wherever it came from
    user: User | None = None
    is_key: bool = False  # an API key: administrator, and no user
    device_id: str = ""

    @property
    def known(self) -> bool:
        return self.user is not None or self.is_key

    @property
    def admin(self) -> bool:
        return self.is_key or (self.user is not None and self.user.admin)

    def sees(self, item: Item) -> bool:
        return self.user is None or self.user.sees(item)


def read_header(text: str) -> dict[str, str]:
    """`Token="…", Client="…"`: commas inside quotes do not count, values are URL-encoded."""
    parts: dict[str, str] = {}
    quoted, start = False, 0
    for place, sign in enumerate([*text, ","]):
        if sign == '"':
            quoted = not quoted
        elif sign == "," and not quoted:
            name, equals, value = text[start:place].partition("=")
            if equals:
                parts[name.strip()] = unquote(value.strip().strip('"'))
            start = place + 1
    return parts


def find_caller(asked: Asked, query: Query, library: Library, *, legacy: bool) -> Caller:
    """`Jellyfin.Server.Implementations/Security/AuthorizationContext.cs`. `legacy`: on in 10.11, off in 12."""

    def header(name: str) -> str:
        return next((value for key, value in asked.headers if key.lower() == name.lower()), "")

    said = header("Authorization") or (header("X-Emby-Authorization") if legacy else "")
    scheme, _, rest = said.partition(" ")
    parts = read_header(rest) if scheme.lower() in (("mediabrowser", "emby") if legacy else ("mediabrowser",)) else {}
    token = parts.get("Token", "")
    if legacy:
        token = token or header("X-Emby-Token") or header("X-MediaBrowser-Token")
    token = token or query.get("ApiKey")
    if legacy:
        token = token or query.get("api_key")
    session = library.sessions.get(token)
    if session is not None:
        return Caller(token, session.user, device_id=parts.get("DeviceId") or session.device_id)
    if token in library.keys:
        return Caller(token, is_key=True, device_id=parts.get("DeviceId") or "server")
    return Caller(device_id=parts.get("DeviceId", ""))


def acting_user(caller: Caller, wanted: str | None, library: Library) -> User | None:
    """`Jellyfin.Api/Helpers/RequestHelpers.cs`, GetUserId: an administrator, so every API key, acts as anybody."""
    if not wanted:
        return caller.user
    user_id = read_guid(wanted)
    user = next((user for user in library.users if user.id == user_id), None)
    if user_id is None:
        raise Refused(400)
    if user is not caller.user and not caller.admin:
        raise Refused(403, "Error processing request.")
    return user
