"""From checked documents to the requests that the gateway makes itself (of resolve, prepare and release), and to
what it learns from answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from gateway.config import MAIN, PORT_NAME
from gateway.config_texts import duration_between
from gateway.policy.capture import Capture, HeaderCapture, JsonCapture
from gateway.policy.header_names import is_framing, is_header_name
from gateway.policy.jsonpath import AnswerPath, PathError, parse_answer_path
from gateway.policy.login import holds_mark
from gateway.policy.model import Address, Check, Player, Rule, Step
from gateway.policy.request import Checksum, StepRequest, Words
from gateway.policy.template import Hole, NameFinder, Some, TemplateError, Text, Variable, parse_path, split_parts
from gateway.policy.written import (
    ChecksumDocument,
    Condition,
    JsonDocument,
    KindDocument,
    RuleDocument,
    Said,
    StepDocument,
)
from gateway.yaml_source import KEY, Source, Way, did_you_mean

RESOLVE = ("GET", "HEAD", "POST")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MIN_SECRET = 8
_EACH = ("page", "visit")
_RENEW_LEAST, _RENEW_MOST = timedelta(minutes=1), timedelta(days=7)
_NAMES = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_NOT_CAPTURED = frozenset(("set-cookie", "www-authenticate", "authentication-info"))
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


def not_for_policies(name: str) -> str | None:
    """Why a policy can't set a header of this name."""
    if not is_header_name(name):
        return f"{name}: not the name of a header"
    if is_framing(name):
        return f"{name}: this header is the gateway's own"
    return None


def prepared_names(kind: KindDocument) -> tuple[str, ...]:
    """Variables that a kind's prepare brings."""
    return tuple(dict.fromkeys(name for step in kind.prepare for name in step.vars))


def captured_names(rules: Iterable[RuleDocument]) -> tuple[str, ...]:
    """Variables that the answers to these bring."""
    return tuple(dict.fromkeys(name for rule in rules for name in rule.capture))


def segments(
    names: Iterable[str],
    rules: Iterable[Rule],
    places: tuple[Address | None, Player | None],
    asked: tuple[tuple[Step, ...], tuple[StepRequest, ...]],
) -> frozenset[str]:
    """Those of `names` that stand in some path as a part of it."""
    opened, player = places
    addresses = [opened, *((player.src, player.poster, player.file, player.chat) if player else ())]
    addresses += [step.request.address for step in asked[0]]
    addresses += [request.address for request in asked[1]]
    found: set[str] = set()
    for rule in rules:
        parts = rule.path.parts[1:] if rule.path.whole else rule.path.parts
        found |= {part.name for part in parts if isinstance(part, Variable)}
    for address in addresses:
        if address is not None and not address.whole:
            found |= {part.name for part in address.path if isinstance(part, Variable)}
    return frozenset(found.intersection(names))


def hidden_names(names: Iterable[str], rules: Iterable[Rule], shown: Iterable[Address]) -> frozenset[str]:
    """Those of `names` that go to the server in a header and stand in no address that a guest is given or asks for.

    Why headers alone: what is sent in a query is often an id that the server writes into its playlists again.
    """
    rules = tuple(rules)
    sent: set[str] = set()
    seen = {name for address in shown for name in address.variables}
    for rule in rules:
        for parts in rule.send.headers.values() if rule.send is not None else ():
            sent |= {part.name for part in parts or () if isinstance(part, Variable)}
        seen |= {*rule.path.variables, *rule.query.variables}
    return frozenset(sent.intersection(names) - seen)


class StepCompiler:
    """`address` compiles a template that the gateway fills itself."""

    def __init__(self, source: Source, address: Callable[[Said, NameFinder], Address]) -> None:
        self.source = source
        self.address = address

    def look_at_brought(self, step: StepDocument, taken: set[str]) -> None:
        """Names that a step of resolve may not bring: what is asked for by them is somebody else's."""
        for name, said in step.vars.items():
            self._look_at_name(name, (*said.way[:-1], name, KEY), taken)

    def look_at_names(self, kind: KindDocument, shared: Iterable[RuleDocument], taken: Iterable[str]) -> None:
        """Names that prepare and capture may not use: somebody else's, and such as no template can name."""
        taken = set(taken)
        for step in kind.prepare:
            for name, said in step.vars.items():
                way = (*said.way[:-1], name, KEY)
                self._look_at_name(name, way, taken)
        prepared = taken.union(name for step in kind.prepare for name in step.vars)
        for rule in (*kind.allow, *shared):
            for name, said in rule.capture.items():
                self._look_at_name(name, (*said.way[:-1], name, KEY), prepared)

    def _look_at_name(self, name: str, way: Way, taken: set[str]) -> None:
        if self.source.blamed(way):
            return
        if name in taken:
            self.source.fault(way, f"{name}: is a variable or pattern already")
        elif not name or not _NAME.issuperset(name):
            self.source.fault(way, f"{name}: a variable's name has small letters, digits and _")

    def captures(self, rule: RuleDocument, find: NameFinder) -> tuple[Capture, ...]:
        """What a rule's answers bring; `find` knows what the rule itself can use."""
        if rule.capture and rule.methods == ("WS",):
            self.source.fault(rule.way, "capture: a websocket has no answer to read")
        if rule.capture and rule.follow is not None:
            # What is followed may come from elsewhere; no other host may say what this guest reaches here.
            self.source.fault(rule.way, "capture: not together with follow")
        if rule.capture and rule.answer is not None:
            self.source.fault(rule.way, "capture: the gateway answers this itself")
        return tuple(self.capture(name, said, find) for name, said in rule.capture.items())

    def capture(self, name: str, said: Said, find: NameFinder) -> Capture:
        nothing = JsonCapture(name, AnswerPath("$", ()))
        if said.text.startswith(("$", "/")):
            path = self.answer_path(said)
            if path.xml:
                self.source.fault(said.way, "capture: written Header: template, or a path into JSON")
            return JsonCapture(name, path)
        header, colon, template = said.text.partition(":")
        template = template.strip()
        if not colon or not header or not is_header_name(header) or not template:
            if said.text:
                self.source.fault(said.way, "capture: written Header: template, or a path into JSON")
            return nothing
        if header.lower() in _NOT_CAPTURED:
            self.source.fault(said.way, f"capture: {header} is not passed on, and holds nothing for a guest")
            return nothing
        is_path = template.startswith("/")
        try:
            parts = parse_path(template, find).parts if is_path else split_parts(template, find, stars=False)
        except TemplateError as error:
            self.source.fault(said.way, str(error))
            return nothing
        if [part for part in parts if isinstance(part, Hole | Some)]:
            self.source.fault(said.way, "capture: only variables stand in a template here")
        if sum(part == Variable(name) for part in parts) != 1:
            self.source.fault(said.way, f"capture: {{{name}}} stands in its template exactly once")
        elif any(isinstance(part, Variable) and isinstance(after, Variable) for part, after in pairwise(parts)):
            self.source.fault(said.way, "capture: something must stand between two variables")
        return HeaderCapture(name, header, parts, is_path)

    def kind(
        self,
        kind: KindDocument,
        given: tuple[str, ...],
        captured: tuple[str, ...],
        finder: Callable[[Iterable[str]], NameFinder],
    ) -> tuple[tuple[Step, ...], tuple[StepRequest, ...]]:
        """prepare and release; a step of prepare may use what those before it have brought. `captured`: what
        answers to the kind's rules bring; a release whose value never came asks nothing."""
        variables, prepare = list(given), []
        for step in kind.prepare:
            prepare.append(self.anew(step, self.step(step, finder(variables), _METHODS)))
            variables += [name for name in step.vars if name not in variables]
        self._look_at_what_is_old(kind, prepare)
        self._look_at_groups(kind, prepare)
        release = []
        for asked in kind.release:
            request = self.request(asked, finder([*variables, *captured]), _METHODS)
            for name in sorted({"guest.name", "guest.email"} & request.variables):
                # Once they have been erased, this request could not be made any more.
                self.source.fault(asked.request.way, f"{{{name}}}: release can use {{guest.id}}, and no personal data")
            release.append(request)
        return tuple(prepare), tuple(release)

    def anew(self, said: StepDocument, step: Step) -> Step:
        """With when it is asked again."""
        if said.each is not None and said.each.text not in _EACH:
            self.source.fault(said.each.way, "each: page or visit")
        renew = None
        if said.renew is not None:
            try:
                renew = duration_between(said.renew, _RENEW_LEAST, _RENEW_MOST) // timedelta(milliseconds=1)
            except ValueError as error:
                self.source.fault(said.renew_way, f"renew: {error}")
        each = said.each.text if said.each is not None else ""
        return replace(step, each=each, renew=renew, group=said.group.text if said.group is not None else "")

    def _look_at_groups(self, kind: KindDocument, steps: list[Step]) -> None:
        """A guest comes in without what a group's step would have brought: nothing else may need it."""
        groups = {rule.group for rule in kind.allow if rule.group}
        brought: dict[str, str] = {}
        for said, step in zip(kind.prepare, steps, strict=True):
            if said.group is not None and step.group not in groups:
                hint = did_you_mean(step.group, groups)
                self.source.fault(said.group.way, f"for: {kind.name} has no interactions named {step.group}{hint}")
            for name in sorted(step.request.variables & brought.keys()):
                if brought[name] != step.group:
                    what = f"{{{name}}} is there only where {brought[name]} is on: write for: {brought[name]} here too"
                    self.source.fault(said.request.way, what)
            brought |= dict.fromkeys(said.vars, step.group) if step.group else {}
        places = [kind.open, *((kind.player.src, kind.player.poster, kind.player.file) if kind.player else ())]
        for place in places:
            for name in brought if place is not None else ():
                if place is not None and f"{{{name}}}" in place.text:
                    what = f"{{{name}}} is there only where {brought[name]} is on, and can't stand here"
                    self.source.fault(place.way, what)

    def _look_at_what_is_old(self, kind: KindDocument, steps: list[Step]) -> None:
        """Who uses what is asked for anew must be asked anew as well, or would go on with what it was."""
        for at, (said, step) in enumerate(zip(kind.prepare, steps, strict=True)):
            for before in steps[:at]:
                used = sorted(step.request.variables & before.vars.keys())
                if used and before.each and step.each not in ("page", before.each):
                    what = f"{{{used[0]}}} is new at each {before.each}: write each: {before.each} here too"
                    self.source.fault(said.request.way, what)
                if used and before.renew is not None and (step.renew is None or step.renew > before.renew):
                    what = f"{{{used[0]}}} is renewed: write a renew: here that is not longer"
                    self.source.fault(said.request.way, what)

    def step(self, step: StepDocument, find: NameFinder, methods: tuple[str, ...]) -> Step:
        not_started, ended = self.checks(step.not_started), self.checks(step.ended)
        for name, said in (("gone", step.gone), ("ended", step.ended)):
            for twice in {one.status for one in said} & {one.status for one in step.not_started} - {None}:
                way = next(one.way for one in step.not_started if one.status == twice)
                self.source.fault(way, f"not_started: {twice} stands under {name} too")
        # What the policy reads in another way by itself is no sign that the item is gone.
        taken = {one.status for one in (*not_started, *ended)}
        gone = self.checks(step.gone) or tuple(Check(one, None, None) for one in (404, 410) if one not in taken)
        return Step(
            request=self.request(step, find, methods),
            id=self.answer_path(step.id) if step.id else None,
            gone=gone,
            not_started=not_started,
            ended=ended,
            was_live=self.answer_path(step.was_live) if step.was_live else None,
            vars={name: self.answer_path(said) for name, said in step.vars.items()},
        )

    def request(self, step: StepDocument, find: NameFinder, methods: tuple[str, ...]) -> StepRequest:
        words = step.request.text.split()
        method, target = words if len(words) == 2 else ("GET", "/")
        if step.request.text and (len(words) != 2 or method not in methods):
            which = f"{', '.join(methods[:-1])} or {methods[-1]}"
            self.source.fault(step.request.way, f"request: written {methods[0]} /path ({which})")
        if step.json is not None and method in ("GET", "HEAD"):
            self.source.fault((*step.json.way[:-1], "json", KEY), f"json: {method} has no body")
        headers = []
        for name, said in step.headers.items():
            fault = not_for_policies(name)
            if fault is not None:
                self.source.fault((*said.way[:-1], name, KEY), fault)
            headers.append((name, self.words(said.text, said.way, find)))
        return StepRequest(
            method=method,
            address=self.address(Said(target, step.request.way), find),
            json=self.json(step.json, find) if step.json is not None else None,
            has_json=step.json is not None,
            headers=tuple(headers),
            checksum=self.checksum(step.checksum, target, find) if step.checksum is not None else None,
            at=self.at(step.at),
        )

    def at(self, said: Said | None) -> str:
        """The address that is asked, by its name in config.yaml; "" for the main one."""
        if said is None or said.text == MAIN:
            return ""
        if said.text and not PORT_NAME.fullmatch(said.text):
            self.source.fault(said.way, "at: a name of config.yaml's upstream: small letters, digits, - and _")
        return said.text

    def checksum(self, said: ChecksumDocument, target: str, find: NameFinder) -> Checksum | None:
        name = said.name.text
        names = {pair.partition("=")[0] for pair in target.partition("?")[2].split("&")}
        if name and not _NAMES.issuperset(name):
            self.source.fault(said.name.way, "checksum: name: letters, digits, _, . and -")
        elif name in names:
            self.source.fault(said.name.way, f"checksum: the request has a {name} already")

        def with_query(one: str) -> Text | Variable | Hole:
            return Variable("query") if one == "query" else find(one)

        try:
            parts = split_parts(said.over.text, with_query, stars=False, escapes=False)
        except TemplateError:
            # What is wrong there may be a piece of the secret: it is not repeated.
            self.source.fault(said.over.way, "checksum: in braces stand only {query} and variables")
            return None
        literal = sum(len(part.text) for part in parts if isinstance(part, Text))
        if not any(isinstance(part, Variable) for part in parts) or any(isinstance(part, Hole) for part in parts):
            self.source.fault(said.over.way, "checksum: written as text, {query} or another variable, and a secret")
        elif any(isinstance(part, Text) and holds_mark(part.text) for part in parts):
            self.source.fault(said.over.way, "checksum: what a sign-in gives can't be signed with")
        elif literal < MIN_SECRET:
            self.source.fault(said.over.way, f"checksum: a secret of at least {MIN_SECRET} characters stands in it")
        return Checksum(name, said.algorithm, Words(parts))

    def json(self, body: JsonDocument, find: NameFinder) -> Any:
        def compiled(value: Any, way: Way) -> Any:
            if isinstance(value, str):
                return self.words(value, way, find)
            if isinstance(value, dict):
                return {str(name): compiled(one, (*way, name)) for name, one in value.items()}
            if isinstance(value, list):
                return [compiled(one, (*way, index)) for index, one in enumerate(value)]
            return value

        return compiled(body.data, body.way)

    def words(self, text: str, way: Way, find: NameFinder) -> Words:
        try:
            parts = split_parts(text, find, stars=False, escapes=False)
        except TemplateError as error:
            self.source.fault(way, str(error))
            return Words(())
        for part in parts:
            if isinstance(part, Hole):
                self.source.fault(way, f"{{{part.name}}} is a pattern; here stand only variables, which have one value")
                return Words(())
        return Words(parts)

    def checks(self, conditions: tuple[Condition, ...]) -> tuple[Check, ...]:
        return tuple(
            Check(
                condition.status,
                self.answer_path(Said(condition.path, condition.way)) if condition.path is not None else None,
                condition.value,
            )
            for condition in conditions
        )

    def answer_path(self, said: Said) -> AnswerPath:
        if not said.text and self.source.blamed(said.way):
            return AnswerPath("$", ())
        try:
            return parse_answer_path(said.text)
        except PathError as error:
            self.source.fault(said.way, str(error))
            return AnswerPath("$", ())
