"""What the door knows about one media server, worked out once: how to address it, what must not leak."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from multidict import CIMultiDict

from gateway.config import Origin
from gateway.policy.jar import for_guest, guest_pairs, header, kept_pairs, kept_secrets, taken
from gateway.proxy.headers import passed_on, towards_elsewhere, towards_guest, towards_server
from gateway.proxy.home import brought_home, host_spellings, ours, reach, spelled
from gateway.proxy.rewriting import Exchanging, FlowingWords, Rewriter
from gateway.rewrite.scrub import ChangingFinder, CredentialFinder, Finder
from gateway.web.cookies import DELETED
from gateway.web.embedding import Embedding

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy, MultiMapping

    from gateway.access.live import LiveGrant
    from gateway.access.servers import MediaServer
    from gateway.policy.decide import Variables
    from gateway.policy.follow import Place
    from gateway.policy.model import Credentials
    from gateway.policy.sending import SentHeaders
    from gateway.policy.target import Target
    from gateway.upstream.client import Upstream, Ways

_NONE: frozenset[str] = frozenset()
_HIDDEN = 8  # characters; shorter ones turn up by chance


@dataclass(frozen=True, slots=True)
class Facing:
    server: MediaServer
    ways: Ways  # by `at`
    names: tuple[Origin, ...]  # the origins that are this server; ours too, which we tell it in X-Forwarded-Host
    finder: Finder
    _elsewhere: Mapping[str, frozenset[Origin]]  # by `at`, the addresses that only other names mean
    _credentials: Credentials
    _hosts: Mapping[str, str]  # by `at`
    _own: re.Pattern[str]
    _home: re.Pattern[bytes]
    embedding: Embedding
    passed: Mapping[str, tuple[str, bool]]  # what the policy adds to the headers that are sent on
    # Of the grant, where credentials need something of it.
    _values: Variables = field(default_factory=dict, repr=False)
    _live: LiveGrant | None = field(default=None, repr=False)

    @classmethod
    def of(cls, server: MediaServer, embedding: Embedding) -> Facing:
        """`embedding`: who may frame the server's pages."""
        credentials = server.policy.credentials
        addresses = server.config.addresses
        home = (*dict.fromkeys(addresses.values()), *server.config.also_known_as)
        return cls(
            server=server,
            ways=server.at,
            names=(*home, server.config.public),
            finder=_finder(server, credentials.spellings()),
            _elsewhere={
                at: frozenset(addresses.values()) - {origin, *server.config.also_known_as, server.config.public}
                for at, origin in addresses.items()
            },
            _credentials=credentials,
            _hosts={at: origin.netloc for at, origin in addresses.items()},
            _own=_spelled([origin for origin in home if origin != server.config.public]),
            _home=spelled([origin for origin in home if origin != server.config.public]),
            embedding=embedding,
            passed=passed_on(server.policy.passed),
        )

    def towards(self, live: LiveGrant) -> Facing:
        """The same for one grant, where it has credentials of its own."""
        policy, texts, scope = self.server.policy, self._credentials.spellings(), live.scope
        hidden = tuple(
            one for name in scope.kind.hidden for one in scope.variables.get(name, ()) if len(one) >= _HIDDEN
        )
        if not policy.jwts and not policy.cookies and not hidden:
            return self
        values: Variables = {}
        texts += hidden
        if policy.jwts:
            values = scope.variables
            # A token that the guest's own page has in its address is no secret to him.
            texts += live.tokens_but(scope.kind.shown_tokens)
        return replace(self, finder=_finder(self.server, texts, live), _values=values, _live=live)

    @property
    def injected(self) -> frozenset[str]:
        """Pairs that we add to queries, as they are spelled there."""
        if not self._credentials.query:
            return _NONE
        pairs = self._credentials.pairs(self._values)
        sign_in = self.server.sign_in
        if sign_in is not None:
            pairs += tuple(filled for pair in pairs for filled in sign_in.fillings(pair))
        return frozenset(pairs)

    def request(
        self,
        target: Target,
        headers: CIMultiDictProxy[str],
        client: str,
        *,
        whole: bool = False,
        put: SentHeaders = (),
        at: str = "",
    ) -> tuple[str, list[tuple[str, str]]]:
        """Target and headers for the server; see `towards_server`."""
        public, credentials = self.server.config.public, self._credentials.sent_headers(self._values)
        if self._live is not None and self.server.policy.cookies:
            cookies = self._cookies(self._live, target, headers)
            credentials = (*credentials, ("Cookie", cookies)) if cookies else credentials
        return self._credentials.into(target.sent, self._values), towards_server(
            headers,
            host=self._hosts[at],
            client=client,
            scheme=public.scheme,
            public_host=public.netloc,
            credentials=credentials,
            whole=whole,
            passed=self.passed,
            put=put,
        )

    def _cookies(self, live: LiveGrant, target: Target, headers: CIMultiDictProxy[str]) -> str:
        """Those that are kept for this grant, and the guest's own."""
        rules = self.server.policy.cookies
        pairs = kept_pairs(rules, live.grant.brought, target.text, _now())
        return header([*pairs, *guest_pairs(rules, headers.getall("Cookie", ()))])

    def kept(self, lines: Sequence[str], target: Target) -> Variables:
        """What is to be kept of the cookies that an answer sets; only what changes something."""
        if self._live is None or not lines:
            return {}
        return taken(self.server.policy.cookies, lines, target.text, self._live.grant.brought, _now())

    def cookie_lines(self, lines: Sequence[str], *, framed: bool) -> list[str]:
        """What the guest's browser is to hear of them. None outlives his grant."""
        rules, public = self.server.policy.cookies, self.server.config.public
        if self._live is None or not rules.guest or not lines:
            return []
        now, found = _now(), []
        rest = max(0, self._live.grant.ends_at - now) // 1000
        for one in for_guest(rules, lines, now):
            if self.leaks(one.value) or (one.name.lower().startswith("__") and not public.secure):
                continue
            line = f"{one.name}={'' if one.over(now) else one.value}; Path=/"
            line += "; HttpOnly" if one.http_only else ""
            if framed:
                line += "; SameSite=None; Secure; Partitioned"
            else:
                line += f"; SameSite={'Strict' if one.strict else 'Lax'}{'; Secure' if public.secure else ''}"
            if one.over(now):
                line += f"; {DELETED}"
            elif one.ends is not None:
                line += f"; Max-Age={min(rest, (one.ends - now) // 1000)}"
            found.append(line)
        return found

    def names_of(self, at: str) -> tuple[Origin, ...]:
        """As `names`, without the other addresses of the server."""
        others = self._elsewhere[at]
        return tuple(one for one in self.names if one not in others) if others else self.names

    def elsewhere(
        self, place: Place, headers: CIMultiDictProxy[str], *, whole: bool
    ) -> tuple[Upstream, str, list[tuple[str, str]]]:
        """Another origin of the policy, and what it gets: no credential, no forwarded header."""
        upstream = self.server.elsewhere[place.origin]
        return upstream, place.target.sent, towards_elsewhere(headers, host=upstream.origin.netloc, whole=whole)

    @property
    def rewrites(self) -> bool:
        """Whether texts of this server are changed on their way: by its policy, or since it is known to write
        addresses that are not ours."""
        policy = self.server.policy
        return bool(policy.drop or policy.replace or self.server.config.also_known_as)

    def brought_home(self, text: bytes) -> bytes:
        """A text in which the server's own addresses are ours; the very same where there is none."""
        config = self.server.config
        homes = (*config.addresses.values(), *config.also_known_as)
        return brought_home(text, self._home, config.public, homes)

    def flowing(self, variables: Variables, content_type: str) -> FlowingWords:
        """Both of these for a text that is not held as a whole."""
        words = self.rewriter(variables).flowing(content_type)
        config = self.server.config
        home = Exchanging(
            self._home, partial(ours, config.public), reach((*config.addresses.values(), *config.also_known_as))
        )
        return FlowingWords(words, home) if words is not None else FlowingWords(home)

    def rewriter(self, variables: Variables) -> Rewriter:
        policy = self.server.policy
        return Rewriter.of(policy.drop, policy.replace, variables)

    def answer(self, headers: MultiMapping[str], *, page: bool, beside: bool = False) -> CIMultiDict[str]:
        """An answer's headers for the guest; see `towards_guest`. `beside`: the player page has it in a frame."""
        embedding = replace(self.embedding, own=True) if beside else self.embedding
        return towards_guest(headers, page=page, leaks=self.leaks, public=self._public, embedding=embedding)

    def leaks(self, value: str) -> bool:
        """Whether this would tell a credential, or the server's address behind us."""
        if self.finder.found_in(value):
            return True
        return ("/" in value or "%" in value) and self._own.search(value) is not None

    def _public(self, text: str) -> str:
        public = self.server.config.public

        def ours(match: re.Match[str]) -> str:
            scheme = match["scheme"]
            if scheme is None:
                return f"//{public.netloc}"
            mine = {"http": public.scheme, "ws": "wss" if public.secure else "ws"}[scheme.lower().removesuffix("s")]
            return f"{mine}://{public.netloc}"

        return self._own.sub(ours, text)


def _finder(server: MediaServer, texts: tuple[str, ...], live: LiveGrant | None = None) -> Finder:
    """Of these, of what a sign-in has brought by then, and of the cookies that are kept for a grant by then."""
    sign_in, keeps = server.sign_in, live is not None and bool(server.policy.cookies.kept)
    if sign_in is None and live is None:
        return CredentialFinder(texts)

    def secrets() -> tuple[str, ...]:
        found = (*texts, *sign_in.known) if sign_in is not None else texts
        return (*found, *kept_secrets(live.grant.brought)) if keeps and live is not None else found

    return ChangingFinder(secrets)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _spelled(origins: list[Origin]) -> re.Pattern[str]:
    """Finds these origins in a text, with or without scheme, plain, escaped or percent-encoded."""
    if not origins:
        return re.compile(r"(?P<scheme>)(?!)")
    places = host_spellings(origins)
    slash = r"(?:\\?/|%2F)"
    colon = r"(?::|%3A)"
    return re.compile(
        rf"(?:(?P<scheme>https?|wss?){colon})?{slash}{slash}(?:{'|'.join(places)})(?![A-Za-z0-9:-]|\.[A-Za-z0-9])",
        re.IGNORECASE,
    )
