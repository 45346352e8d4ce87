"""The policy language, as far as this version speaks it: from YAML to checked, uncompiled values.

    server: text                        what the server is called                          needed
    verified: text                      which version it was tried with, when, by which test
    protects_itself: true|false         every media request of the server needs its own login
    item:                                                                                  needed
      id: pattern                       full match; named parts become variables           needed
        ignore_case: true|false         ids are the same in any case, and are written in small letters
      resolve: [{request, at, json, headers, checksum, id, gone, not_started, ended, was_live,
                 vars}]
      kind: {path: {value: kind}}
    patterns: {name: pattern, or {jwt: {claim: template}}}     the latter: a token with that claim (see `token_claims`)
              or {graphql: {query|mutation|subscription: "*" or [field]}}      for json and messages (see `graphql`)
    kinds:                                                                                 needed
      NAME:
        like: other kind                start from that one's keys
        guest_access: true|false
        page_urls: [template]
        open: template  |  player: {src, poster, file, as, chat}   one of them
        prepare: [{request, at, json, headers, checksum, gone, not_started, ended, vars, each: page|visit, renew: 6h,
                   for: group}]
        release: [METHOD /path, or {request, at, json, headers, checksum}]                    when the grant ends
        beside: webrtc|websocket        media that flows around the gateway; ended by release, or with its websocket
        exclusive: true|false           a browser holds one such grant of the server
        allow: [rule]
        interactions: {group: [rule]}
    shared: [rule]
    origins: [https origin]             other hosts that `to` may name
    paths: {ignore_case: true|false}    literals match in any case and are sent as written; variables stay exact
    cookies: [name or {name: guest}]    the server's, kept for each grant, or passed both ways (see `jar`)
    pass: [header]                      further request headers of the guest's to send on
    drop: [JSON path]                   fields removed from answers
    replace: {text: template}           literal text exchanged in answers
    guest_access: {links_per_item, on_revoke: drain|cut, interactions: [group], preview: nothing|title,
                   default_days, max_days, max_clicks, require: [days|clicks|pin], cast: 4h}
    upstream: {headers: {}, query: {}, basic: "user:password"}
        login: {request, json, form, headers, secrets: {name: path}, again: [status]}     stands as {login.name}
        jwt: {as: name, key, alg, minutes, claims}, or a list of them                     stands as {jwt.name}
                                        a claim {interactions.group} is true where that group is on, else false
    checksum: {name, sha1|sha256|sha384|sha512: template with {query}}        signs the query of its request
    examples: {with: {id, kind, vars}, allow: [request], deny: [request]}

    rule: [page] METHOD[,METHOD] path[?query], or {request: that, and}
        at: name                        another address of the same server (config.yaml: upstream)
        send: {query: {name: template|null}, headers: {name: template|null}}
        json: shape, max: size          what of a JSON body passes (see `shapes`), and how large it may come
        body: {type, max}               a raw body of one media type
        answer: {status, json|xml}        by the gateway; the server is not asked
        capture: {name: "Header: template" or JSON path}     what the answer gives to this grant alone
        protocol: name                  the websocket subprotocol that is asked for
        messages: [shape with max]      frames the guest may send, written anew (see `messages`)
        binary: true|false              beside messages: binary frames pass
        stanzas: [{iq|presence|message: any|[namespace], to, attributes, texts}, {open}]     of XMPP (see `stanzas`)
        follow: {as: hls|dash|json, to: [path or address]}     what the answer names becomes reachable (see `follow`)

Why every key that the language has but this version has not is an error, and says so: an operator who
writes `send:` relies on it, and a policy that is looser than it reads is worse than none.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gateway.ceilings import read_ceilings
from gateway.config_texts import duration_between
from gateway.policy.graphql import OPERATIONS
from gateway.policy.rule_reader import RuleReader
from gateway.policy.step_reader import StepReader
from gateway.policy.written import (
    ExamplesDocument,
    GraphqlDocument,
    KindDocument,
    PlayerDocument,
    PolicyDocument,
    Said,
    TokenDocument,
)
from gateway.yaml_source import KEY, Source, Way, did_you_mean

_CAST_LEAST, _CAST_MOST = timedelta(minutes=1), timedelta(hours=12)


def read_document(source: Source) -> PolicyDocument | None:
    """Check the shape of a policy; faults are noted in `source`.

    What is wrong is replaced by something harmless, so that whoever compiles finds the rest of the
    faults too. None for a text that is no YAML at all: what would be missing is no news then.
    """
    if source.faults and source.data is None:
        return None
    return PolicyReader(source).policy()


class PolicyReader(RuleReader, StepReader):
    def policy(self) -> PolicyDocument:
        known = (
            "server", "verified", "protects_itself", "item", "patterns", "kinds", "shared",
            "paths", "cookies", "pass", "drop", "replace", "guest_access", "upstream", "examples", "origins",
        )  # fmt: skip
        if self.source.data is not None and not isinstance(self.source.data, dict):
            self.source.fault((), "a policy is a mapping that begins with server:")
            self.source.data = None
        data = self.mapping(self.source.data, (), known, "policy")
        title = self.needed(data, "server", ())
        verified = self.optional(data, "verified", ())
        if data.get("item") is None:
            self.source.fault((), "item: is missing")
        item = self.mapping(data.get("item"), ("item",), ("id", "ignore_case", "resolve", "kind"))
        item_id = self.needed(item, "id", ("item",)) if data.get("item") is not None else Said("", ())
        keys = (
            "request", "at", "json", "headers", "checksum", "id", "gone", "not_started", "ended", "was_live", "vars",
        )  # fmt: skip
        steps = tuple(self.step(step, way, keys) for step, way in self.items(item.get("resolve"), ("item", "resolve")))
        kind_path, kind_values = self.kind_choice(item.get("kind"), ("item", "kind"))
        named = self.names(data.get("patterns"), ("patterns",))
        claims = {name: value for name, value in named.items() if isinstance(value, dict)}
        typed = {name: self.typed(value, ("patterns", name)) for name, value in claims.items()}
        patterns = {name: self.text(value, ("patterns", name)) for name, value in named.items() if name not in claims}
        kinds = self.kinds(data.get("kinds"))
        if not kinds and not self.source.faults:
            self.source.fault(("kinds",), "kinds: at least one is needed")
        access = self.mapping(
            data.get("guest_access"),
            ("guest_access",),
            (
                "links_per_item", "on_revoke", "interactions", "preview",
                "default_days", "max_days", "max_clicks", "require", "cast",
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
        cast = None
        if access.get("cast") is not None:
            try:
                cast = duration_between(access["cast"], _CAST_LEAST, _CAST_MOST) // timedelta(milliseconds=1)
            except ValueError as error:
                self.source.fault(("guest_access", "cast"), f"cast: {error}")
        upstream = self.mapping(
            data.get("upstream"), ("upstream",), ("headers", "query", "basic", "login", "jwt"), "upstream"
        )
        return PolicyDocument(
            title=title.text,
            verified=verified.text if verified else "",
            protects_itself=self.flag(data, "protects_itself", (), False),
            item_id=item_id,
            small_ids=self.flag(item, "ignore_case", ("item",), False),
            steps=steps,
            kind_path=kind_path,
            kind_values=kind_values,
            patterns=patterns,
            tokens={name: one for name, one in typed.items() if isinstance(one, TokenDocument)},
            graphql={name: one for name, one in typed.items() if isinstance(one, GraphqlDocument)},
            kinds=kinds,
            shared=self.rules(data.get("shared"), ("shared",)),
            links_per_item=links,
            on_revoke=on_revoke,
            preview=preview,
            cast=cast,
            ceilings=read_ceilings(access, self.ceiling_fault),
            interactions=tuple(
                self.text(name, way)
                for name, way in self.items(access.get("interactions"), ("guest_access", "interactions"))
            ),
            headers=self.texts(upstream.get("headers"), ("upstream", "headers"), empty=True),
            query=self.texts(upstream.get("query"), ("upstream", "query"), empty=True),
            basic=self.optional(upstream, "basic", ("upstream",)),
            login=self.login(upstream.get("login"), ("upstream", "login")),
            jwts=self.jwts(upstream.get("jwt"), ("upstream", "jwt")),
            examples=self.examples(data.get("examples")),
            origins=tuple(self.text(one, way) for one, way in self.items(data.get("origins"), ("origins",))),
            cookies=tuple(self.cookie(one, way) for one, way in self.items(data.get("cookies"), ("cookies",))),
            passed=tuple(self.text(name, way) for name, way in self.items(data.get("pass"), ("pass",))),
            drop=tuple(self.text(path, way) for path, way in self.items(data.get("drop"), ("drop",))),
            replace=self.texts(data.get("replace"), ("replace",), empty=True),
            any_case=self.flag(
                self.mapping(data.get("paths"), ("paths",), ("ignore_case",)), "ignore_case", ("paths",), False
            ),
        )

    def cookie(self, data: Any, way: Way) -> tuple[Said, bool]:
        if not isinstance(data, dict):
            return self.text(data, way), False
        if len(data) != 1 or tuple(data.values()) != ("guest",):
            self.source.fault(way, "a cookie is written name (kept from guests) or {name: guest}")
            return Said("", way), False
        return Said(next(iter(data)), way), True

    def ceiling_fault(self, way: tuple[str | int, ...], what: str) -> None:
        self.source.fault(("guest_access", *way), f"{way[0]}: {what}")

    def typed(self, data: dict[str, Any], way: Way) -> TokenDocument | GraphqlDocument | None:
        """A pattern that is more than a regular expression."""
        body = self.mapping(data, way, ("jwt", "graphql"))
        asked = self.graphql(body["graphql"], way) if body.get("graphql") is not None else None
        if len(body) > 1 or (asked is None and "graphql" in body):
            if not self.source.blamed(way):
                self.source.fault(way, 'written {jwt: {claim: "{id}"}} or {graphql: {subscription: "*"}}')
            return None
        if asked is not None:
            return asked
        claims = self.names(body.get("jwt"), (*way, "jwt"))
        if len(claims) != 1:
            if not self.source.blamed((*way, "jwt")):
                self.source.fault(way, 'written {jwt: {claim: "{id}"}}, with one claim')
            return None
        ((claim, value),) = claims.items()
        return TokenDocument(way, claim, self.text(value, (*way, "jwt", claim)))

    def graphql(self, data: Any, way: Way) -> GraphqlDocument | None:
        found: dict[str, tuple[Said, ...] | None] = {}
        for kind, fields in self.mapping(data, (*way, "graphql"), OPERATIONS).items():
            there = (*way, "graphql", kind)
            found[kind] = None if fields == "*" else tuple(self.text(one, at) for one, at in self.items(fields, there))
        return GraphqlDocument(way, found) if found else None

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
                "like", "guest_access", "page_urls", "open", "player", "prepare", "release", "exclusive", "beside",
                "allow", "interactions",
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
        rules, groups = list(base.allow), base.groups
        if "allow" in body:
            rules = [rule for rule in rules if rule.group is not None]
            rules += self.rules(body["allow"], (*way, "allow"))
        if "interactions" in body:
            rules = [rule for rule in rules if rule.group is None]
            named = self.names(body["interactions"], (*way, "interactions"))
            groups = tuple(Said(group, (*way, "interactions", group, KEY)) for group in named)
            for group, entries in named.items():
                rules += self.rules(entries, (*way, "interactions", group), group)
        prepare, release = base.prepare, base.release
        if "prepare" in body:
            keys = (
                "request", "at", "json", "headers", "checksum", "gone", "not_started", "ended", "vars", "each", "renew",
                "for",
            )  # fmt: skip
            prepare = tuple(
                self.step(step, at, keys, "prepare") for step, at in self.items(body["prepare"], (*way, "prepare"))
            )
        if "release" in body:
            release = self.releases(body["release"], (*way, "release"))
        beside = self.optional(body, "beside", way) or base.beside
        exclusive = self.flag(body, "exclusive", way, base.exclusive)
        access = self.flag(body, "guest_access", way, base.guest_access)
        if access:
            if opened is None and player is None:
                self.source.fault(way, f"{name}: open or player is missing (or guest_access: false)")
            if not body.get("allow") and not any(rule.group is None for rule in rules):
                self.source.fault(way, f"{name}: allow is missing (or guest_access: false)")
        return KindDocument(
            name, way, access, urls, opened, player, tuple(rules), prepare, release, exclusive, beside, groups
        )

    def player(self, data: Any, way: Way) -> PlayerDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("src", "poster", "file", "as", "chat"))
        return PlayerDocument(
            way,
            src=self.needed(body, "src", way),
            poster=self.optional(body, "poster", way),
            file=self.optional(body, "file", way),
            as_=self.optional(body, "as", way),
            chat=self.optional(body, "chat", way),
        )

    def examples(self, data: Any) -> ExamplesDocument:
        body = self.mapping(data, ("examples",), ("with", "allow", "deny"))
        way: Way = ("examples", "with")
        given = self.mapping(body.get("with"), way, ("id", "kind", "vars"))
        values: dict[str, tuple[str, ...]] = {}
        for name, value in self.names(given.get("vars"), (*way, "vars")).items():
            at = (*way, "vars", name)
            if isinstance(value, list):
                values[name] = tuple(self.value(one, where).text for one, where in self.items(value, at))
            else:
                values[name] = (self.value(value, at).text,)
        return ExamplesDocument(
            id=self.value(given["id"], (*way, "id")) if given.get("id") is not None else None,
            kind=self.optional(given, "kind", way),
            vars=values,
            allow=tuple(self.text(one, at) for one, at in self.items(body.get("allow"), ("examples", "allow"))),
            deny=tuple(self.text(one, at) for one, at in self.items(body.get("deny"), ("examples", "deny"))),
        )
