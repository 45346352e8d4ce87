"""From a checked document to a policy that can decide. Names are looked up here: patterns, variables,
interaction groups; whatever can't be is a fault with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gateway.policy.automaton import Graph
from gateway.policy.bodies import compile_answer, compile_body
from gateway.policy.chat import GROUP as CHAT
from gateway.policy.chat import look_at_chat
from gateway.policy.compile_follow import compile_follow, origin_of
from gateway.policy.compile_ports import look_at_beside, look_for_strays, look_for_two_ways, named, places
from gateway.policy.compile_steps import (
    RESOLVE,
    StepCompiler,
    captured_names,
    hidden_names,
    prepared_names,
    segments,
)
from gateway.policy.compile_upstream import (
    SecretNames,
    claims_only,
    compile_cookies,
    compile_credentials,
    compile_jwts,
    compile_login,
    compile_passed,
)
from gateway.policy.download import download_address
from gateway.policy.graphql import NAME, Operations
from gateway.policy.jsonpath import AnswerPath
from gateway.policy.minting import JWT, Minter
from gateway.policy.model import Address, ItemRule, Kind, Player, Policy, Rule, Step
from gateway.policy.neighbours import neighbours
from gateway.policy.overlap import Meeting
from gateway.policy.page_address import PageAddress, parse_page_address
from gateway.policy.pattern import Pattern, PatternError, compile_pattern
from gateway.policy.playing import SORTS, sort_of
from gateway.policy.replacing import compile_drop, compile_replace
from gateway.policy.rule_keys import compile_send, look_at_credentials
from gateway.policy.sending import Send
from gateway.policy.stanzas import compile_frames
from gateway.policy.switched import Switched
from gateway.policy.target import fold_name
from gateway.policy.telling import Told, page_addresses, tokens_shown, told_of_guests
from gateway.policy.template import (
    NO_QUERY,
    GraphqlHole,
    Hole,
    NameFinder,
    Part,
    Some,
    TemplateError,
    Text,
    TokenHole,
    ValueTemplate,
    Variable,
    named_in,
    parse_path,
    parse_query,
    split_parts,
)
from gateway.policy.token_claims import FORM
from gateway.policy.written import (
    GraphqlDocument,
    KindDocument,
    PolicyDocument,
    RuleDocument,
    Said,
    TokenDocument,
)
from gateway.yaml_source import KEY, Fault, Source, Way, did_you_mean

CAPTIONS = "captions"
"""The group that a policy puts captions into which may be switched off; the player page has no menu for them then."""
GIVEN = ("guest.name", "guest.email", "guest.id", "grant.id", "link.id", "public_url")
"""Variables that every grant has, besides the item's own."""


def compile_policy(name: str, document: PolicyDocument, source: Source) -> Policy | None:
    """None when there are faults; all of them are then in `source`."""
    policy = _Compiler(name, document, source).policy()
    return None if source.faults else policy


class _Compiler:
    def __init__(self, name: str, document: PolicyDocument, source: Source) -> None:
        self.name = name
        self.document = document
        self.source = source
        self.patterns: dict[str, Pattern] = {}
        self.tokens: dict[str, TokenHole] = {}
        self.graphql = {name: self.operations(name, said) for name, said in document.graphql.items()}
        self.item = self.pattern(document.item_id)
        self.warnings: list[Fault] = []
        self.steps = StepCompiler(source, self.address)
        self.sends: dict[Way, Send] = {}
        self.secrets = SecretNames(document)
        self.minters: tuple[Minter, ...] = ()
        self.origins: tuple[str, ...] = ()

    def fault(self, way: Way, what: str) -> None:
        self.source.fault(way, what)

    def warn(self, way: Way, what: str) -> None:
        line, column = self.source.place(way)
        self.warnings.append(Fault(self.source.file, line, column, what))

    def pattern(self, said: Said) -> Pattern:
        try:
            # An empty text stands for one that was missing or no text, which has been said.
            return compile_pattern(said.text or "x")
        except PatternError as error:
            self.fault(said.way, f"pattern: {error}")
            return compile_pattern("x")

    def policy(self) -> Policy:
        document = self.document
        if self.item.slashes is None:
            self.fault(document.item_id.way, "id: must always hold the same number of slashes")
        if self.item.empty:
            self.fault(document.item_id.way, "id: must not match the empty text")
        self.patterns = {name: self.pattern(said) for name, said in document.patterns.items()}
        variables = ["id", *self.item.names]
        for name in self.item.names:
            if name == "id" or name in GIVEN:
                self.fault(document.item_id.way, f"id: a part can't be named {name}, which is a variable already")
        steps = []
        for step in document.steps:
            self.steps.look_at_brought(step, {"id", *self.item.names, *GIVEN})
            known = self.of_resolve(variables)
            steps.append(self.steps.step(step, known, RESOLVE))
            variables += [name for name in step.vars if name not in variables]
            if step.id is not None and any(one.request.variables & {"id", *self.item.names} for one in steps[:-1]):
                # What was learned of the one spelling may be another item's.
                self.fault(step.id.way, "id: only the first step that uses the id can replace it")
        for name in (*document.patterns, *document.tokens, *document.graphql):
            if name in variables or name in GIVEN:
                self.fault(("patterns", name, KEY), f"{name}: is a variable already")
        find = self.finder([*variables, *GIVEN])
        item = ItemRule(self.item, tuple(steps), self.kind_path(), self.kind_values(), document.small_ids)
        groups = {said.text for kind in document.kinds.values() for said in kind.groups}
        on = self.on
        for said in document.interactions:
            if said.text not in groups:
                self.fault(said.way, f"no kind has interactions named {said.text}{did_you_mean(said.text, groups)}")
        given = tuple(dict.fromkeys((*variables, *GIVEN)))
        prepared = {
            name: (*prepared_names(kind), *captured_names((*kind.allow, *document.shared)))
            for name, kind in document.kinds.items()
        }
        for kind in document.kinds.values():
            self.steps.look_at_names(
                kind, document.shared, (*given, *document.patterns, *document.tokens, *document.graphql)
            )
        # What is the same for every item may use only what every grant has.
        guests = [prepared[name] for name, kind in document.kinds.items() if kind.guest_access]
        everywhere = tuple(name for name in (guests[0] if guests else ()) if all(name in names for names in guests))
        of_all = self.finder((*given, *everywhere), prepared)
        self.tokens = {name: self.token(name, token, of_all) for name, token in document.tokens.items()}
        self.origins = tuple(dict.fromkeys(filter(None, (origin_of(self, said) for said in document.origins))))
        compiled = [(rule, self.rule(rule, of_all)) for rule in document.shared]
        of_shared = [(said, rule) for said, rule in compiled if rule is not None]
        shared = [rule for _, rule in of_shared]
        login = compile_login(document.login, self.steps.answer_path, self.fault)
        switched = Switched(groups, on, self.fault)
        self.minters = compile_jwts(
            document.jwts, lambda body: self.steps.json(switched.within(body), find), self.fault, self.warn
        )
        switched.look_at(document.kinds.values())
        texts = dict.fromkeys(text for minter in self.minters for text in minter.texts)
        more = (*(login.own_secrets() if login else ()), *texts)
        credentials = compile_credentials(document, self.secrets, more, self.fault)
        pinned = {fold_name(name) for rule in shared for name in rule.pinned}
        pinned |= {fold_name(name) for name, _ in credentials.query}
        kinds: dict[str, Kind] = {}
        told: set[tuple[str, str]] = set()
        for name, kind in document.kinds.items():
            rules = []
            every = list(of_shared)
            of_kind = self.finder((*given, *prepared[name]), prepared)
            for rule_document in kind.allow:
                rule = self.rule(rule_document, of_kind)
                if rule is None:
                    continue
                # A group that is off still pins its names: what an operator calls an id stays one.
                pinned |= {fold_name(name) for name in rule.pinned}
                every.append((rule_document, rule))
                if rule.group is None or rule.group in on:
                    rules.append(rule)
            kinds[name] = self.kind(kind, (*rules, *shared), find, of_kind, given, [rule for _, rule in every])
            plain = (*prepared[name], "grant.id", "guest.id", "link.id")
            look_for_two_ways(self, every, Meeting(self.item, plain, any_case=document.any_case), told)
            look_for_strays(self, every)
        for rule in (*shared, *(rule for kind in kinds.values() for rule in kind.rules)):
            for name, _ in credentials.query:
                if fold_name(name) in {fold_name(word) for word in rule.query.wanted}:
                    self.fault(("upstream", "query", name, KEY), f"{name}: a rule lets the guest send this name")
        look_at_credentials(self.sends, query=document.query, headers=document.headers, note=self.fault)
        return Policy(
            name=self.name,
            title=document.title,
            verified=document.verified,
            file=self.source.file,
            protects_itself=document.protects_itself,
            item=item,
            kinds=kinds,
            links_per_item=document.links_per_item,
            on_revoke=document.on_revoke,
            preview=document.preview,
            cast=document.cast,
            ceilings=document.ceilings,
            interactions=on,
            pinned=frozenset(pinned),
            credentials=credentials,
            ats=places(named(document, on), self.source),
            ats_named=frozenset(said.text for said in named(document)),
            login=login,
            jwts=self.minters,
            passed=compile_passed(document, self.source),
            cookies=compile_cookies(document, self.source),
            origins=self.origins,
            drop=compile_drop(document.drop, self.fault),
            replace=compile_replace(document.replace, find, self.fault),
            examples=document.examples,
            warnings=tuple(dict.fromkeys(self.warnings)),
            places={said.way: self.source.place(said.way) for said in self.example_lines()}
            | {("kinds", name): self.source.place(("kinds", name, KEY)) for name in document.kinds}
            | {("examples",): self.source.place(("examples", KEY))},
        )

    @property
    def on(self) -> frozenset[str]:
        """The groups of interactions that are on."""
        return frozenset(said.text for said in self.document.interactions)

    def example_lines(self) -> Iterable[Said]:
        examples = self.document.examples
        yield from (*examples.allow, *examples.deny)
        yield from (said for said in (examples.id, examples.kind) if said is not None)

    def finder(self, variables: Iterable[str], prepared: Mapping[str, Iterable[str]] | None = None) -> NameFinder:
        """`prepared`: by kind, what its prepare brings; for whoever uses such a name where it is not brought."""
        known = tuple(variables)

        def find(name: str) -> Variable | Hole:
            if name in known:
                return Variable(name)
            pattern = self.patterns.get(name)
            if pattern is not None:
                return Hole(name, pattern)
            if name in self.document.tokens:
                raise TemplateError(f"{{{name}}} is a token: it stands in a rule's path or query, and not here")
            if name in self.graphql:
                raise TemplateError(f"{{{name}}} is a GraphQL document: it stands alone in json and messages")
            if name in (*self.secrets.login, *self.secrets.jwt):
                raise TemplateError(f"{{{name}}} is a secret between gateway and server, and can't stand here")
            kinds = [kind for kind, names in (prepared or {}).items() if name in names]
            if kinds:
                raise TemplateError(
                    f"{{{name}}} comes from prepare or capture of {', '.join(kinds)}, which does not apply here"
                )
            secrets = (*self.secrets.login, *self.secrets.jwt) if name.startswith(("login.", "jwt.")) else ()
            hint = did_you_mean(name, secrets or (*known, *self.patterns, *self.document.tokens, *self.graphql))
            raise TemplateError(f"unknown name {{{name}}}{hint}")

        return find

    def token(self, name: str, said: TokenDocument, find: NameFinder) -> TokenHole:
        parts: tuple[Part, ...] = ()
        try:
            parts = split_parts(said.value.text, find, stars=False, escapes=False)
        except TemplateError as error:
            self.fault(said.value.way, str(error))
        else:
            if any(isinstance(part, Hole) for part in parts):
                self.fault(
                    said.value.way, "jwt: a claim is compared with variables, which have a value, not with a pattern"
                )
            elif not named_in(parts) and not self.source.blamed(said.value.way):
                self.fault(said.value.way, f"jwt: {said.claim}: without a variable every item has the same")
        return TokenHole(name, compile_pattern(FORM), said.claim, ValueTemplate(parts))

    def operations(self, name: str, said: GraphqlDocument) -> GraphqlHole:
        allowed: dict[str, frozenset[str] | None] = {}
        for kind, fields in said.allowed.items():
            for field in fields or ():
                if field.text and not NAME.fullmatch(field.text):
                    self.fault(field.way, f'{field.text}: not the name of a field; "*" alone takes any')
            if fields == ():
                self.fault((*said.way, "graphql", kind), f'{kind}: names of fields, or "*" for any')
            allowed[kind] = None if fields is None else frozenset(field.text for field in fields)
        return GraphqlHole(name, compile_pattern("x"), Operations(allowed))

    def with_graphql(self, find: NameFinder) -> NameFinder:
        """For the bodies and messages of a rule."""
        return lambda name: self.graphql.get(name) or find(name)

    def with_tokens(self, find: NameFinder) -> NameFinder:
        """For the path and the query of a rule."""
        return lambda name: self.tokens.get(name) or find(name)

    def of_resolve(self, variables: Iterable[str]) -> NameFinder:
        """For a step of resolve: there is no guest yet, so only such tokens that say nothing of one."""
        known = tuple(variables)
        plain = {JWT + said.as_.text for said in self.document.jwts if claims_only(said, known)}
        find = self.finder(known)

        def within(name: str) -> Text | Variable | Hole:
            part = self.secrets.part(name, jwt=name in plain)
            if part is None and name in self.secrets.jwt:
                raise TemplateError(f"{{{name}}} says something of a guest, and resolve asks before there is one")
            return part or find(name)

        return within

    def upstream_only(self, find: NameFinder) -> NameFinder:
        """For what goes to the server and nowhere else."""
        return self.secrets.within(find)

    # --- the item ---

    def kind_path(self) -> AnswerPath | None:
        said = self.document.kind_path
        if said is not None and not self.document.steps:
            self.fault(said.way, "kind: needs a resolve step whose answer it reads")
        return self.steps.answer_path(said) if said else None

    def kind_values(self) -> dict[str, str]:
        for said in self.document.kind_values.values():
            if said.text not in self.document.kinds:
                self.fault(said.way, f"no kind {said.text}{did_you_mean(said.text, self.document.kinds)}")
        return {value: said.text for value, said in self.document.kind_values.items()}

    # --- kinds and rules ---

    def kind(
        self,
        kind: KindDocument,
        rules: tuple[Rule, ...],
        find: NameFinder,
        of_kind: NameFinder,
        given: tuple[str, ...],
        every: Sequence[Rule],
    ) -> Kind:
        """`find` knows what every item has, whose names are `given`; `of_kind` what its prepare brings as well.
        `every`: its rules with those of groups that are off."""
        graph = Graph(any_case=self.document.any_case)
        way: Way = ("kinds", kind.name)
        try:
            for index, rule in enumerate(rules):
                graph.accept(rule.path.into(graph), index)
        except OverflowError:
            self.fault(way, "the rules are too large together")
        addresses = [self.page_address(said, find) for said in kind.page_urls]
        # A server may want its token in the address of the guest's own page: `told` has a word about that.
        of_page = self.secrets.within(of_kind, login=False)
        player = None
        if kind.player is not None:
            as_ = self.player_sort(kind.player.src, kind.player.as_)
            player = Player(
                src=self.address(kind.player.src, of_page),
                poster=self.address(kind.player.poster, of_page) if kind.player.poster else None,
                file=self.address(kind.player.file, of_page) if kind.player.file else None,
                as_=as_,
                chat=self.chat(kind.player.chat, as_, of_page, every),
            )
        look_at_beside(self, kind, self.document.on_revoke)
        opened = self.landing(kind.open, of_page) if kind.open else None
        prepare, release = self.steps.kind(
            kind,
            given,
            captured_names((*kind.allow, *self.document.shared)),
            lambda names: self.upstream_only(self.finder(names)),
        )
        off = frozenset(step.group for step in prepare if step.group).difference(self.on)
        told = self.told(kind, rules, opened, player, [step if step.group not in off else None for step in prepare])
        shown_tokens = self.shown_tokens(kind, opened, player)
        whole = frozenset(rule.path.whole for rule in rules if rule.path.whole is not None)
        names = {name for rule in rules for name in rule.path.variables}
        return Kind(
            name=kind.name,
            guest_access=kind.guest_access,
            rules=rules,
            graph=graph,
            whole_names=whole,
            path_names=frozenset(names | {f"path of {name}" for name in whole}),
            page_addresses=tuple(address for address in addresses if address is not None),
            open=opened,
            player=player,
            any_case=self.document.any_case,
            told=told,
            prepare=tuple(step for step in prepare if step.group not in off),
            unasked=frozenset(name for step in prepare if step.group in off for name in step.vars),
            release=release,
            exclusive=kind.exclusive,
            beside=kind.beside.text if kind.beside else "",
            captured=frozenset(one.name for rule in rules for one in rule.captures),
            shown_tokens=shown_tokens,
            hidden=hidden_names(prepared_names(kind), rules, [one for one, _ in page_addresses(kind, opened, player)]),
            segments=segments(prepared_names(kind), rules, (opened, player), (prepare, release)),
            download=download_address(rules),
            captions=all(said.text != CAPTIONS or CAPTIONS in self.on for said in kind.groups),
            groups=frozenset(said.text for said in kind.groups if said.text in self.on),
        )

    def told(
        self,
        kind: KindDocument,
        rules: tuple[Rule, ...],
        opened: Address | None,
        player: Player | None,
        prepare: list[Step | None],
    ) -> frozenset[str]:
        """What of a guest goes to the media server; `check` reports each place, and the entry page says it. None: a
        step that is not asked."""
        steps = zip(prepare, kind.prepare, strict=True)
        places: list[Told] = [(rule.variables, (rule.line, rule.column)) for rule in rules]
        places += [(one.variables, self.source.place(said.way)) for one, said in page_addresses(kind, opened, player)]
        places += [(step.request.variables, self.source.place(said.request.way)) for step, said in steps if step]
        if kind.guest_access:
            told_by = zip(self.minters, self.document.jwts, strict=False)
            places += [(minter.variables, self.source.place((*said.way, "claims"))) for minter, said in told_by]
        found, warnings = told_of_guests(places)
        self.warnings += [Fault(self.source.file, line, column, what) for (line, column), what in warnings]
        return found

    def shown_tokens(self, kind: KindDocument, opened: Address | None, player: Player | None) -> frozenset[str]:
        """Those of `jwt` that stand in the address of the guest's own page."""
        if not kind.guest_access:
            return frozenset()
        shown, what = tokens_shown(self.secrets.jwt, [one for one, _ in page_addresses(kind, opened, player)])
        said = kind.open or (kind.player.src if kind.player else None)
        if what:
            self.warn(said.way if said else kind.way, what)
        return shown

    def player_sort(self, src: Said, as_: Said | None) -> str:
        if as_ is not None:
            if as_.text not in SORTS:
                self.fault(as_.way, f"as: {', '.join(SORTS[:-1])} or {SORTS[-1]}")
            if as_.text == "livekit" and not src.text.partition("?")[0].endswith("/rtc"):
                self.fault(src.way, "src: of a LiveKit server is its address that ends in /rtc")
            return as_.text
        sort = sort_of(src.text)
        if sort is None and src.text.partition("?")[0].endswith("}"):
            return ""  # a variable has the last word: see `Scope.player`
        if sort is None and src.text:
            self.fault(src.way, "src: the ending does not tell how to play it; write as: hls, dash, flv or file")
        return sort or "hls"

    def chat(self, said: Said | None, as_: str, find: NameFinder, every: Sequence[Rule]) -> Address | None:
        if said is None or self.source.blamed(said.way):
            return None
        if as_ == "livekit":
            self.fault(said.way, "chat: a room page has its own, by the group chat")
            return None
        address = self.address(said, find)
        if not self.source.blamed(said.way):
            look_at_chat(self, said, address, every, any_case=self.document.any_case)
        return address if any(one.text == CHAT for one in self.document.interactions) else None

    def page_address(self, said: Said, find: NameFinder) -> PageAddress | None:
        if self.document.small_ids and said.text != said.text.lower():
            self.fault(said.way, "item.ignore_case: pasted addresses are read in small letters; write this in them too")
        try:
            return parse_page_address(said.text, self.item, find)
        except TemplateError as error:
            self.fault(said.way, str(error))
            return None

    def landing(self, said: Said, find: NameFinder) -> Address:
        """`open`, which may tell the page's scripts something behind a `#`."""
        text, mark, behind = said.text.partition("#")
        address = self.address(replace(said, text=text), find)
        if not mark:
            return address
        # A fragment is written and encoded like a query.
        return replace(address, fragment=self.address(replace(said, text=f"/?{behind}"), find).query)

    def address(self, said: Said, find: NameFinder) -> Address:
        """A template the gateway fills itself: variables only, no holes or stars."""
        empty = Address((Text("/"),), (), whole=False)
        path, _, query = said.text.partition("?")
        try:
            template = parse_path(path, find)
            parts = split_parts(query, find, stars=False) if query else ()
        except TemplateError as error:
            if said.text:
                self.fault(said.way, str(error))
            return empty
        for part in (*template.parts, *parts):
            if isinstance(part, Hole | Some):
                what = f"{{{part.name}}} is a pattern" if isinstance(part, Hole) else "a * is a pattern"
                self.fault(said.way, f"{what}; here stand only variables, which have one value")
                return empty
        whole = template.whole is not None
        if whole and (len(template.parts) > 1 or query):
            self.fault(said.way, "a variable that holds a whole address stands alone here")
        return Address(template.parts, parts, whole)

    def rule(self, rule: RuleDocument, find: NameFinder) -> Rule | None:
        path_text, question, query_text = rule.target.partition("?")
        try:
            path = parse_path(path_text, self.with_tokens(find))
            own = self.secrets.within(self.with_tokens(find), login=False)
            query = parse_query(query_text, own) if question else NO_QUERY
        except TemplateError as error:
            self.fault(rule.way, str(error))
            return None
        if path.whole is not None and len(path.parts) == 1 and question:
            self.fault(rule.way, "a variable that holds a whole address brings its own query")
        near = neighbours(path.parts, self.item)
        if near is not None:
            self.warn(rule.way, near)
        send = compile_send(rule, query, self.upstream_only(find), self.fault)
        if rule.send is not None and send is not None:
            self.sends[rule.send.way] = send
        line, column = self.source.place(rule.way)
        return Rule(
            text=rule.text,
            file=self.source.file,
            line=line,
            column=column,
            page=rule.page,
            methods=frozenset(rule.methods),
            path=path,
            query=query,
            group=rule.group,
            send=send,
            body=compile_body(rule, self.with_graphql(self.upstream_only(find)), self.fault),
            answer=compile_answer(rule, find, self.fault),
            captures=self.steps.captures(rule, find),
            protocol=rule.socket.protocol.text if rule.socket and rule.socket.protocol else None,
            messages=compile_frames(rule, find, self.with_graphql(self.secrets.within(find, login=False)), self.fault),
            follow=compile_follow(self, rule, find, self.origins) if rule.follow is not None else None,
            at=self.rule_at(rule),
        )

    def rule_at(self, rule: RuleDocument) -> str:
        if rule.at is not None and rule.answer is not None:
            self.fault((*rule.way, "at", KEY), "at: the gateway answers this itself")
        return self.steps.at(rule.at)


def variable_names(policy: Policy) -> Mapping[str, tuple[str, ...]]:
    """What a policy's templates can use, by where it comes from (for explanations and docs)."""
    return {
        "item": ("id", *policy.item.pattern.names),
        "resolve": tuple(dict.fromkeys(name for step in policy.item.steps for name in step.vars)),
        "prepare": tuple(
            dict.fromkeys(
                name
                for kind in policy.kinds.values()
                for name in (*(name for step in kind.prepare for name in step.vars), *sorted(kind.unasked))
            )
        ),
        "capture": tuple(sorted({name for kind in policy.kinds.values() for name in kind.captured})),
        "given": GIVEN,
    }
