"""One kind of a policy: where guests land, what plays there, what is asked for them, and what of theirs that tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.policy.automaton import Graph
from gateway.policy.chat import GROUP as CHAT
from gateway.policy.chat import look_at_chat
from gateway.policy.compile_names import Names
from gateway.policy.compile_ports import look_at_beside
from gateway.policy.compile_steps import (
    captured_names,
    hidden_names,
    prepared_names,
    segments,
)
from gateway.policy.download import download_address
from gateway.policy.model import Address, Kind, Player, Rule, Step
from gateway.policy.page_address import PageAddress, parse_page_address
from gateway.policy.playing import SORTS, sort_of
from gateway.policy.telling import Told, page_addresses, tokens_shown, told_of_guests
from gateway.policy.template import (
    NameFinder,
    TemplateError,
)
from gateway.policy.written import (
    KindDocument,
    Said,
)
from gateway.yaml_source import Fault, Way

CAPTIONS = "captions"
"""The group that a policy puts captions into which may be switched off; the player page has no menu for them then."""


class KindCompiler(Names):
    """The part of a compilation that is about kinds."""

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
