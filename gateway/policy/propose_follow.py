"""Files that do not name the item, but which a list of the item names: `follow` for a proposal.

Rule: a list is followed when the recording holds its text and the text names what the browser then asked for. Where
the files may lie is said by the folders they came from. A JSON answer lists much besides, so it is followed only if
all that it names there was asked for. Without texts the order of requests is a guess, and stays a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.config_texts import is_loopback
from gateway.policy.har import Recorded, Recording
from gateway.policy.listed import Named, list_sort, named_in
from gateway.policy.sorting import MEDIA, Own, Sorted, extension, looks_random
from gateway.policy.target import Ambiguity, parse_target

_DEEPEST = 3
_MOST_LISTS = 200
_MOST_NAMES = 20_000
_MOST_FOLDERS = 8
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,60}")


@dataclass(frozen=True, slots=True)
class Lead:
    """How the lists of one path (with {id} in it) are followed."""

    as_: str
    to: tuple[str, ...]


@dataclass(slots=True)
class Leads:
    by_path: dict[str, Lead] = field(default_factory=dict)
    guessed: dict[str, Lead] = field(default_factory=dict)  # to be written as comments
    reached: list[Recorded] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)

    def lead(self, path: str) -> Lead | None:
        return self.by_path.get(path)


def find_leads(found: Sorted, recording: Recording, host: str, item: str, *, pages: bool) -> Leads:
    """Takes what is explained out of `found.learnt`. `pages`: guests see the server's page, whose script reads JSON."""
    leads = Leads()
    answers = {(request.origin, request.target): request for request in recording.requests if request.body}
    own = {(one.request.origin, one.request.target) for one in found.own}
    theirs = {(request.origin, request.target) for request in found.theirs}
    wanted = {(one.request.origin, one.request.target): one.request for one, _ in found.learnt}
    wanted |= {
        (one.origin, one.target): one
        for one in recording.requests
        if one.host != host and one.method == "GET" and _is_media(one) and 0 < one.status < 400
    }
    mine = _Names(own, answers)
    roots = [one for one in found.own if list_sort(one.request) and one.request.method == "GET"]
    for root in roots[:_MOST_LISTS]:
        as_ = list_sort(root.request)
        if as_ == "json" and not pages:
            continue
        named = mine.below(root.request)
        hits = {where for where in wanted if named.holds(where)}
        if not hits:
            continue
        places = [Named(*where) for where in hits] if as_ == "json" else named.all
        to = dict.fromkeys(_folder(one, root.request.origin, item) for one in places)
        if as_ == "json" and any(
            (one.origin, one.target) not in wanted and _folder(one, root.request.origin, item) in to
            for one in named.all
        ):
            leads.by_hand.append(
                f"the answer to GET {root.path} names more than was asked for, in the same folders: other items' files "
                "too? if not, its rule needs follow: {as: json}"
            )
            continue
        if None in to or len(to) > _MOST_FOLDERS:
            leads.by_hand.append(
                f"what the answer to GET {root.path} names lies in too many folders, or at the very top: "
                "its rule needs follow with a narrow to:"
            )
            continue
        strange = [one for one in dict.fromkeys(one.origin for one in places) if one != root.request.origin]
        open_ = [one for one in strange if one.startswith("http://") and not is_loopback(_host(one))]
        if open_:
            leads.by_hand.append(f"{open_[0]} serves files of the item without https: it can't be one of origins")
            continue
        before = leads.by_path.get(root.path)
        texts = dict.fromkeys((*(before.to if before else ()), *(one for one in to if one)))
        leads.by_path[root.path] = Lead(as_, tuple(texts))
        leads.origins += [one for one in strange if one not in leads.origins]
        leads.reached += [wanted[where] for where in sorted(hits)]
    known = {(one.origin, one.target) for one in leads.reached}
    others = _Names(theirs, answers)
    of_others = [others.below(one) for one in found.theirs[:_MOST_LISTS] if list_sort(one)]
    rest = []
    for one, source in found.learnt:
        where = (one.request.origin, one.request.target)
        if where in known:
            continue
        if any(names.holds(where) for names in of_others):
            found.theirs.append(one.request)
        else:
            rest.append((one, source))
    found.learnt = rest
    if not any(root.request.body for root in roots):
        _guess(leads, found, recording, item)
    return leads


def _is_media(request: Recorded) -> bool:
    return extension(request.target.partition("?")[0]) in MEDIA or list_sort(request) in ("hls", "dash")


class _Below:
    """What a list names, and what the lists it names do."""

    def __init__(self) -> None:
        self.all: list[Named] = []
        self._exact: set[tuple[str, str]] = set()
        # Templates by their text without numbers, so that few are tried for an address.
        self._numbers: dict[str, list[re.Pattern[str]]] = {}

    def add(self, named: Named) -> None:
        self.all.append(named)
        if not named.numbers:
            self._exact.add((named.origin, named.target))
            return
        text = f"{named.origin}{named.target}"
        alike = self._numbers.setdefault(_numberless(text), [])
        if len(alike) < 20:
            alike.append(re.compile(re.escape(text).replace(r"\$", "[0-9]{1,18}")))

    def holds(self, where: tuple[str, str]) -> bool:
        if where in self._exact:
            return True
        if not self._numbers:
            return False
        text = "".join(where)
        return any(pattern.fullmatch(text) for pattern in self._numbers.get(_numberless(text), ()))


def _numberless(text: str) -> str:
    return re.sub(r"[0-9$]+", "$", text)


class _Names:
    """`known`: what rules of the item allow by its name; neither followed nor looked into."""

    def __init__(self, known: set[tuple[str, str]], answers: Mapping[tuple[str, str], Recorded]) -> None:
        self._known, self._answers = known, answers
        self._left = _MOST_NAMES

    def below(self, root: Recorded) -> _Below:
        found = _Below()
        seen: set[tuple[str, str]] = set()
        waiting = [(root, 0)]
        while waiting:
            request, depth = waiting.pop()
            for named in self._named(request):
                where = (named.origin, named.target)
                filled = (named.origin, named.target.replace("$", "1"))
                if where in seen or where in self._known or (named.numbers and filled in self._known):
                    continue
                seen.add(where)
                found.add(named)
                below = self._answers.get(where)
                if below is not None and depth < _DEEPEST:
                    waiting.append((below, depth + 1))
        return found

    def _named(self, request: Recorded) -> Iterator[Named]:
        for named in named_in(request):
            self._left -= 1
            if self._left < 0:
                return
            yield named


def _folder(named: Named, server: str, item: str) -> str | None:
    """Where it lies, up to the first segment that is this item's alone; None where that is the whole server."""
    target = parse_target(named.target.replace("$", "1"))
    if isinstance(target, Ambiguity):
        return None
    kept: list[str] = []
    for segment in f"{target.text}/".replace(f"/{item}/", "/{id}/").split("/")[1:-2]:
        if segment == "{id}":
            kept.append(segment)
        elif not _SEGMENT.fullmatch(segment) or looks_random(segment) or re.search(r"[0-9]{3}|^[0-9]+$", segment):
            break
        else:
            kept.append(segment)
    if named.origin != server:
        return "/".join((named.origin, *kept, "**"))
    return "/".join(("", *kept, "**")) if kept else None


def _host(origin: str) -> str:
    return origin.partition("://")[2].partition(":")[0]


def _guess(leads: Leads, found: Sorted, recording: Recording, item: str) -> None:
    """By order alone: files that were asked for after a list of the item, and before one of another item."""
    own = {id(one.request): one for one in found.own}
    learnt = {id(one.request): one for one, _ in found.learnt}
    theirs = {id(request) for request in found.theirs}
    last: Own | None = None
    for request in recording.requests:
        if list_sort(request) in ("hls", "dash"):
            last = own.get(id(request), None if id(request) in theirs else last)
        one = learnt.get(id(request))
        if last is None or one is None:
            continue
        folder = _folder(Named(request.origin, request.target), last.request.origin, item)
        if folder is not None:
            before = leads.guessed.get(last.path)
            to = dict.fromkeys((*(before.to if before else ()), folder))
            if len(to) <= _MOST_FOLDERS:
                leads.guessed[last.path] = Lead(list_sort(last.request), tuple(to))
