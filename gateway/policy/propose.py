"""From a recording of one item being played to the text of a policy: a proposal, with what it leaves to a person.

Rule: the proposal lets this item through and nothing else. A hole stands only behind {id}, in a folder of the
item or in its file names, and is a typed pattern that no other item's id of the recording fits. What can't be
written that narrowly is left out and said in a comment; `verify` then runs the finished text against the recording.

Why the gateway's player page is preferred to the server's own: a page of the server's brings scripts, listings
and an interface along, each with a rule of its own to be thought over; a stream brings files of one folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.policy.har import Recorded, Recording, looks_secret, shown
from gateway.policy.id_shape import CannotPropose, another_id, id_pattern, stem
from gateway.policy.pattern import compile_pattern
from gateway.policy.propose_examples import example_lines, quoted
from gateway.policy.propose_follow import Lead, find_leads
from gateway.policy.propose_hints import address_hint, prepare_hint, socket_hint
from gateway.policy.propose_post import posted
from gateway.policy.propose_query import Patterns, plain, query, query_names
from gateway.policy.sorting import MEDIA, MOST_REQUESTS, Own, Sorted, extension, looks_random, sort_requests

_SOUND = frozenset(["mp3", "ogg", "oga", "opus", "flac", "aac", "wav", "m4a"])
_FILES = ("mp4", "m4v", "webm", *sorted(_SOUND))
_PICTURES = ("jpg", "jpeg", "png", "webp")
_LISTS = ("m3u8", "mpd")
_UNNEEDED = "not needed by the gateway's player page"
_MOST_RULES = 300
_MOST = 8  # names of one folder that are written out


@dataclass(slots=True)
class Proposal:
    text: str
    host: str
    own: tuple[Recorded, ...]  # what must pass
    theirs: tuple[Recorded, ...]  # what must not
    by_hand: list[str] = field(default_factory=list)  # what a person has to look at
    exchanges: tuple[tuple[str, str], ...] = ()  # the item's id (or its stem) and another one
    followed: tuple[Recorded, ...] = ()  # of the item, reached by signed URLs alone
    hints: int = 0  # comments with rules that are not in force


def propose(
    recording: Recording, host: str, item: str, *, others: Sequence[str], kind: str, schema: str, own_page: bool
) -> Proposal:
    """Raises CannotPropose."""
    if recording.hosts()[host] > MOST_REQUESTS:
        raise CannotPropose(f"more than {MOST_REQUESTS} requests of {host}: record less at a time")
    found = sort_requests(recording, host, item, others)
    if not found.own:
        raise CannotPropose(f"no request that {host} answered names {item}: is this the id, as it stands in addresses?")
    return _Writer(found, recording, host, item, kind, schema, own_page).write()


class _Writer:
    def __init__(
        self, found: Sorted, recording: Recording, host: str, item: str, kind: str, schema: str, own_page: bool
    ) -> None:
        self.found, self.recording, self.host, self.item = found, recording, host, item
        self.kind, self.schema = kind, schema
        self.patterns = Patterns()
        self.by_hand: list[str] = []
        self.kept: list[Recorded] = []
        self.sorts: list[str] = []
        self.notes: list[str] = []
        pages = [one for one in found.own if one.request.document and one.request.method == "GET"]
        self.src = None if own_page else self.first("m3u8") or self.first("mpd") or self.first(*_FILES)
        self.page = next((one for one in pages if not _odd(one)), None)
        if self.src is None and self.page is None:
            why = "no playlist, no file to play, no page that names it"
            raise CannotPropose(f"of {item} there is {why}; nothing to send a guest to")
        self.leads = find_leads(found, recording, host, item, pages=self.src is None)

    def first(self, *sorts: str) -> Own | None:
        fits = [
            one
            for one in self.found.own
            if one.ending in sorts and not one.pairs and "{id}" in one.path and not one.request.document
        ]
        return next((one for one in fits if not _odd(one)), None)

    def write(self) -> Proposal:
        beside = self.src is None and any("{name}" in one.path for one in self.found.own)
        item_id = id_pattern([self.item, *self.found.others], named=beside)
        wanted: list[Own] = []
        for one in self.found.own:
            if self.src is None or self.of_the_stream(one):
                wanted.append(one)
            else:
                self.found.leave(_UNNEEDED, one.request)
        # One pattern for all folders of the item: a quality that was not played has the same sorts of files.
        below = [one for one in wanted if "{id}" in one.path.rpartition("/")[0]]
        self.sorts = sorted({extension(one.path) for one in below} & MEDIA)
        if "m3u8" in self.sorts:
            self.sorts = sorted({*self.sorts, "vtt"})  # captions, which are mostly off while somebody records
        if self.leads.by_path:
            # Lists have a rule of their own, which follows; other files pass as they are.
            self.sorts = [sort for sort in self.sorts if sort not in _LISTS]
        if any(extension(one.path) == "m3u8" and not one.request.body for one in wanted if not one.request.added):
            self.notes.append("playlists lack their text: qualities and captions that were not played are not known")
        told = [other for other in self.found.others if self.page and other in (self.page.request.body or "")]
        if self.src is None and told:
            self.notes.append(
                f"the page names other items in its source ({', '.join(told[:3])}), and guests can read it"
            )
        rules = self.rules(wanted)
        hints = self.hints()
        rules += self.posts(hints)
        shared = self.shared() if self.src is None else []
        poster = next(
            (one for one in wanted if extension(one.path) in _PICTURES and not one.pairs and not _odd(one)), None
        )
        self.by_hand += self.leads.by_hand
        self.by_hand += [_unnamed(one, source) for one, source in self.found.learnt]
        # Written last: its comments tell of what came up on the way.
        body = self.body(item_id, poster, rules, hints, shared)
        other = self.found.others[0] if self.found.others else another_id(self.item)
        examples = example_lines(self.item, other, self.kind, self.kept, self.found.theirs)
        return Proposal(
            "\n".join([*self.head(), *body, *examples]) + "\n",
            self.host,
            tuple(self.kept),
            tuple(self.found.theirs),
            self.by_hand,
            self.exchanges(),
            tuple(self.leads.reached),
            len(hints),
        )

    def body(
        self,
        item_id: str,
        poster: Own | None,
        rules: Sequence[Sequence[str]],
        hints: Sequence[Sequence[str]],
        shared: Sequence[str],
    ) -> list[str]:
        """Everything between the head and the examples."""
        lines = [f"server: {quoted(f'The server at {self.host}')}", 'verified: "by gateway policy from-har alone"', ""]
        lines += ["item:", f"  id: {quoted(item_id)}"]
        probe = self.src or self.page
        assert probe is not None
        if not probe.pairs:
            asked = f"{'HEAD' if self.src else 'GET'} {probe.path}"
            lines += ["  resolve:", f"    - request: {asked}", "      gone: [404, 410]"]
        lines.append("")
        if self.patterns.texts:
            lines += ["patterns:", *(f"  {name}: {quoted(text)}" for name, text in self.patterns.texts.items()), ""]
        lines += ["kinds:", f"  {self.kind}:"]
        if self.page is not None:
            lines += [f"    page_urls: [{quoted(self.address(self.page))}]"]
        if self.src is not None:
            as_ = {"m3u8": "hls", "mpd": "dash"}.get(self.src.ending, "file")
            extra = "" if extension(self.src.path) else f", as: {as_}"
            extra += f", poster: {quoted(poster.path)}" if poster else ""
            lines += [f"    player: {{src: {quoted(self.src.path)}{extra}}}"]
        elif self.page is not None:
            lines += [f"    open: {quoted(self.address(self.page))}"]
        lines.append("    allow:")
        for first, *rest in rules:
            lines += [f"      - {first}", *(f"        {line}" for line in rest)]
        if hints:
            lines.append("    # Not in force: what the recording hints at. Look at each before you write it as a rule.")
            for hint in hints:
                lines += ["    #", *(_comment(f"    # {line}") for line in hint)]
        if shared:
            lines += ["", "shared:", *(f"  - {quoted(rule)}" for rule in shared)]
        if self.leads.origins:
            lines += ["", f"origins: [{', '.join(map(quoted, self.leads.origins))}]"]
        return lines

    def hints(self) -> list[list[str]]:
        """What stays a comment."""
        own = self.src is None
        sockets = [one for one in self.found.sockets if self.plain(one) and not _odd(one)]
        for one in self.found.sockets:
            self.found.leave("websockets, which need messages: to be narrow" if own else _UNNEEDED, one.request)
        found = [
            prepare_hint(self.found.posts, self.recording, self.host, self.item),
            address_hint(self.recording, self.host, self.item, self.leads.origins),
            socket_hint(
                list(dict.fromkeys(f"WS {one.path}{self.query([one]) or ''}" for one in sockets)) if own else []
            ),
        ]
        for path, lead in self.leads.guessed.items():
            found.append([
                f"After GET {path} files were asked for that do not name the item. If that list names them (record",
                "with bodies, or look into it), its rule is to be written so, apart from those of other files:",
                f"  - request: {quoted(f'GET {path}')}",
                f"    {_follow(lead)}",
            ])  # fmt: skip
        return [hint for hint in found if hint]

    def posts(self, hints: list[list[str]]) -> list[list[str]]:
        """Rules for what the server's page sends; what is not certain goes to the hints."""
        groups: dict[tuple[str, str, str], list[Own]] = {}
        for one in self.found.posts:
            if self.src is not None:
                self.found.leave(_UNNEEDED, one.request)
            elif not self.plain(one) or _odd(one):
                self.found.leave("what they send, or where to, can't be written narrowly", one.request)
            else:
                groups.setdefault((one.request.method, one.path, query_names(one, self.item)), []).append(one)
        rules: list[list[str]] = []
        unclear: list[str] = []
        for (method, path, _), members in list(groups.items())[:_MOST_RULES]:
            query = self.query(members)
            found = posted(members, self.item)
            rule = f"{method} {path}{query or ''}"
            if query is not None and not found.why_not:
                rules.append([f"request: {quoted(rule)}", *found.keys])
                self.kept += [one.request for one in members]
                continue
            for one in members:
                self.found.leave("they send something, see the comments below allow", one.request)
            why = found.why_not or "a value of its query varies or is random, and could be an item's id"
            unclear += [
                f"{method} {path}: {why}",
                f"  - request: {quoted(rule)}",
                *(f"    {key}" for key in found.keys),
            ]
        if unclear:
            hints.append(unclear[:60])
        return rules

    def exchanges(self) -> tuple[tuple[str, str], ...]:
        """What names the item, and what would name another one in its place."""
        found: list[tuple[str, str]] = []
        mine = stem(self.item)
        for other in self.found.others[:5] or (another_id(self.item),):
            found.append((self.item, other))
            theirs = stem(other)
            if mine and theirs:
                found.append((f"{mine}.", f"{theirs}."))
        return tuple(found)

    def of_the_stream(self, one: Own) -> bool:
        """What the gateway's player page asks for: files of the stream, and a picture of the item."""
        sorts = {*MEDIA, *_PICTURES}
        return "{id}" in one.path and one.ending in sorts and one.request.method != "WS" and not one.request.document

    # --- rules ---

    def rules(self, wanted: Iterable[Own]) -> list[list[str]]:
        """Each as its lines."""
        folders: dict[tuple[str, str, str], list[Own]] = {}
        for one in wanted:
            if not self.plain(one):
                self.found.leave(
                    "the query holds odd characters or a name twice, or a name looks like a secret", one.request
                )
                continue
            if _odd(one):
                self.by_hand.append(
                    f"{one.request.method} {shown(one.request.target)} holds what looks like a random id: it needs "
                    "resolve, prepare or follow, and is not allowed"
                )
                continue
            method = "WS" if one.request.method == "WS" else "page GET" if self.is_page(one) else "GET"
            folders.setdefault((method, one.path.rpartition("/")[0], query_names(one, self.item)), []).append(one)
        found: dict[str, Lead | None] = {}
        for (method, folder, _), members in folders.items():
            query = self.query(members)
            if query is None:
                for one in members:
                    self.by_hand.append(
                        f"{one.request.method} {shown(one.request.target)}: a value of its query varies or is "
                        "random, and could be an item's id; it is not allowed"
                    )
                continue
            self.kept += [one.request for one in members]
            for name, lead in self.names(folder, members).items():
                found[f"{method} {folder}/{name}{query}"] = lead
        if len(found) > _MOST_RULES:
            raise CannotPropose(f"more than {_MOST_RULES} rules: the addresses are too different for a proposal")
        return [[f"request: {quoted(rule)}", _follow(lead)] if lead else [quoted(rule)] for rule, lead in found.items()]

    def is_page(self, one: Own) -> bool:
        return self.src is None and one.request.document

    def names(self, folder: str, members: Sequence[Own]) -> dict[str, Lead | None]:
        """The last segments of one folder: as they are, or one typed hole for them all; lists that are followed
        apart from the rest."""
        leads = {one.path.rpartition("/")[2]: lead for one in members if (lead := self.leads.lead(one.path))}
        names = list(dict.fromkeys(one.path.rpartition("/")[2] for one in members))
        out: dict[str, Lead | None] = {}
        if leads:
            lists = [name for name in names if extension(name) in _LISTS]
            for sort in sorted({lead.as_ for lead in leads.values()}):
                to = dict.fromkeys(text for lead in leads.values() if lead.as_ == sort for text in lead.to)
                same = [name for name in lists if extension(name) == {"hls": "m3u8", "dash": "mpd"}.get(sort)] or [
                    name for name, lead in leads.items() if lead.as_ == sort
                ]
                names = [name for name in names if name not in same]
                ending = {"hls": "m3u8", "dash": "mpd"}.get(sort)
                for name in self.holes(folder, same, [ending] if ending else [], sort):
                    out[name] = Lead(sort, tuple(to))
        out |= dict.fromkeys(self.holes(folder, names, self.sorts, "file"))
        return out

    def holes(self, folder: str, names: list[str], sorts: Sequence[str], called: str) -> list[str]:
        holes = [name for name in names if "{" not in name]
        if "{id}" in folder and any(extension(name) in sorts for name in holes):
            pattern = f"[A-Za-z0-9_-][A-Za-z0-9._-]{{0,99}}[.]({'|'.join(sorts)})"
            compiled = compile_pattern(pattern)
            fits = {name for name in holes if compiled.matches(name)}
            if fits and not any(compiled.matches(one) for one in (self.item, *self.found.others)):
                names = [f"{{{self.patterns.named(called, pattern)}}}", *(name for name in names if name not in fits)]
        out: dict[str, None] = {}
        for name in names:
            captions = re.fullmatch(r"(.*\{name\})[.].*?(srt|vtt)", name)
            if captions and not any(other.startswith(f"{stem(self.item)}.") for other in self.found.others):
                languages = self.patterns.named("captions", "([a-z]{2,3}(-[A-Za-z0-9]{2,8})?[.])?(srt|vtt)")
                out[f"{captions[1]}.{{{languages}}}"] = None
                continue
            # `{id}-00001.ts`: a number, where an id can't go on like that.
            number = re.fullmatch(r"(.*\{id\}[-_])[0-9]{1,9}(\..+)", name)
            out[f"{number[1]}{{{self.patterns.named('n', '[0-9]{1,9}')}}}{number[2]}" if number else name] = None
        if len(out) > _MOST and "{id}" in folder:
            number_pattern = compile_pattern("[0-9]{1,9}")
            ids = (self.item, *self.found.others)
            if all(map(number_pattern.matches, out)) and not any(map(number_pattern.matches, ids)):
                return [f"{{{self.patterns.named('n', number_pattern.text)}}}"]
        return list(out)

    def plain(self, one: Own) -> bool:
        return plain(one, self.item)

    def query(self, members: Sequence[Own], *, shared: bool = False) -> str | None:
        return query(members, self.item, self.patterns, self.by_hand, shared=shared)

    def address(self, one: Own) -> str:
        """Where the page of the item is, with what names it there."""
        pairs = [f"{name}={{id}}" for name, value in one.pairs if value == self.item]
        return f"{one.path}?{'&'.join(pairs)}" if pairs else one.path

    def shared(self) -> list[str]:
        rules: dict[str, None] = {}
        for one in self.found.shared:
            secret = any(map(looks_secret, one.path.split("/")))
            query = self.query([one], shared=True) if self.plain(one) and not secret else None
            if query is None:
                self.found.leave(
                    "the query holds odd characters or a name twice, or a name looks like a secret", one.request
                )
                continue
            self.kept.append(one.request)
            rules[f"GET {one.path}{query}"] = None
        return list(rules)

    # --- the text ---

    def head(self) -> list[str]:
        lines = [
            f"# yaml-language-server: $schema={self.schema}",
            f"# Proposed by `gateway policy from-har` from a recording of {self.item} on {self.host}.",
            "# Read it before you trust it.",
            f"# Other items in it: {', '.join(self.found.others[:5]) or 'none; better record a second one too'}.",
        ]
        lines += [f"# Note: {text}." for text in self.notes]
        hand = list(dict.fromkeys(self.by_hand))[:50]
        if hand:
            lines += [
                "#",
                "# LOOK AT THIS BY HAND:",
                *(f"#   {text}" for text in list(dict.fromkeys(self.by_hand))[:50]),
            ]
        if self.found.left:
            lines += ["#", "# Left out:"]
            for why, requests in self.found.left.items():
                lines.append(f"#   {why} ({len(requests)})")
                told = dict.fromkeys(f"{request.method} {shown(request.target)}" for request in requests)
                lines += [f"#       {text}" for text in list(told)[:5]]
        return [_comment(line) for line in lines]


def _follow(lead: Lead) -> str:
    return f"follow: {{as: {lead.as_}, to: [{', '.join(map(quoted, lead.to))}]}}"


def _unnamed(one: Own, source: str) -> str:
    told = f"its name came from the answer to {shown(source)}" if source else "no recorded answer tells its name"
    return f"GET {shown(one.request.target)} does not name the item; {told}: it needs resolve, prepare or follow"


def _odd(one: Own) -> bool:
    """Whether a segment besides the id, and besides a file below it, looks like a random id; any that looks secret."""
    segments = one.path.split("/")
    if any(map(looks_secret, segments)):
        return True
    below = "{id}" in segments[:-1] and extension(one.path) in MEDIA
    return any(looks_random(segment) for segment in segments[: -1 if below else None]) or (
        not below and looks_random(segments[-1].partition(".")[0])
    )


def _comment(line: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in line)
