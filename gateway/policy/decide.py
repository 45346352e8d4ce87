"""From a request to a decision. Pure and default deny: only a rule that matches says yes.

A `Scope` is a policy bound to the variables of one grant. What it costs to decide does not grow with
the number of rules: one automaton holds all paths (see `automaton`), and rules that share a path are
found by method and by the first pair their query must hold to the letter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from gateway.policy.automaton import Automaton
from gateway.policy.chat import GROUP as CHAT
from gateway.policy.marked import TokenPlaces
from gateway.policy.playing import sort_of
from gateway.policy.sending import SentHeaders, Spelling
from gateway.policy.target import Pair, Target, parse_target, smuggled_name
from gateway.reasons import Reason

if TYPE_CHECKING:
    from gateway.policy.follow import Place, Reach
    from gateway.policy.model import Address, Kind, Rule

Variables = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Decision:
    """Allow with its rule, or deny with its reason. `detail` is for the log."""

    rule: Rule | None
    reason: Reason | None
    detail: str = ""
    sent: Target | None = None  # what goes to the server, where something is allowed
    headers: SentHeaders = ()  # what the rule sets or removes
    others: tuple[Decision, ...] = ()  # by rules that would allow it with another body or other messages

    @property
    def allowed(self) -> bool:
        return self.rule is not None

    @property
    def page(self) -> bool:
        """Whether this request opens a page, and so has the link checked again."""
        return self.rule is not None and self.rule.page


@dataclass(frozen=True, slots=True)
class PlayerSources:
    """What the gateway's player page shows: targets on this server, path and query."""

    src: str
    poster: str | None
    file: str | None
    as_: str  # one of playing.SORTS


def _rank(rule: Rule) -> int:
    """Pages first, then what takes a body."""
    return 0 if rule.page else 1 if rule.body is not None else 2


class _Candidates:
    """Rules that share a path and a method, in the order of `_rank`."""

    __slots__ = ("by_pair", "rest")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rest: list[Rule] = []
        self.by_pair: dict[Pair, list[Rule]] = {}
        for rule in sorted(rules, key=_rank):
            literals = rule.query.literals
            if literals:
                self.by_pair.setdefault(literals[0], []).append(rule)
            else:
                self.rest.append(rule)

    def of(self, pairs: tuple[Pair, ...]) -> list[Rule]:
        if not self.by_pair:
            return self.rest
        found = [rule for pair in pairs for rule in self.by_pair.get(pair, ())]
        return sorted(found + self.rest, key=_rank) if found else self.rest


class Scope:
    """What one grant reaches. Made by `Policy.scope`."""

    def __init__(
        self,
        kind: Kind,
        variables: Variables,
        automaton: Automaton,
        pinned: frozenset[str],
        whole: Mapping[str, Mapping[str, frozenset[tuple[Pair, ...]]]],
        bound: Variables,
        elsewhere: Mapping[str, tuple[Place, ...]],
    ) -> None:
        self.kind = kind
        self.variables = variables
        self._automaton = automaton
        self._pinned = pinned
        # Variables that hold whole paths: name -> path -> the queries that go with it.
        self._whole = whole
        # The variables as paths are bound to them, for whoever must know which part stands where.
        self._bound = bound
        # What variables that hold whole addresses name on other origins.
        self._elsewhere = elsewhere
        self._spellings: dict[Rule, Spelling] = {}
        self._tokens: dict[Rule, TokenPlaces] = {}
        self._candidates: dict[tuple[tuple[int, ...], str], _Candidates] = {}
        self._reaches: dict[bytes, Reach] = {}

    def decide(self, method: str, target: Target, *, websocket: bool = False) -> Decision:
        """`websocket`: the request is a whole handshake and asks for a WS rule; a plain one never gets one."""
        if target.pairs:
            name = smuggled_name(target, self._pinned)
            if name is not None:
                return Decision(None, Reason.AMBIGUOUS_TARGET, "a name with a meaning inside a query value")
        matched = self._automaton.match(target.text)
        if not matched:
            return Decision(None, Reason.NO_RULE)
        candidates = self._for(matched, "WS" if websocket else method)
        rules = candidates.of(target.pairs)
        for rule in rules:
            decision = self._fitting(rule, target)
            if decision is None:
                continue
            if rule.body is None and rule.messages is None:
                return decision
            # What fits shows when the body or a frame has come; rules without a body stand behind those with one.
            rest = [self._fitting(other, target) for other in rules[rules.index(rule) + 1 :]]
            return replace(decision, others=tuple(one for one in rest if one is not None))
        if any(rule.path.tokens for rule in rules):
            return Decision(None, Reason.NO_RULE, "a token in the path is not one of this item")
        if rules or candidates.by_pair:
            return Decision(None, Reason.QUERY_REFUSED)
        return Decision(None, Reason.METHOD_REFUSED)

    def allows_plain(self, matched: tuple[int, ...]) -> bool | None:
        """Whether a GET without a query is allowed where these rules have the path (see `beside`); None where more
        of it counts than which rules these are."""
        rules = self._for(matched, "GET").of(())
        for rule in rules:
            odd = rule.path.whole is not None or rule.path.tokens or rule.send is not None or rule.answer is not None
            if odd or self.kind.any_case:
                return None
        return any(rule.query.admits((), self.variables, self._pinned) for rule in rules)

    def _for(self, matched: tuple[int, ...], method: str) -> _Candidates:
        key = (matched, method)
        candidates = self._candidates.get(key)
        if candidates is None:
            rules = [self.kind.rules[index] for index in matched]
            candidates = _Candidates([rule for rule in rules if rule.takes(method)])
            if len(self._candidates) < 10_000:
                self._candidates[key] = candidates
        return candidates

    def _fitting(self, rule: Rule, target: Target) -> Decision | None:
        """The decision for a rule whose path and method fit, if the rest does."""
        send = rule.send
        asked = target if send is None else send.asked(target)
        if asked is None or not self._query_fits(rule, asked):
            return None
        if rule.path.tokens and not self._tokens_fit(rule, asked):
            return None
        spelled: Target | None = asked
        if self.kind.any_case:
            spelling = self._spellings.get(rule)
            if spelling is None:
                spelling = self._spellings[rule] = Spelling(rule.path, self._bound)
            spelled = spelling.of(asked)
        if spelled is None or (rule.answer is not None and not rule.answer.ready(self.variables)):
            return None
        if send is None:
            return Decision(rule, None, "", spelled)
        sent, headers = send.onto(spelled, self.variables), send.set_headers(self.variables)
        return Decision(rule, None, "", sent, headers) if sent is not None and headers is not None else None

    def _tokens_fit(self, rule: Rule, target: Target) -> bool:
        places = self._tokens.get(rule)
        if places is None:
            places = self._tokens[rule] = TokenPlaces(rule.path, self._bound, any_case=self.kind.any_case)
        return places.hold(target.text)

    def _query_fits(self, rule: Rule, target: Target) -> bool:
        if rule.path.whole is not None:
            queries = self._whole.get(rule.path.whole, {})
            if len(rule.path.parts) == 1:
                return target.pairs in queries.get(target.text, ())
        return rule.query.admits(target.pairs, self.variables, self._pinned)

    def following(self, mark: bytes) -> Rule | None:
        """The rule that has this mark in signed URLs: one that is followed, or whose path is a whole address."""
        signing = (rule for rule in self.kind.rules if rule.follow is not None or rule.path.whole is not None)
        return next((rule for rule in signing if rule.mark == mark), None)

    def elsewhere(self, place: Place) -> Rule | None:
        """The rule `GET {name}` whose variable holds this address of another origin."""
        for rule in self.kind.rules:
            if rule.takes("GET") and place in self._held(rule):
                return rule
        return None

    def _held(self, rule: Rule) -> tuple[Place, ...]:
        alone = rule.path.whole is not None and len(rule.path.parts) == 1
        return self._elsewhere.get(rule.path.whole or "", ()) if alone and rule.body is None else ()

    def plain(self, rule: Rule) -> Rule:
        """Of a rule what tells which it is, and nothing of what it says of a request."""
        return type(rule)(
            text=rule.text, file=rule.file, line=rule.line, column=rule.column, page=False,
            methods=frozenset({"GET"}), path=rule.path, query=rule.query, group=rule.group,
            at=rule.at,
        )  # fmt: skip

    def reach(self, rule: Rule) -> Reach:
        """What a rule's answers may make reachable; the rule must have `follow`."""
        from gateway.policy.follow import Reach

        assert rule.follow is not None
        reach = self._reaches.get(rule.follow.mark)
        if reach is None:
            reach = Reach(rule.follow, self.variables, self.kind.rules, self._pinned)
            self._reaches[rule.follow.mark] = reach
        return reach

    def beside(self, folder: str) -> Callable[[str], tuple[int, ...]]:
        """For many names in one folder: the rules that have the path of one, whatever the method and query."""
        return self._automaton.behind(folder)

    def landing(self) -> str | None:
        """Where an admitted guest lands on the server's own pages, as it is asked for; None where the kind has a
        player."""
        return self.kind.open.render(self.variables) if self.kind.open else None

    def entrance(self) -> str | None:
        """The same, as a browser is sent there."""
        return self.kind.open.whole_address(self.variables) if self.kind.open else None

    def player(self, signed: Callable[[Place], str | None] | None = None) -> PlayerSources | None:
        """The streams of the gateway's player page; None where the server has a page of its own, or a
        variable that the page needs has no value: an item that has a file alone plays that. `signed`: for one that
        lies on another origin."""
        player = self.kind.player
        if player is None:
            return None
        src = self._shown(player.src, signed)
        file = self._shown(player.file, signed) if player.file else None
        poster = self._shown(player.poster, signed) if player.poster else None
        if src is None:
            return PlayerSources(src=file, poster=poster, file=None, as_="file") if file is not None else None
        # What no ending tells is left to the browser.
        return PlayerSources(src=src, poster=poster, file=file, as_=player.as_ or sort_of(src) or "file")

    def _shown(self, address: Address, signed: Callable[[Place], str | None] | None) -> str | None:
        found = address.render(self.variables)
        if found is not None or not address.whole or signed is None:
            return found
        places = self._elsewhere.get(getattr(address.path[0], "name", ""), ())
        return next((url for url in map(signed, places) if url is not None), None)

    def chat(self) -> str | None:
        """The address of the page beside the player page's picture; None where there is none, or its interaction is
        off."""
        target = self._chat
        return None if target is None else target.sent

    def beside_the_player(self, target: Target) -> bool:
        """Whether this is the page that the player page has in a frame."""
        return self._chat is not None and (target.text, target.pairs) == (self._chat.text, self._chat.pairs)

    @cached_property
    def _chat(self) -> Target | None:
        player = self.kind.player
        address = player.chat.render(self.variables) if player is not None and player.chat is not None else None
        target = parse_target(address) if address is not None else None
        # Asked like any other, and by its own group: what the page shows is what the guest may have.
        decision = self.decide("GET", target) if isinstance(target, Target) else None
        if not isinstance(target, Target) or decision is None or not decision.page:
            return None
        return target if decision.rule is not None and decision.rule.group == CHAT else None

    @property
    def captions(self) -> bool:
        """Whether the player page offers captions: not where the policy has a group for them that is off."""
        return self.kind.captions

    def download(self, signed: Callable[[Place], str | None] | None = None) -> str | None:
        """The address of the player page's download; None where the policy's group for it is off, or its first rule
        does not name one address. `signed`: as for `player`."""
        if self.kind.download is None:
            return None
        address = self.kind.download.render(self.variables)
        if address is None:
            return self._shown(self.kind.download, signed)
        target = parse_target(address)
        # Asked like any other: what the page shows is what the guest may have.
        return address if isinstance(target, Target) and self.decide("GET", target).allowed else None
