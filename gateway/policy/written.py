"""What a policy says, as values: its shape is checked, its names are not looked up yet.

Each text keeps its way in the file, so that whoever looks it up can say where a fault stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.ceilings import Ceilings
from gateway.yaml_source import Way

ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Said:
    """A text and where it stands."""

    text: str
    way: Way


@dataclass(frozen=True, slots=True)
class TokenDocument:
    """A pattern that is a claim of a token: `{jwt: {claim: value}}`."""

    way: Way
    claim: str
    value: Said


@dataclass(frozen=True, slots=True)
class GraphqlDocument:
    """A pattern that is a GraphQL document: by kind of operation the fields at its root, None for any."""

    way: Way
    allowed: Mapping[str, tuple[Said, ...] | None]


@dataclass(frozen=True, slots=True)
class FollowDocument:
    """Without `to`: the answer's own folder and below."""

    way: Way
    as_: Said
    to: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class RuleDocument:
    text: str  # as written, for explanations
    way: Way
    page: bool
    methods: tuple[str, ...]  # "WS" stands alone
    target: str
    group: str | None = None
    send: SendDocument | None = None
    body: BodyDocument | None = None
    answer: AnswerDocument | None = None
    capture: Mapping[str, Said] = field(default_factory=dict)
    socket: SocketDocument | None = None
    follow: FollowDocument | None = None
    at: Said | None = None


@dataclass(frozen=True, slots=True)
class SocketDocument:
    """What a rule says of a websocket. Neither `messages` nor `stanzas`: every frame passes. `first`: a key that is
    there."""

    way: Way
    first: str
    protocol: Said | None
    messages: tuple[tuple[Any, Way], ...] | None
    binary: bool
    stanzas: tuple[tuple[Any, Way], ...] | None = None


@dataclass(frozen=True, slots=True)
class BodyDocument:
    """`json`, `body` and `max` of a rule, as they are written."""

    way: Way
    has_json: bool
    json: Any
    has_type: bool
    type: Said | None
    max: Any
    max_way: Way


@dataclass(frozen=True, slots=True)
class AnswerDocument:
    way: Way
    status: Any
    json: Any
    xml: Any = None


@dataclass(frozen=True, slots=True)
class SendDocument:
    """Names and what they are set to; None removes."""

    way: Way
    query: Mapping[str, Said | None]
    headers: Mapping[str, Said | None]


@dataclass(frozen=True, slots=True)
class Condition:
    """A status, or a value at a path of the answer."""

    way: Way
    status: int | None = None
    path: str | None = None
    value: Any = None


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """What a request's body is to be; texts in it are templates."""

    data: Any
    way: Way


@dataclass(frozen=True, slots=True)
class ChecksumDocument:
    name: Said
    algorithm: str
    over: Said = field(repr=False)  # holds a secret


@dataclass(frozen=True, slots=True)
class StepDocument:
    """A request that the gateway makes itself, and what its answer tells."""

    request: Said
    json: JsonDocument | None = None
    headers: Mapping[str, Said] = field(default_factory=dict)
    checksum: ChecksumDocument | None = None
    id: Said | None = None
    gone: tuple[Condition, ...] = ()
    not_started: tuple[Condition, ...] = ()
    ended: tuple[Condition, ...] = ()
    was_live: Said | None = None  # of resolve
    vars: Mapping[str, Said] = field(default_factory=dict)
    # Of prepare: asked anew at each page, or after a while.
    each: Said | None = None
    renew: Any = None
    renew_way: Way = ()
    # Of prepare: the group of interactions that it is for.
    group: Said | None = None
    at: Said | None = None


@dataclass(frozen=True, slots=True)
class LoginDocument:
    """How the gateway signs in; texts stand as they are written, and no variables in them."""

    way: Way
    request: Said
    secrets: Mapping[str, Said]
    again: tuple[Any, ...] | None
    json: Any = field(default=None, repr=False)
    form: Mapping[str, Said] | None = field(default=None, repr=False)
    headers: Mapping[str, Said] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class JwtDocument:
    way: Way
    as_: Said
    alg: Said
    minutes: Any
    claims: JsonDocument | None
    key: Said = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlayerDocument:
    way: Way
    src: Said
    poster: Said | None
    file: Said | None
    as_: Said | None
    chat: Said | None = None


@dataclass(frozen=True, slots=True)
class KindDocument:
    name: str
    way: Way
    guest_access: bool = True
    page_urls: tuple[Said, ...] = ()
    open: Said | None = None
    player: PlayerDocument | None = None
    allow: tuple[RuleDocument, ...] = ()
    prepare: tuple[StepDocument, ...] = ()
    release: tuple[StepDocument, ...] = ()
    exclusive: bool = False
    beside: Said | None = None
    groups: tuple[Said, ...] = ()  # of interactions, those without a rule too


@dataclass(frozen=True, slots=True)
class ExamplesDocument:
    id: Said | None = None
    kind: Said | None = None
    vars: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    allow: tuple[Said, ...] = ()
    deny: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    title: str
    verified: str
    protects_itself: bool
    item_id: Said
    steps: tuple[StepDocument, ...]
    kind_path: Said | None
    kind_values: Mapping[str, Said]
    patterns: Mapping[str, Said]
    tokens: Mapping[str, TokenDocument]
    graphql: Mapping[str, GraphqlDocument]
    kinds: Mapping[str, KindDocument]
    shared: tuple[RuleDocument, ...]
    links_per_item: int
    on_revoke: str
    preview: str
    cast: int | None  # ms
    ceilings: Ceilings
    interactions: tuple[Said, ...]
    headers: Mapping[str, Said] = field(repr=False)
    query: Mapping[str, Said] = field(repr=False)
    basic: Said | None = field(repr=False)
    cookies: tuple[tuple[Said, bool], ...] = ()  # a name, and whether it is the guest's own
    login: LoginDocument | None = None
    jwts: tuple[JwtDocument, ...] = ()
    examples: ExamplesDocument = field(default_factory=ExamplesDocument)
    origins: tuple[Said, ...] = ()
    passed: tuple[Said, ...] = ()
    small_ids: bool = False
    any_case: bool = False
    drop: tuple[Said, ...] = ()
    replace: Mapping[str, Said] = field(default_factory=dict)
