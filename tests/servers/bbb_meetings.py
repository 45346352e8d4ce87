"""Who meets on the fake BigBlueButton: meetings, who is in them, and what they may do there (akka-bbb-apps).

A user is in the meeting from `userJoinMeeting` on. When their last websocket to /graphql is gone they are marked as
left, and an audit takes them out about ten seconds later; here after `left_after` (GraphqlConnectionsActor.scala,
UserClosedAllGraphqlConnectionsInternalMsg; core/models/Users2x.scala, findAllExpiredUserLeftFlags).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CONCURRENT = 3  # bbb-web.properties, maxUserConcurrentAccesses: of one external id; the oldest is put out
PUBLIC_CHAT = "MAIN-PUBLIC-GROUP-CHAT"


def _random(length: int) -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


@dataclass(eq=False)
class User:
    meeting: Meeting
    name: str
    role: str  # MODERATOR or VIEWER
    guest: bool
    external: str
    id: str = field(default_factory=lambda: f"w_{_random(12)}")
    auth: str = field(default_factory=lambda: _random(12))
    token: str = field(default_factory=lambda: _random(16))
    status: str = "ALLOW"  # or WAIT, DENY
    joined: bool = False
    logged_out: bool = False
    ejected: bool = False
    raised: bool = False
    emoji: str = "none"
    sockets: int = 0
    leaving: asyncio.TimerHandle | None = None

    @property
    def may_speak(self) -> bool:
        return self.joined and not self.logged_out and not self.ejected and self.status == "ALLOW"

    def described(self, *, own: bool = False) -> dict[str, Any]:
        said: dict[str, Any] = {
            "userId": self.id, "name": self.name, "role": self.role, "isModerator": self.role == "MODERATOR",
            "raiseHand": self.raised, "reactionEmoji": self.emoji, "guest": self.guest,
        }  # fmt: skip
        if own:
            said |= {
                "authToken": self.auth, "joined": self.joined, "loggedOut": self.logged_out, "ejected": self.ejected,
                "guestStatus": self.status, "extId": self.external,
                "meeting": {"ended": self.meeting.ended, "name": self.meeting.name},
            }  # fmt: skip
        return said


@dataclass(eq=False)
class Meeting:
    external: str
    name: str
    created: int
    policy: str = "ALWAYS_ACCEPT"  # or ASK_MODERATOR, ALWAYS_DENY
    ended: bool = False
    attendee_pw: str = field(default_factory=lambda: _random(8))
    moderator_pw: str = field(default_factory=lambda: f"mp-{_random(12)}")
    bridge: str = field(default_factory=lambda: str(10_000 + secrets.randbelow(89_999)))
    users: list[User] = field(default_factory=list)
    chat: list[dict[str, Any]] = field(default_factory=list)
    banned: set[str] = field(default_factory=set)
    done: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """What was done in it: by whom (the name), which mutation, with which input."""
    listeners: list[Callable[[], None]] = field(default_factory=list)
    left_after: float = 10.0

    @property
    def internal(self) -> str:
        return f"{hashlib.sha1(self.external.encode(), usedforsecurity=False).hexdigest()}-{self.created}"

    @property
    def here(self) -> list[User]:
        return [user for user in self.users if user.may_speak]

    @property
    def running(self) -> bool:
        return bool(self.here) and not self.ended

    def changed(self) -> None:
        for tell in list(self.listeners):
            tell()

    def registered(self, name: str, role: str, *, guest: bool, external: str) -> User:
        user = User(self, name, role, guest, external)
        user.external = external or user.id
        if guest and role != "MODERATOR":
            user.status = {"ASK_MODERATOR": "WAIT", "ALWAYS_DENY": "DENY"}.get(self.policy, "ALLOW")
        same = [one for one in self.users if one.external == user.external and not one.logged_out and not one.ejected]
        for one in same[: max(0, len(same) + 1 - CONCURRENT)]:
            one.ejected = True
        self.users.append(user)
        return user

    def end(self) -> None:
        self.ended = True
        self.changed()

    # --- mutations (bbb-graphql-actions/src/actions) -----------------------------------------------

    def act(self, user: User, name: str, said: dict[str, Any]) -> None:
        """Raises PermissionError for what akka-bbb-apps refuses."""
        if name == "userJoinMeeting":
            if said.get("authToken") != user.auth or user.external in self.banned or user.status != "ALLOW":
                raise PermissionError("could not join")
            user.joined, user.logged_out = True, False
        elif not user.may_speak or self.ended:
            raise PermissionError("not in the meeting")
        else:
            self._act(user, name, said)
        self.done.append((user.name, name, said))
        self.changed()

    def _act(self, user: User, name: str, said: dict[str, Any]) -> None:
        moderator = user.role == "MODERATOR"
        other = next((one for one in self.users if one.id == said.get("userId")), None)
        if name == "userLeaveMeeting":
            user.logged_out = True
        elif name == "chatSendMessage":
            text = said.get("chatMessageInMarkdownFormat")
            self.chat.append({"chatId": said.get("chatId"), "senderName": user.name, "message": text})
        elif name == "userSetRaiseHand" and other is not None and (other is user or moderator):
            other.raised = bool(said.get("raiseHand"))
        elif name == "userSetReactionEmoji":
            user.emoji = str(said.get("reactionEmoji"))
        elif name == "userSetRole" and other is not None and moderator:
            other.role = str(said.get("role"))
        elif name == "guestUsersSubmitApprovalStatus" and moderator:
            for guest in said.get("guests", []):
                for one in self.users:
                    if one.id == guest["guest"]:
                        one.status = guest["status"]
        elif name == "userEjectFromMeeting" and other is not None and moderator:
            other.ejected = True
            if said.get("banUser"):
                self.banned.add(other.external)
        elif name == "meetingEnd" and moderator:
            self.ended = True
        elif name in ("userEjectFromMeeting", "userSetRole", "meetingEnd", "userSetRaiseHand"):
            raise PermissionError("no permission")
        # Every other is done by whoever asks, as far as this stand-in knows.

    # --- websockets --------------------------------------------------------------------------------

    def opened(self, user: User) -> None:
        user.sockets += 1
        if user.leaving is not None:
            user.leaving.cancel()
            user.leaving = None

    def closed(self, user: User) -> None:
        user.sockets -= 1
        if user.sockets == 0:
            user.leaving = asyncio.get_running_loop().call_later(self.left_after, self._gone, user)

    def _gone(self, user: User) -> None:
        user.joined = False
        self.changed()
