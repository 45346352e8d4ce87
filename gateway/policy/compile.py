"""From a checked document to a policy that can decide. Names are looked up here: patterns, variables,
interaction groups; whatever can't be is a fault with its place."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.policy.bodies import compile_answer, compile_body
from gateway.policy.compile_follow import compile_follow, origin_of
from gateway.policy.compile_kind import KindCompiler
from gateway.policy.compile_names import GIVEN
from gateway.policy.compile_ports import look_for_strays, look_for_two_ways, named, places
from gateway.policy.compile_steps import (
    RESOLVE,
    captured_names,
    prepared_names,
)
from gateway.policy.compile_upstream import (
    compile_cookies,
    compile_credentials,
    compile_jwts,
    compile_login,
    compile_passed,
)
from gateway.policy.jsonpath import AnswerPath
from gateway.policy.model import ItemRule, Kind, Policy, Rule
from gateway.policy.neighbours import neighbours
from gateway.policy.overlap import Meeting
from gateway.policy.replacing import compile_drop, compile_replace
from gateway.policy.rule_keys import compile_send, look_at_credentials
from gateway.policy.stanzas import compile_frames
from gateway.policy.switched import Switched
from gateway.policy.target import fold_name
from gateway.policy.template import (
    NO_QUERY,
    NameFinder,
    TemplateError,
    parse_path,
    parse_query,
)
from gateway.policy.written import (
    PolicyDocument,
    RuleDocument,
    Said,
)
from gateway.yaml_source import KEY, Source, did_you_mean


def compile_policy(name: str, document: PolicyDocument, source: Source) -> Policy | None:
    """None when there are faults; all of them are then in `source`."""
    policy = _Compiler(name, document, source).policy()
    return None if source.faults else policy


class _Compiler(KindCompiler):
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

    def example_lines(self) -> Iterable[Said]:
        examples = self.document.examples
        yield from (*examples.allow, *examples.deny)
        yield from (said for said in (examples.id, examples.kind) if said is not None)

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

    # --- rules ---

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
