"""The policy language, as far as this version speaks it: from YAML to checked, uncompiled values.

    server: text                        what the server is called                          needed
    verified: text                      which version it was tried with, when, by which test
    protects_itself: true|false         every media request of the server needs its own login
    item:                                                                                  needed
      id: pattern                       full match; named parts become variables           needed
      resolve: [{request, json, headers, checksum, id, gone, not_started, ended, vars}]
      kind: {path: {value: kind}}
    patterns: {name: pattern}
    kinds:                                                                                 needed
      NAME:
        like: other kind                start from that one's keys
        guest_access: true|false
        page_urls: [template]
        open: template  |  player: {src, poster, file, as}         one of them
        prepare: [{request, json, headers, checksum, gone, not_started, ended, vars}]     once per admission
        release: [METHOD /path, or {request, json, headers, checksum}]                    when the grant ends
        exclusive: true|false           a browser holds one such grant of the server
        allow: [rule]
        interactions: {group: [rule]}
    shared: [rule]
    origins: [https origin]             other hosts that `to` may name
    paths: {ignore_case: true|false}    literals match in any case and are sent as written; variables stay exact
    pass: [header]                      further request headers of the guest's to send on
    drop: [JSON path]                   fields removed from answers
    replace: {text: template}           literal text exchanged in answers
    guest_access: {links_per_item, on_revoke: drain|cut, interactions: [group], preview: nothing|title,
                   default_days, max_days, max_clicks, require: [days|clicks|pin]}
    upstream: {headers: {}, query: {}, basic: "user:password"}
    checksum: {name, sha1|sha256|sha384|sha512: template with {query}}        signs the query of its request
    examples: {with: {id, kind, vars}, allow: [request], deny: [request]}

    rule: [page] METHOD[,METHOD] path[?query], or {request: that, and}
        send: {query: {name: template|null}, headers: {name: template|null}}
        json: shape, max: size          what of a JSON body passes (see `shapes`), and how large it may come
        body: {type, max}               a raw body of one media type
        answer: {status, json}          by the gateway; the server is not asked
        capture: {name: "Header: template" or JSON path}     what the answer gives to this grant alone
        protocol: name                  the websocket subprotocol that is asked for
        messages: [shape with max]      frames the guest may send, written anew (see `messages`)
        binary: true|false              beside messages: binary frames pass
        follow: {as: hls, to: [path or address]}     what the answer names there becomes reachable (see `follow`)

Why every key that the language has but this version has not is an error, and says so: an operator who
writes `send:` relies on it, and a policy that is looser than it reads is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.ceilings import Ceilings, read_ceilings
from gateway.yaml_source import KEY, Source, Way, did_you_mean

ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_LATER = {
    "policy": ("cookies",),
    "step": ("body", "at", "send"),
    "prepare": ("each", "renew", "body", "at", "send"),
    "kind": ("beside",),
    "rule": (
        "coalesce", "at",
    ),
    "guest_access": ("cast",),
    "upstream": ("login", "jwt", "checksum"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A text and where it stands."""

    text: str
    way: Way


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


@dataclass(frozen=True, slots=True)
class RuleKeys:
    """What the long form of a rule adds."""

    send: SendDocument | None = None
    body: BodyDocument | None = None
    answer: AnswerDocument | None = None
    capture: Mapping[str, Said] = field(default_factory=dict)
    socket: SocketDocument | None = None
    follow: FollowDocument | None = None


@dataclass(frozen=True, slots=True)
class SocketDocument:
    """What a rule says of a websocket. `messages` None: every frame passes. `first`: a key that is there."""

    way: Way
    first: str
    protocol: Said | None
    messages: tuple[tuple[Any, Way], ...] | None
    binary: bool


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
    vars: Mapping[str, Said] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlayerDocument:
    way: Way
    src: Said
    poster: Said | None
    file: Said | None
    as_: Said | None


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
    kinds: Mapping[str, KindDocument]
    shared: tuple[RuleDocument, ...]
    links_per_item: int
    on_revoke: str
    preview: str
    ceilings: Ceilings
    interactions: tuple[Said, ...]
    headers: Mapping[str, Said] = field(repr=False)
    query: Mapping[str, Said] = field(repr=False)
    basic: Said | None = field(repr=False)
    examples: ExamplesDocument = field(default_factory=ExamplesDocument)
    origins: tuple[Said, ...] = ()
    passed: tuple[Said, ...] = ()
    any_case: bool = False
    drop: tuple[Said, ...] = ()
    replace: Mapping[str, Said] = field(default_factory=dict)


def read_document(source: Source) -> PolicyDocument | None:
    """Check the shape of a policy; faults are noted in `source`.

    What is wrong is replaced by something harmless, so that whoever compiles finds the rest of the
    faults too. None for a text that is no YAML at all: what would be missing is no news then.
    """
    if source.faults and source.data is None:
        return None
    return _Reader(source).policy()


class _Reader:
    """Reads shapes. Whatever is wrong is noted and replaced by something harmless, to find the rest."""

    def __init__(self, source: Source) -> None:
        self.source = source

    # --- shapes ---

    def mapping(self, data: Any, way: Way, known: tuple[str, ...], later: str = "") -> dict[str, Any]:
        if data is None:
            return {}
        if not isinstance(data, dict):
            self.source.fault(way, "must be a mapping (key: value)")
            return {}
        to_come = _LATER.get(later, ())
        for key, value in data.items():
            if key in known:
                continue
            if key in to_come:
                # Empty and false mean the same as absent.
                if value not in ({}, [], None, False):
                    self.source.fault((*way, key, KEY), f"{key}: this version does not implement it")
            else:
                self.source.fault((*way, key, KEY), f"{key}: unknown key{did_you_mean(key, (*known, *to_come))}")
        return data

    def names(self, data: Any, way: Way) -> dict[str, Any]:
        """A mapping whose keys the operator chose."""
        if data is None:
            return {}
        if not isinstance(data, dict):
            self.source.fault(way, "must be a mapping (name: value)")
            return {}
        return data

    def items(self, data: Any, way: Way) -> list[tuple[Any, Way]]:
        if data is None:
            return []
        if not isinstance(data, list):
            self.source.fault(way, "must be a list")
            return []
        return [(item, (*way, index)) for index, item in enumerate(data)]

    def text(self, data: Any, way: Way) -> Said:
        if not isinstance(data, str):
            hint = "" if isinstance(data, (dict, list)) or data is None else "; write it in quotes"
            self.source.fault(way, f"must be text{hint}")
            return Said("", way)
        return Said(data, way)

    def optional(self, data: Mapping[str, Any], key: str, way: Way) -> Said | None:
        return self.text(data[key], (*way, key)) if data.get(key) is not None else None

    def flag(self, data: Mapping[str, Any], key: str, way: Way, default: bool) -> bool:
        value = data.get(key, default)
        if not isinstance(value, bool):
            self.source.fault((*way, key), f"{key}: must be true or false")
            return default
        return value

    def needed(self, data: Mapping[str, Any], key: str, way: Way) -> Said:
        if data.get(key) is None:
            self.source.fault(way, f"{key}: is missing")
            return Said("", way)
        return self.text(data[key], (*way, key))

    # --- the document ---

    def policy(self) -> PolicyDocument:
        known = (
            "server", "verified", "protects_itself", "item", "patterns", "kinds", "shared",
            "paths", "pass", "drop", "replace", "guest_access", "upstream", "examples", "origins",
        )  # fmt: skip
        if self.source.data is not None and not isinstance(self.source.data, dict):
            self.source.fault((), "a policy is a mapping that begins with server:")
            self.source.data = None
        data = self.mapping(self.source.data, (), known, "policy")
        title = self.needed(data, "server", ())
        verified = self.optional(data, "verified", ())
        if data.get("item") is None:
            self.source.fault((), "item: is missing")
        item = self.mapping(data.get("item"), ("item",), ("id", "resolve", "kind"))
        item_id = self.needed(item, "id", ("item",)) if data.get("item") is not None else Said("", ())
        keys = ("request", "json", "headers", "checksum", "id", "gone", "not_started", "ended", "vars")
        steps = tuple(self.step(step, way, keys) for step, way in self.items(item.get("resolve"), ("item", "resolve")))
        kind_path, kind_values = self.kind_choice(item.get("kind"), ("item", "kind"))
        patterns = {
            name: self.pattern(value, ("patterns", name))
            for name, value in self.names(data.get("patterns"), ("patterns",)).items()
        }
        kinds = self.kinds(data.get("kinds"))
        if not kinds and not self.source.faults:
            self.source.fault(("kinds",), "kinds: at least one is needed")
        access = self.mapping(
            data.get("guest_access"),
            ("guest_access",),
            (
                "links_per_item", "on_revoke", "interactions", "preview",
                "default_days", "max_days", "max_clicks", "require",
            ),
            "guest_access",
        )  # fmt: skip
        links = access.get("links_per_item", 3)
        if isinstance(links, bool) or not isinstance(links, int) or not 1 <= links <= 1_000:
            self.source.fault(("guest_access", "links_per_item"), "links_per_item: a whole number from 1 to 1000")
            links = 3
        on_revoke = access.get("on_revoke", "drain")
        if on_revoke not in ("drain", "cut"):
            self.source.fault(("guest_access", "on_revoke"), "on_revoke: drain or cut")
            on_revoke = "drain"
        preview = access.get("preview", "nothing")
        if preview not in ("nothing", "title"):
            self.source.fault(("guest_access", "preview"), "preview: nothing or title")
            preview = "nothing"
        upstream = self.mapping(data.get("upstream"), ("upstream",), ("headers", "query", "basic"), "upstream")
        return PolicyDocument(
            title=title.text,
            verified=verified.text if verified else "",
            protects_itself=self.flag(data, "protects_itself", (), False),
            item_id=item_id,
            steps=steps,
            kind_path=kind_path,
            kind_values=kind_values,
            patterns=patterns,
            kinds=kinds,
            shared=self.rules(data.get("shared"), ("shared",)),
            links_per_item=links,
            on_revoke=on_revoke,
            preview=preview,
            ceilings=read_ceilings(access, self.ceiling_fault),
            interactions=tuple(
                self.text(name, way)
                for name, way in self.items(access.get("interactions"), ("guest_access", "interactions"))
            ),
            headers=self.texts(upstream.get("headers"), ("upstream", "headers")),
            query=self.texts(upstream.get("query"), ("upstream", "query")),
            basic=self.optional(upstream, "basic", ("upstream",)),
            examples=self.examples(data.get("examples")),
            origins=tuple(self.text(one, way) for one, way in self.items(data.get("origins"), ("origins",))),
            passed=tuple(self.text(name, way) for name, way in self.items(data.get("pass"), ("pass",))),
            drop=tuple(self.text(path, way) for path, way in self.items(data.get("drop"), ("drop",))),
            replace=self.texts(data.get("replace"), ("replace",)),
            any_case=self.flag(
                self.mapping(data.get("paths"), ("paths",), ("ignore_case",)), "ignore_case", ("paths",), False
            ),
        )

    def ceiling_fault(self, way: tuple[str | int, ...], what: str) -> None:
        self.source.fault(("guest_access", *way), f"{way[0]}: {what}")

    def texts(self, data: Any, way: Way) -> dict[str, Said]:
        return {name: self.text(value, (*way, name)) for name, value in self.names(data, way).items()}

    def pattern(self, data: Any, way: Way) -> Said:
        if isinstance(data, dict) and tuple(data) == ("jwt",):
            self.source.fault((*way, "jwt", KEY), "jwt: this version does not implement it")
            return Said("x", way)
        return self.text(data, way)

    def step(self, data: Any, way: Way, keys: tuple[str, ...], later: str = "step") -> StepDocument:
        step = self.mapping(data, way, keys, later)
        if not isinstance(data, dict | None):
            return StepDocument(Said("", way))
        return StepDocument(
            request=self.needed(step, "request", way),
            json=JsonDocument(step["json"], (*way, "json")) if "json" in step else None,
            headers=self.texts(step.get("headers"), (*way, "headers")),
            checksum=self.checksum(step.get("checksum"), (*way, "checksum")),
            id=self.optional(step, "id", way) if "id" in keys else None,
            gone=self.conditions(step.get("gone"), (*way, "gone")),
            not_started=self.conditions(step.get("not_started"), (*way, "not_started")),
            ended=self.conditions(step.get("ended"), (*way, "ended")),
            vars=self.texts(step.get("vars"), (*way, "vars")),
        )

    def checksum(self, data: Any, way: Way) -> ChecksumDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("name", "sha1", "sha256", "sha384", "sha512"))
        if not isinstance(data, dict):
            return None
        name = self.needed(body, "name", way)
        given = [one for one in ALGORITHMS if one in body]
        if len(given) != 1:
            self.source.fault(way, f"checksum: one of {', '.join(ALGORITHMS)} says over what")
            return None
        return ChecksumDocument(name, given[0], self.text(body[given[0]], (*way, given[0])))

    def releases(self, data: Any, way: Way) -> tuple[StepDocument, ...]:
        keys = ("request", "json", "headers", "checksum")
        return tuple(
            self.step(entry, at, keys) if isinstance(entry, dict) else StepDocument(self.text(entry, at))
            for entry, at in self.items(data, way)
        )

    def conditions(self, data: Any, way: Way) -> tuple[Condition, ...]:
        found = []
        for entry, at in self.items(data, way):
            if isinstance(entry, int) and not isinstance(entry, bool) and 100 <= entry <= 599:
                found.append(Condition(at, status=entry))
            elif isinstance(entry, dict) and len(entry) == 1:
                ((path, value),) = entry.items()
                if isinstance(value, (dict, list)):
                    self.source.fault((*at, path), "must be one value")
                found.append(Condition(at, path=path, value=value))
            else:
                self.source.fault(at, "a status such as 404, or {$.path: value}")
        return tuple(found)

    def kind_choice(self, data: Any, way: Way) -> tuple[Said | None, dict[str, Said]]:
        if data is None:
            return None, {}
        if not isinstance(data, dict) or len(data) != 1:
            self.source.fault(way, "written {$.path: {value: kind}}")
            return None, {}
        ((path, choices),) = data.items()
        if not isinstance(choices, dict):
            self.source.fault((*way, path), "written {$.path: {value: kind}}")
            return None, {}
        return Said(path, (*way, path, KEY)), {
            value: self.text(kind, (*way, path, value)) for value, kind in choices.items()
        }

    def kinds(self, data: Any) -> dict[str, KindDocument]:
        written = self.names(data, ("kinds",))
        if data is None:
            self.source.fault((), "kinds: is missing")
        found: dict[str, KindDocument] = {}
        for name, body in written.items():
            way = ("kinds", name)
            keys = (
                "like", "guest_access", "page_urls", "open", "player", "prepare", "release", "exclusive", "allow",
                "interactions",
            )  # fmt: skip
            body = self.mapping(body, way, keys, "kind")
            like = self.optional(body, "like", way)
            base = KindDocument(name, way)
            if like is not None:
                other = found.get(like.text)
                if other is None:
                    hint = did_you_mean(like.text, found)
                    self.source.fault(like.way, f"like: no kind {like.text} stands above{hint}")
                else:
                    base = other
            found[name] = self.kind(name, body, way, base)
        return found

    def kind(self, name: str, body: dict[str, Any], way: Way, base: KindDocument) -> KindDocument:
        urls = base.page_urls
        if "page_urls" in body:
            urls = tuple(self.text(url, at) for url, at in self.items(body["page_urls"], (*way, "page_urls")))
        opened, player = self.optional(body, "open", way), self.player(body.get("player"), (*way, "player"))
        if opened is None and player is None:
            opened, player = base.open, base.player
        elif opened is not None and player is not None:
            self.source.fault((*way, "player", KEY), "open and player: one of them, not both")
        rules = list(base.allow)
        if "allow" in body:
            rules = [rule for rule in rules if rule.group is not None]
            rules += self.rules(body["allow"], (*way, "allow"))
        if "interactions" in body:
            rules = [rule for rule in rules if rule.group is None]
            for group, entries in self.names(body["interactions"], (*way, "interactions")).items():
                rules += self.rules(entries, (*way, "interactions", group), group)
        prepare, release = base.prepare, base.release
        if "prepare" in body:
            keys = ("request", "json", "headers", "checksum", "gone", "not_started", "ended", "vars")
            prepare = tuple(
                self.step(step, at, keys, "prepare") for step, at in self.items(body["prepare"], (*way, "prepare"))
            )
        if "release" in body:
            release = self.releases(body["release"], (*way, "release"))
        exclusive = self.flag(body, "exclusive", way, base.exclusive)
        access = self.flag(body, "guest_access", way, base.guest_access)
        if access:
            if opened is None and player is None:
                self.source.fault(way, f"{name}: open or player is missing (or guest_access: false)")
            if not body.get("allow") and not any(rule.group is None for rule in rules):
                self.source.fault(way, f"{name}: allow is missing (or guest_access: false)")
        return KindDocument(name, way, access, urls, opened, player, tuple(rules), prepare, release, exclusive)

    def player(self, data: Any, way: Way) -> PlayerDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("src", "poster", "file", "as"))
        return PlayerDocument(
            way,
            src=self.needed(body, "src", way),
            poster=self.optional(body, "poster", way),
            file=self.optional(body, "file", way),
            as_=self.optional(body, "as", way),
        )

    def rules(self, data: Any, way: Way, group: str | None = None) -> tuple[RuleDocument, ...]:
        found = []
        for entry, at in self.items(data, way):
            if isinstance(entry, dict):
                body = self.mapping(
                    entry,
                    at,
                    (
                        "request",
                        "send",
                        "json",
                        "max",
                        "body",
                        "answer",
                        "capture",
                        "protocol",
                        "messages",
                        "binary",
                        "follow",
                    ),
                    "rule",
                )
                said = self.needed(body, "request", at)
                keys = RuleKeys(
                    self.send(body.get("send"), (*at, "send")),
                    self.body(body, at),
                    self.answer(body.get("answer"), at),
                    self.texts(body.get("capture"), (*at, "capture")),
                    self.socket(body, at),
                    self.follow(body.get("follow"), (*at, "follow")),
                )
            else:
                said, keys = self.text(entry, at), RuleKeys()
            rule = self.rule(said, group)
            if rule is not None:
                found.append(
                    replace(
                        rule,
                        send=keys.send,
                        body=keys.body,
                        answer=keys.answer,
                        capture=keys.capture,
                        socket=keys.socket,
                        follow=keys.follow,
                    )
                )
        return tuple(found)

    def send(self, data: Any, way: Way) -> SendDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("query", "headers"))

        def entries(key: str) -> dict[str, Said | None]:
            named = self.names(body.get(key), (*way, key))
            return {
                name: None if value is None else self.text(value, (*way, key, name)) for name, value in named.items()
            }

        return SendDocument(way, entries("query"), entries("headers"))

    def body(self, data: Mapping[str, Any], way: Way) -> BodyDocument | None:
        if data.get("json") is None and data.get("body") is None and data.get("max") is None:
            return None
        raw = self.mapping(data.get("body"), (*way, "body"), ("type", "max"))
        outer = data.get("max")
        if outer is not None and data.get("body") is not None:
            self.source.fault((*way, "max", KEY), "max: that of a body stands inside it: body: {type: …, max: …}")
        return BodyDocument(
            way,
            has_json=data.get("json") is not None,
            json=data.get("json"),
            has_type=data.get("body") is not None,
            type=self.optional(raw, "type", (*way, "body")),
            max=raw.get("max") if outer is None else outer,
            max_way=(*way, "body", "max") if outer is None else (*way, "max"),
        )

    def socket(self, data: Mapping[str, Any], way: Way) -> SocketDocument | None:
        written = [key for key in ("protocol", "messages", "binary") if data.get(key) not in (None, False)]
        if not written:
            return None
        messages = None
        if data.get("messages") is not None:
            messages = tuple(self.items(data["messages"], (*way, "messages")))
        return SocketDocument(
            way, written[0], self.optional(data, "protocol", way), messages, self.flag(data, "binary", way, False)
        )

    def answer(self, data: Any, way: Way) -> AnswerDocument | None:
        if data is None:
            return None
        body = self.mapping(data, (*way, "answer"), ("status", "json"))
        return AnswerDocument((*way, "answer"), body.get("status"), body.get("json"))

    def follow(self, data: Any, way: Way) -> FollowDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("as", "to"))
        as_ = self.needed(body, "as", way)
        if isinstance(body.get("to"), list) and not body["to"]:
            self.source.fault((*way, "to"), "to: names nothing; leave it out for the answer's own folder and below")
        return FollowDocument(
            way, as_, tuple(self.text(one, at) for one, at in self.items(body.get("to"), (*way, "to")))
        )

    def rule(self, said: Said, group: str | None) -> RuleDocument | None:
        words = said.text.split()
        page = bool(words) and words[0] == "page"
        words = words[1:] if page else words
        if len(words) != 2:
            if said.text:
                self.source.fault(said.way, "a rule is written [page] METHOD[,METHOD] path[?query]")
            return None
        methods = tuple(words[0].split(","))
        for method in methods:
            if method != "WS" and method not in METHODS:
                self.source.fault(said.way, f"{method}: unknown method{did_you_mean(method, (*METHODS, 'WS'))}")
                return None
        if "WS" in methods and len(methods) > 1:
            self.source.fault(said.way, "WS stands alone: a websocket handshake is no plain request")
            return None
        if page and methods != ("GET",):
            self.source.fault(said.way, "a page is asked for with GET")
            return None
        return RuleDocument(said.text, said.way, page, methods, words[1], group)

    def examples(self, data: Any) -> ExamplesDocument:
        body = self.mapping(data, ("examples",), ("with", "allow", "deny"))
        way: Way = ("examples", "with")
        given = self.mapping(body.get("with"), way, ("id", "kind", "vars"))
        values: dict[str, tuple[str, ...]] = {}
        for name, value in self.names(given.get("vars"), (*way, "vars")).items():
            at = (*way, "vars", name)
            if isinstance(value, list):
                values[name] = tuple(self.text(one, where).text for one, where in self.items(value, at))
            else:
                values[name] = (self.text(value, at).text,)
        return ExamplesDocument(
            id=self.optional(given, "id", way),
            kind=self.optional(given, "kind", way),
            vars=values,
            allow=tuple(self.text(one, at) for one, at in self.items(body.get("allow"), ("examples", "allow"))),
            deny=tuple(self.text(one, at) for one, at in self.items(body.get("deny"), ("examples", "deny"))),
        )
