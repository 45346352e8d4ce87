"""What a name in braces stands for in each part of a policy: a variable, a pattern, a token, a GraphQL document, or
nothing, which is a fault with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.policy.compile_steps import (
    StepCompiler,
)
from gateway.policy.compile_upstream import (
    SecretNames,
    claims_only,
)
from gateway.policy.graphql import NAME, Operations
from gateway.policy.minting import JWT, Minter
from gateway.policy.model import Address, Policy
from gateway.policy.pattern import Pattern, PatternError, compile_pattern
from gateway.policy.sending import Send
from gateway.policy.template import (
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
    split_parts,
)
from gateway.policy.token_claims import FORM
from gateway.policy.written import (
    GraphqlDocument,
    PolicyDocument,
    Said,
    TokenDocument,
)
from gateway.yaml_source import Fault, Source, Way, did_you_mean

GIVEN = ("guest.name", "guest.email", "guest.id", "grant.id", "link.id", "public_url")
"""Variables that every grant has, besides the item's own."""


class Names:
    """Of one policy while it is compiled. Faults and warnings are noted by `fault` and `warn`."""

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

    @property
    def on(self) -> frozenset[str]:
        """The groups of interactions that are on."""
        return frozenset(said.text for said in self.document.interactions)

    def pattern(self, said: Said) -> Pattern:
        try:
            # An empty text stands for one that was missing or no text, which has been said.
            return compile_pattern(said.text or "x")
        except PatternError as error:
            self.fault(said.way, f"pattern: {error}")
            return compile_pattern("x")

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
