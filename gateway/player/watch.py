"""`GET {own}/watch/{grant}`: our own player page, for media servers that have none.

It is a page request: each time it is opened the link is asked again, and a refusal ends the grant on
every worker. Its address names a grant, which is no secret: the session cookie must hold it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from aiohttp import web

from gateway.access.grants import GrantTable
from gateway.access.live import LiveGrant
from gateway.access.servers import MediaServer
from gateway.config import Prefixes
from gateway.policy.decide import PlayerSources
from gateway.policy.follow import Place
from gateway.reasons import Reason
from gateway.web.pages import APART, CHAT_POLICY, PLAYER_POLICY, WITH_DEVICES
from gateway.web.refuse import refuse, refuse_denied
from gateway.web.session import SessionCookie
from gateway.web.visit import Visit

_SOUNDS = (".mp3", ".m4a", ".ogg", ".oga", ".opus", ".flac", ".aac", ".wav", ".weba")


@dataclass(frozen=True, slots=True)
class WatchDoor:
    """`way_back`: where the media of one of these grants is, if one of them lives. `signed`: the address here of
    media on another origin of the policy. `cast`: one of a source, for players without the cookie."""

    grants: GrantTable
    sessions: SessionCookie
    prefixes: Prefixes
    way_back: Callable[[MediaServer, tuple[str, ...]], str | None]
    signed: Callable[[LiveGrant, Place], str | None]
    cast: Callable[[LiveGrant, PlayerSources], str | None]

    async def handle(self, visit: Visit) -> web.StreamResponse:
        if visit.request.method not in ("GET", "HEAD"):
            return refuse(visit, Reason.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        wanted = visit.target.path.removeprefix(f"{self.prefixes.own}/watch/")
        grant_ids = self.sessions.grant_ids(visit.request)
        live = await self._find(visit, wanted, grant_ids)
        if isinstance(live, Reason):
            back = self.way_back(visit.server, grant_ids) if grant_ids else None
            return refuse(visit, Reason.NO_RULE if back else live, back=back)
        visit.grant = live.grant.id
        denied = await self.grants.recheck(live)
        if denied is not None:
            return refuse_denied(visit, denied)
        signed = partial(self.signed, live)
        player = live.scope.player(signed)
        if player is None:
            return refuse(visit, Reason.NOT_FOUND, detail="this kind has a page of its own", back=live.scope.entrance())
        live.touch()
        if player.as_ == "livekit":
            return self._room(visit, live, player)
        pages, elsewhere = visit.pages, self.cast(live, player)
        library, chat = pages.statics.library(player.as_), live.scope.chat()
        return pages.respond(
            visit.request,
            "watch.html",
            site=visit.server.policy.title,
            policy=PLAYER_POLICY if chat is None else {**PLAYER_POLICY, **CHAT_POLICY},
            headers=None if chat is None else APART,
            title=_title(live),
            grant=live.grant.id,
            player=player,
            begins=visit.server.policy.begins(live.scope.kind),
            sound=_is_sound(live.grant.kind, player),
            item=None if live.guest.shared_device else _item(live),
            download=live.scope.download(signed),
            chat=chat,
            captions=live.scope.captions,
            cast=f"{visit.server.config.public}{elsewhere}" if elsewhere else None,
            cast_lasts=visit.server.policy.cast,
            words=pages.locale(visit.request).below("player"),
            library=pages.static(library) if library else None,
        )

    def _room(self, visit: Visit, live: LiveGrant, player: PlayerSources) -> web.StreamResponse:
        """The page on which people see each other."""
        pages, groups = visit.pages, live.scope.kind.groups
        library = pages.statics.library(player.as_)
        return pages.respond(
            visit.request,
            "room.html",
            site=visit.server.policy.title,
            policy=PLAYER_POLICY,
            headers={"Permissions-Policy": WITH_DEVICES} if "present" in groups else None,
            title=_title(live),
            grant=live.grant.id,
            player=player,
            groups=sorted(groups),
            words=pages.locale(visit.request).below("room"),
            library=pages.static(library) if library else None,
        )

    async def _find(self, visit: Visit, wanted: str, grant_ids: tuple[str, ...]) -> LiveGrant | Reason:
        """The live grant of this session and host, or why there is none."""
        mine = self.grants.known(grant_ids)
        if mine is None:
            mine = await self.grants.load(grant_ids)
        if wanted not in grant_ids:
            return Reason.NO_SESSION
        for live in mine:
            if live.grant.id == wanted and live.server.config.name == visit.server.config.name:
                return live
        return Reason.GRANT_ENDED


def _item(live: LiveGrant) -> str:
    """What the browser keeps the guest's position under: the same for each grant of the item, and no name of it."""
    grant = live.grant
    return sha256("\0".join((grant.server, grant.kind, grant.item)).encode()).hexdigest()[:20]


def _is_sound(kind: str, player: PlayerSources) -> bool:
    """Whether there will be no picture, as far as the policy tells; the page looks for itself besides."""
    return kind == "audio" or player.src.partition("?")[0].lower().endswith(_SOUNDS)


def _title(live: LiveGrant) -> str:
    titles = live.grant.variables.get("title", ())
    return titles[0] if titles else ""
