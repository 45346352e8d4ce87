"""The media servers behind this gateway, found by name or by the Host a guest asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.ceilings import Ceilings
from gateway.config import ServerConfig
from gateway.policy.model import Policy
from gateway.upstream.client import Upstream, Ways
from gateway.upstream.resolve import Resolved
from gateway.upstream.signed_in import SignedIn, SignIn, signed_in


@dataclass(frozen=True, slots=True)
class MediaServer:
    """One media server: what config.yaml says of it, its compiled policy, and the way to it: `line`, and `upstream`,
    which signs in where the policy says so."""

    config: ServerConfig
    policy: Policy
    line: Upstream
    # Its further addresses, by their names in config.yaml.
    ports: Mapping[str, Upstream] = field(default_factory=dict, repr=False, compare=False)
    # The policy's other origins, by their spelling.
    elsewhere: Mapping[str, Upstream] = field(default_factory=dict, repr=False, compare=False)
    # Questions about items that are on their way, by item; see `media`.
    # By what a policy says in `at`, signed in where it says so; and what that has brought.
    at: Ways = field(init=False, repr=False, compare=False)
    sign_in: SignIn | None = field(init=False, repr=False, compare=False)
    asking: dict[str, asyncio.Task[Resolved]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        at = signed_in({"": self.line, **self.ports}, self.policy)
        main = at[""]
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "sign_in", main.sign_in if isinstance(main, SignedIn) else None)

    @property
    def upstream(self) -> Upstream:
        return self.at[""]

    @property
    def ways(self) -> tuple[Upstream, ...]:
        """Every connection that this server needs."""
        return (self.line, *self.ports.values(), *self.elsewhere.values())

    @property
    def ceilings(self) -> Ceilings:
        """What links on this server must keep to."""
        return self.policy.ceilings.tightened(self.config.ceilings)

    def asks_for(self, kind: str) -> bool:
        """Whether a grant of this kind begins or ends with something on the media server."""
        of = self.policy.kinds.get(kind)
        return of is not None and bool(of.prepare or of.release)


class Servers:
    """All of them. A Host is compared as a whole: one spelling, with or without its scheme's own port."""

    def __init__(self, servers: Sequence[MediaServer]) -> None:
        self.all = tuple(servers)
        self._named = {server.config.name: server for server in self.all}
        self._hosts: dict[str, MediaServer] = {}
        for server in self.all:
            public = server.config.public
            self._hosts[public.netloc] = server
            self._hosts[f"{public.host}:{public.port}"] = server

    def named(self, name: str) -> MediaServer | None:
        return self._named.get(name)

    def at_host(self, host: str) -> MediaServer | None:
        """The server whose guests' address this Host header is; host names know no case."""
        return self._hosts.get(host.lower())
