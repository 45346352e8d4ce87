"""A compiled policy: values that only `compile` makes and everybody reads."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from gateway.ceilings import Ceilings
from gateway.policy.automaton import Automaton, Graph
from gateway.policy.bodies import Answering, Body
from gateway.policy.capture import Capture
from gateway.policy.decide import Scope, Variables
from gateway.policy.follow import Follow, Place, place_elsewhere
from gateway.policy.jar import CookieRules
from gateway.policy.jsonpath import AnswerPath
from gateway.policy.login import Login, holds_mark
from gateway.policy.messages import Messages
from gateway.policy.minting import Minter
from gateway.policy.page_address import PageAddress
from gateway.policy.pattern import Pattern
from gateway.policy.request import StepRequest, Words
from gateway.policy.sending import Send
from gateway.policy.stanzas import Stanzas
from gateway.policy.target import Ambiguity, Pair, Target, parse_target
from gateway.policy.template import PATH_VALUE, Part, PathTemplate, QueryTemplate, Variable, render
from gateway.policy.written import ExamplesDocument
from gateway.yaml_source import Fault, Way

_BOUND = 512
_NO_VALUES: Variables = {}


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One allowed request. `file`, `line` and `column` tell where it is written."""

    text: str
    file: str
    line: int
    column: int
    page: bool
    methods: frozenset[str]
    path: PathTemplate
    query: QueryTemplate
    group: str | None = None
    send: Send | None = None
    body: Body | None = None
    answer: Answering | None = None
    captures: tuple[Capture, ...] = ()
    protocol: str | None = None  # of a websocket
    messages: Messages | Stanzas | None = None
    follow: Follow | None = None
    at: str = ""  # the address of the server that is asked; "" is the main one

    def takes(self, method: str) -> bool:
        """GET covers HEAD (RFC 9110 9.3.2); a handshake is asked for as WS and by nothing else."""
        return method in self.methods or (method == "HEAD" and "GET" in self.methods)

    @property
    def variables(self) -> tuple[str, ...]:
        sent = (*(self.send.variables if self.send else ()), *(self.body.variables if self.body else ()))
        sent += self.messages.variables if self.messages else ()
        return (*self.path.variables, *self.query.variables, *sent)

    @property
    def pinned(self) -> tuple[str, ...]:
        """Names of the query that this rule holds to something."""
        return (*self.query.pinned, *(self.send.pinned if self.send else ()))

    @property
    def mark(self) -> bytes:
        """Names this rule in signed URLs, on every worker alike."""
        return self.follow.mark if self.follow is not None else hashlib.sha256(self.text.encode()).digest()[:6]

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Address:
    """A template that the gateway itself fills: where guests land, what the player plays."""

    path: tuple[Part, ...]
    query: tuple[Part, ...]
    whole: bool  # the whole of it is one variable, which may hold a URL of this server
    home: tuple[str, ...] = ()
    fragment: tuple[Part, ...] = ()  # what the page's own scripts read and no server is told

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(part.name for part in (*self.path, *self.query, *self.fragment) if isinstance(part, Variable))

    def whole_address(self, values: Variables) -> str | None:
        """As a browser is sent there, with the fragment."""
        address, fragment = self.render(values), render(self.fragment, values, safe="=&")
        return f"{address}#{fragment}" if address is not None and fragment else address

    def render(self, values: Variables) -> str | None:
        if self.whole:
            name = getattr(self.path[0], "name", "")
            found = [canonical_home(value, self.home) for value in values.get(name, ())]
            return next((target.sent for target in found if target is not None), None)
        path = render(self.path, values, safe="/", safe_in_values="/")
        if path is None or not self.query:
            return path
        query = render(self.query, values, safe="=&")
        return None if query is None else f"{path}?{query}"


@dataclass(frozen=True, slots=True)
class Player:
    src: Address
    poster: Address | None
    file: Address | None
    as_: str  # "": as the ending of its address says
    chat: Address | None = None  # the page that stands beside it, where that interaction is on


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    guest_access: bool
    rules: tuple[Rule, ...]
    graph: Graph = field(repr=False)
    whole_names: frozenset[str]
    path_names: frozenset[str]
    page_addresses: tuple[PageAddress, ...]
    open: Address | None
    player: Player | None
    any_case: bool = False  # literals of paths match in any case
    told: frozenset[str] = frozenset()  # what of a guest the media server gets to know: name, email
    prepare: tuple[Step, ...] = ()
    unasked: frozenset[str] = frozenset()  # what steps of prepare would bring whose group is off
    release: tuple[StepRequest, ...] = ()
    # Names of prepare that are a part of some path, and so must not bring a slash of their own.
    segments: frozenset[str] = frozenset()
    beside: str = ""  # media that flows around the gateway: webrtc
    exclusive: bool = False  # its requests do not name the item: a browser holds one such grant of a server
    # Variables that answers of the media server may give to a grant while it lives.
    captured: frozenset[str] = frozenset()
    # Those of `jwt` that the guest's own page has in its address, and so he knows them.
    shown_tokens: frozenset[str] = frozenset()
    # Names of prepare that rules send in headers and no address that a guest sees holds: the grant's own credentials.
    hidden: frozenset[str] = frozenset()
    download: Address | None = None  # what the player page offers to take along
    captions: bool = True  # whether the player page offers captions
    groups: frozenset[str] = frozenset()  # of interactions, those that are on

    @property
    def renew(self) -> int | None:
        """ms after which something that was prepared is asked for anew."""
        return min((step.renew for step in self.prepare if step.renew is not None), default=None)


@dataclass(frozen=True, slots=True)
class Check:
    """A status or a value in an answer that tells something about the item."""

    status: int | None
    path: AnswerPath | None
    value: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One request the gateway makes to learn about an item, or to have the server prepare for a guest."""

    request: StepRequest
    id: AnswerPath | None
    gone: tuple[Check, ...]
    not_started: tuple[Check, ...]
    ended: tuple[Check, ...]
    vars: Mapping[str, AnswerPath]
    was_live: AnswerPath | None = None  # of resolve: when the item was last on the air
    # Of prepare: asked anew whenever a page is opened ("page"), or the guest comes by the link ("visit").
    each: str = ""
    renew: int | None = None  # of prepare: ms after which it is asked anew
    # Of prepare: the group of interactions that it is for. The guest comes in without what it would have brought.
    group: str = ""

    def at_home(self, origins: tuple[str, ...]) -> Step:
        return dataclasses.replace(self, request=self.request.at_home(origins))


@dataclass(frozen=True, slots=True)
class ItemRule:
    pattern: Pattern
    steps: tuple[Step, ...]
    kind_path: AnswerPath | None
    kind_values: Mapping[str, str]
    ignore_case: bool = False

    def spelled(self, text: str) -> str:
        """What was pasted, an id or a page's address, in the letters that ids are kept in."""
        return text.strip().lower() if self.ignore_case else text.strip()

    def variables(self, item: str) -> dict[str, tuple[str, ...]] | None:
        """`id` and its named parts; None when this can't be an id of this server."""
        if not 0 < len(item) <= 512:
            return None
        parts = self.pattern.parts(item)
        if parts is None:
            return None
        return {"id": (item,), **{name: (text,) for name, text in parts.items()}}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is injected towards the upstream, and so must never come back to a guest."""

    headers: tuple[tuple[str, Words], ...] = field(default=(), repr=False)
    query: tuple[tuple[str, Words], ...] = field(default=(), repr=False)
    basic: str | None = field(default=None, repr=False)
    more: tuple[str, ...] = field(default=(), repr=False)  # what else must not come back: of login, of a key

    def __bool__(self) -> bool:
        return bool(self.headers or self.query or self.basic or self.more)

    def into(self, target: str, values: Variables = _NO_VALUES) -> str:
        """A canonical target with the query credentials added. What needs a variable that is not there is left
        out, here and in the headers: before there is a guest there is no token for one."""
        for pair in self.pairs(values):
            target += ("&" if "?" in target else "?") + pair
        return target

    def pairs(self, values: Variables = _NO_VALUES) -> tuple[str, ...]:
        """Those of the query, as they are spelled there."""
        filled = ((name, words.filled(values)) for name, words in self.query)
        return tuple(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in filled if value is not None)

    def sent_headers(self, values: Variables = _NO_VALUES) -> tuple[tuple[str, str], ...]:
        filled = ((name, words.filled(values)) for name, words in self.headers)
        found = tuple((name, value) for name, value in filled if value is not None)
        if self.basic is None:
            return found
        token = base64.b64encode(self.basic.encode()).decode()
        return (*found, ("Authorization", f"Basic {token}"))

    def names(self) -> tuple[str, ...]:
        """Of all headers that are set, whatever they hold."""
        return (*(name for name, _ in self.headers), *(("Authorization",) if self.basic is not None else ()))

    def before_login(self) -> tuple[tuple[str, str], ...]:
        """The headers that a sign-in can be sent with: those that need nothing of it."""
        return tuple(pair for pair in self.sent_headers() if not holds_mark(pair[1]))

    def query_before_login(self) -> tuple[str, ...]:
        return tuple(pair for pair in self.pairs() if not holds_mark(pair))

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(name for _, words in (*self.headers, *self.query) for name in words.variables)

    def spellings(self) -> tuple[str, ...]:
        """Every text whose appearance in an answer would give a credential away, longest first: the
        values, the part behind a scheme word (`Bearer x`), a basic pair and its password."""
        # What stands around a secret that changes (`Bearer {login.token}`) is none.
        plain = (words for _, words in (*self.headers, *self.query) if not words.variables)
        found = {text for text in (words.filled({}) for words in plain) if text and not holds_mark(text)}
        found |= set(self.more)
        for value in tuple(found):
            for separator in (" ", "="):
                tail = value.rpartition(separator)[2].strip('"')
                if len(tail) >= 8:
                    found.add(tail)
        if self.basic is not None:
            found |= {self.basic, base64.b64encode(self.basic.encode()).decode()}
            password = self.basic.partition(":")[2]
            if len(password) >= 4:
                found.add(password)
        return tuple(sorted(found, key=lambda text: (-len(text), text)))


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules for one kind of server."""

    name: str
    title: str
    verified: str
    file: str
    protects_itself: bool
    item: ItemRule
    kinds: Mapping[str, Kind]
    links_per_item: int
    on_revoke: str
    preview: str  # what previews of a link may say of the item: nothing, or its title
    cast: int | None  # ms for which signed URLs open without the guest's cookie; None: never
    ceilings: Ceilings
    interactions: frozenset[str]
    pinned: frozenset[str]
    credentials: Credentials
    login: Login | None
    jwts: tuple[Minter, ...]
    origins: tuple[str, ...]  # other hosts that followed addresses may name
    examples: ExamplesDocument
    drop: tuple[AnswerPath, ...] = ()  # fields taken out of answers
    replace: tuple[tuple[str, tuple[Part, ...]], ...] = ()  # literal texts in answers and what takes their place
    # Names that rules and steps in force give to addresses of the server, and where each is written first; then
    # those of groups that are off as well.
    ats: Mapping[str, str] = field(default_factory=dict)
    ats_named: frozenset[str] = frozenset()
    cookies: CookieRules = field(default_factory=CookieRules)
    passed: tuple[str, ...] = ()  # further request headers, as the policy spells them
    warnings: tuple[Fault, ...] = ()
    # Origins that are this server when a variable holds a whole URL: its upstream and other names.
    home: tuple[str, ...] = ()
    # Places of things that examples report on.
    places: Mapping[Way, tuple[int, int]] = field(default_factory=dict, repr=False)
    _bound: OrderedDict[Any, Automaton] = field(default_factory=OrderedDict, repr=False, compare=False)

    def begins(self, kind: Kind) -> bool:
        """Whether the server is asked if an item of this kind has begun."""
        return any(step.not_started for step in (*self.item.steps, *kind.prepare))

    def at_home(self, origins: tuple[str, ...]) -> Policy:
        """This policy for a server that answers under these origins (`http://host:port`)."""

        def move(address: Address | None) -> Address | None:
            return dataclasses.replace(address, home=origins) if address else None

        kinds = {}
        for name, kind in self.kinds.items():
            player = kind.player
            if player is not None:
                player = dataclasses.replace(
                    player,
                    src=dataclasses.replace(player.src, home=origins),
                    poster=move(player.poster),
                    file=move(player.file),
                )
            kinds[name] = dataclasses.replace(
                kind,
                open=move(kind.open),
                player=player,
                download=move(kind.download),
                prepare=tuple(step.at_home(origins) for step in kind.prepare),
                release=tuple(request.at_home(origins) for request in kind.release),
            )
        item = dataclasses.replace(self.item, steps=tuple(step.at_home(origins) for step in self.item.steps))
        return dataclasses.replace(self, home=origins, kinds=kinds, item=item, _bound=OrderedDict())

    def recognise(self, url: str) -> tuple[str, str | None] | None:
        """The item and kind that a pasted page address means; kind None where several kinds share it."""
        found: dict[str, set[str]] = {}
        url = self.item.spelled(url)
        for kind in self.kinds.values():
            for address in kind.page_addresses:
                item = address.recognise(url)
                if item is not None:
                    found.setdefault(item, set()).add(kind.name)
        if len(found) != 1:
            return None
        ((item, kinds),) = found.items()
        return item, next(iter(kinds)) if len(kinds) == 1 else None

    def scope(self, kind: str, variables: Variables) -> Scope:
        """What a grant with these variables reaches. Raises KeyError for a kind the policy has not."""
        of = self.kinds[kind]
        whole: dict[str, dict[str, frozenset[tuple[Pair, ...]]]] = {}
        elsewhere: dict[str, tuple[Place, ...]] = {}
        values = dict(variables)
        for name in of.whole_names:
            places = [place_elsewhere(value, self.origins) for value in variables.get(name, ())]
            elsewhere[name] = tuple(place for place in places if place is not None)
            paths: dict[str, frozenset[tuple[Pair, ...]]] = {}
            for value in variables.get(name, ()):
                target = canonical_home(value, self.home)
                if target is not None:
                    paths[target.text] = paths.get(target.text, frozenset()) | {target.pairs}
            whole[name] = paths
            values[PATH_VALUE + name] = tuple(paths)
        # Grants of one item mostly agree in what their paths use, and then share an automaton.
        key = (kind, tuple((name, values.get(name, ())) for name in sorted(of.path_names)))
        automaton = self._bound.get(key)
        if automaton is None:
            automaton = self._bound[key] = Automaton(of.graph, values)
            if len(self._bound) > _BOUND:
                self._bound.popitem(last=False)
        return Scope(of, variables, automaton, self.pinned, whole, values, elsewhere)


def canonical_home(value: str, home: tuple[str, ...]) -> Target | None:
    """A path, or a URL of this server, as a canonical target; None for anything else."""
    if not value.startswith("/"):
        try:
            parts = urlsplit(value)
            host = (parts.hostname or "").lower()
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:
            return None
        if "@" in parts.netloc or f"{parts.scheme}://{host}:{port}" not in home:
            return None
        value = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    value = value.partition("#")[0]
    target = parse_target(value)
    return None if isinstance(target, Ambiguity) else target
