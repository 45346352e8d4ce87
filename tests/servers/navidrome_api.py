"""Navidrome's accounts and the APIs behind them: everything a guest must never reach, and it answers."""

from __future__ import annotations

import hashlib
import html
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.servers.asked import Refused, send_file
from tests.servers.go_target import first, read_query
from tests.servers.navidrome_library import Library, Share, Signer, User


@dataclass
class Call:
    request: web.Request
    query: list[tuple[str, str]]
    body: bytes

    def param(self, name: str) -> str:
        """utils/req/req.go: the FIRST of that name, and an empty one is none."""
        return first(self.query, name)


@dataclass
class Accounts:
    """Who calls, and what the APIs say to them."""

    library: Library
    trusts_gateway: bool
    user_header: str
    sessions: Signer = field(default_factory=Signer)

    def named_by_header(self, call: Call) -> str:
        return call.request.headers.get(self.user_header, "") if self.trusts_gateway else ""

    def user_for(self, name: str) -> User:
        user = self.library.user(name)
        if user is None:
            user = User(name, secrets.token_hex(8), admin=not self.library.users)
            self.library.users.append(user)
        return user

    def session(self, user: User) -> str:
        return self.sessions.sign({"sub": user.name, "uid": user.id, "adm": user.admin, "exp": int(time.time()) + 3600})

    def sign_in(self, call: Call, *, first_admin: bool) -> web.Response:
        """server/auth.go; POST only, unlike the share's routes."""
        if call.request.method != "POST":
            raise Refused(405)
        given = json.loads(call.body)
        if first_admin:
            if self.library.users:
                return _json({"error": "Cannot create another first admin"}, 403)
            self.library.users.append(User(given["username"], given["password"], admin=True))
        user = self.library.user(given["username"])
        if user is None or user.password != given["password"]:
            return _json({"error": "Invalid username or password"}, 401)
        return _json({**login(user), "token": self.session(user)})

    def _caller(self, call: Call) -> User | None:
        """server/auth.go: its own header, the cookie `jwt`, the query `jwt`, then the proxy's word."""
        bearer = call.request.headers.get("X-ND-Authorization", "")
        token = bearer[7:] if bearer[:7].lower() == "bearer " else ""
        token = token or call.request.cookies.get("jwt", "") or call.param("jwt")
        claims = self.sessions.read(token) if token else None
        name = str(claims["sub"]) if claims else self.named_by_header(call)
        return self.library.user(name) if name else None

    def api(self, call: Call, path: str) -> web.Response:
        """server/nativeapi: songs, users and shares, enough to make a share as an owner does."""
        user, method = self._caller(call), call.request.method
        if user is None:
            return _json({"error": "Not authenticated"}, 401)
        kind, _, wanted = path.partition("/")
        if kind == "song" and method == "GET":
            songs = [{"id": song.id, "title": song.title, "path": str(song.file)} for song in self.library.songs]
            chosen = [song for song in songs if song["id"] == wanted]
            if wanted and not chosen:
                return _json({"error": "not found"}, 404)
            return _json(chosen[0] if wanted else songs)
        if kind == "user" and method == "GET" and user.admin:
            return _json([{"id": one.id, "userName": one.name, "isAdmin": one.admin} for one in self.library.users])
        if kind == "share" and method == "POST":
            given = json.loads(call.body)
            ids = given["resourceIds"].split(",")
            songs_of_it = tuple(song for song in self.library.songs if song.id in ids or song.album_id in ids)
            made = Share(songs_of_it, given.get("description", ""), bool(given.get("downloadable")))
            self.library.shares.append(made)
            return _json({"id": made.id})
        if kind == "share" and method == "DELETE":
            self.library.shares = [share for share in self.library.shares if share.id != wanted]
            return _json({})
        return _json({"error": "not found"}, 404)

    def rest(self, call: Call, method: str) -> web.StreamResponse:
        """server/subsonic/middlewares.go: a POSTed form is put before the query; errors are answered with 200."""
        if call.request.method == "POST":
            call.query[:0] = read_query(call.body.decode("latin-1"))
        named = self.named_by_header(call)
        for needed in ("v", "c") if named else ("u", "v", "c"):
            if not call.param(needed):
                return _subsonic(call, 10, f"missing parameter: '{needed}'")
        user = self.library.user(named or call.param("u"))
        if user is None or not (named or _knows_password(user, call)):
            return _subsonic(call, 40, "Wrong username or password")
        if method == "ping":
            return _subsonic(call)
        if method == "getUser":
            return _subsonic(call, user={"username": user.name, "adminRole": user.admin})
        if method in ("search3", "getAlbumList2", "getRandomSongs"):
            return _subsonic(call, song=[{"id": song.id, "title": song.title} for song in self.library.songs])
        song = self.library.song(call.param("id"))
        if song is None:
            return _subsonic(call, 70, "data not found")
        if method == "getSong":
            return _subsonic(call, song={"id": song.id, "title": song.title, "coverArt": f"mf-{song.id}"})
        if method in ("stream", "download"):
            return send_file(song.file)
        if method == "getCoverArt":
            return send_file(song.cover)
        raise Refused(404, "404 page not found")


def login(user: User) -> dict[str, Any]:
    """server/auth.go, buildAuthPayload: salt and token open /rest for this user, whatever the password is."""
    salt = secrets.token_hex(3)
    token = hashlib.md5((user.password + salt).encode()).hexdigest()
    whose = {"id": user.id, "name": user.name, "username": user.name, "isAdmin": user.admin}
    return {**whose, "subsonicSalt": salt, "subsonicToken": token}


def _knows_password(user: User, call: Call) -> bool:
    if call.param("p"):
        return call.param("p") == user.password
    return call.param("t") == hashlib.md5((user.password + call.param("s")).encode()).hexdigest()


def _json(value: Any, status: int = 200) -> web.Response:
    return web.json_response(value, status=status)


def _subsonic(call: Call, code: int = 0, message: str = "", **value: Any) -> web.Response:
    said: dict[str, Any] = {"status": "failed" if code else "ok", "version": "1.16.1", "type": "navidrome", **value}
    if code:
        said["error"] = {"code": code, "message": message}
    if call.param("f") == "json":
        return _json({"subsonic-response": said})
    error = f'<error code="{code}" message="{html.escape(message)}"/>' if code else ""
    head = f'<subsonic-response xmlns="http://subsonic.org/restapi" status="{said["status"]}" version="1.16.1">'
    return web.Response(text=f"{head}{error}</subsonic-response>", content_type="application/xml")
