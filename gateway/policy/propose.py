"""From a recording of one item being played to the text of a policy: a proposal, with what it leaves to a person.

Rule: the proposal lets this item through and nothing else. A hole stands only behind {id}, in a folder of the
item or in its file names, and is a typed pattern that no other item's id of the recording fits. What can't be
written that narrowly is left out and said in a comment; `verify` then runs the finished text against the recording.

Why the gateway's player page is preferred to the server's own: a page of the server's brings scripts, listings
and an interface along, each with a rule of its own to be thought over; a stream brings files of one folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from gateway.policy.har import Recorded, Recording, shown, sounds_secret
from gateway.policy.id_shape import CannotPropose, another_id, id_pattern, stem
from gateway.policy.pattern import compile_pattern
from gateway.policy.sorting import MEDIA, MOST_REQUESTS, Own, Sorted, extension, looks_random, sort_requests

_SOUND = frozenset(["mp3", "ogg", "oga", "opus", "flac", "aac", "wav", "m4a"])
_FILES = ("mp4", "m4v", "webm", *sorted(_SOUND))
_PICTURES = ("jpg", "jpeg", "png", "webp")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_WORD = re.compile(r"[A-Za-z0-9._~-]{1,60}")
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


def propose(
    recording: Recording, host: str, item: str, *, others: Sequence[str], kind: str, schema: str, own_page: bool
) -> Proposal:
    """Raises CannotPropose."""
    if recording.hosts()[host] > MOST_REQUESTS:
        raise CannotPropose(f"more than {MOST_REQUESTS} requests of {host}: record less at a time")
    found = sort_requests(recording, host, item, others)
    if not found.own:
        raise CannotPropose(f"no request that {host} answered names {item}: is this the id, as it stands in addresses?")
    return _Writer(found, host, item, kind, schema, own_page).write()


class _Writer:
    def __init__(self, found: Sorted, host: str, item: str, kind: str, schema: str, own_page: bool) -> None:
        self.found, self.host, self.item, self.kind, self.schema = found, host, item, kind, schema
        self.patterns: dict[str, str] = {}
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
                self.found.leave("not needed by the gateway's player page", one.request)
        # One pattern for all folders of the item: a quality that was not played has the same sorts of files.
        below = [one for one in wanted if "{id}" in one.path.rpartition("/")[0]]
        self.sorts = sorted({extension(one.path) for one in below} & MEDIA)
        if "m3u8" in self.sorts:
            self.sorts = sorted({*self.sorts, "vtt"})  # captions, which are mostly off while somebody records
        if any(extension(one.path) == "m3u8" and not one.request.body for one in wanted if not one.request.added):
            self.notes.append("playlists lack their text: qualities and captions that were not played are not known")
        rules = self.rules(wanted)
        shared = self.shared() if self.src is None else []
        poster = next(
            (one for one in wanted if extension(one.path) in _PICTURES and not one.pairs and not _odd(one)), None
        )
        for one, source in self.found.learnt:
            told = (
                f"its name came from the answer to {shown(source)}" if source else "no recorded answer tells its name"
            )
            self.by_hand.append(
                f"GET {shown(one.request.target)} does not name the item; {told}: it needs resolve, prepare or follow"
            )
        lines = self.head()
        lines += [
            f"server: {_quoted(f'The server at {self.host}')}",
            'verified: "by gateway policy from-har alone"',
            "",
        ]
        lines += ["item:", f"  id: {_quoted(item_id)}"]
        probe = self.src or self.page
        assert probe is not None
        if not probe.pairs:
            lines += [
                "  resolve:",
                f"    - request: {'HEAD' if self.src else 'GET'} {probe.path}",
                "      gone: [404, 410]",
            ]
        lines += [
            "",
            *(
                ["patterns:", *(f"  {name}: {_quoted(text)}" for name, text in self.patterns.items()), ""]
                if self.patterns
                else []
            ),
        ]
        lines += ["kinds:", f"  {self.kind}:"]
        if self.page is not None:
            lines += [f"    page_urls: [{_quoted(self.address(self.page))}]"]
        if self.src is not None:
            as_ = {"m3u8": "hls", "mpd": "dash"}.get(self.src.ending, "file")
            extra = "" if extension(self.src.path) else f", as: {as_}"
            extra += f", poster: {_quoted(poster.path)}" if poster else ""
            lines += [f"    player: {{src: {_quoted(self.src.path)}{extra}}}"]
        elif self.page is not None:
            lines += [f"    open: {_quoted(self.address(self.page))}"]
        lines += ["    allow:", *(f"      - {_quoted(rule)}" for rule in rules)]
        if shared:
            lines += ["", "shared:", *(f"  - {_quoted(rule)}" for rule in shared)]
        lines += self.examples()
        text = "\n".join(lines) + "\n"
        return Proposal(
            text,
            self.host,
            tuple(self.kept),
            tuple(self.found.theirs),
            self.by_hand,
            self.exchanges(),
        )

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

    def rules(self, wanted: Iterable[Own]) -> list[str]:
        folders: dict[tuple[str, str, str], list[Own]] = {}
        for one in wanted:
            if not self.plain(one):
                self.found.leave("the query holds odd characters, or a name twice", one.request)
                continue
            if _odd(one):
                self.by_hand.append(
                    f"{one.request.method} {shown(one.request.target)} holds what looks like a random id: it needs "
                    "resolve, prepare or follow, and is not allowed"
                )
                continue
            method = "WS" if one.request.method == "WS" else "page GET" if self.is_page(one) else "GET"
            folders.setdefault((method, one.path.rpartition("/")[0], self.query_names(one)), []).append(one)
        found: dict[str, None] = {}
        for (method, folder, _), members in folders.items():
            query = self.query(members)
            if query is None:
                for one in members:
                    self.by_hand.append(
                        f"{one.request.method} {shown(one.request.target)}: a value of its query varies, "
                        "and could be an item's id; it is not allowed"
                    )
                continue
            self.kept += [one.request for one in members]
            for name in self.names(folder, members):
                found[f"{method} {folder}/{name}{query}"] = None
        if len(found) > _MOST_RULES:
            raise CannotPropose(f"more than {_MOST_RULES} rules: the addresses are too different for a proposal")
        return list(found)

    def is_page(self, one: Own) -> bool:
        return self.src is None and one.request.document

    def names(self, folder: str, members: Sequence[Own]) -> list[str]:
        """The last segments of one folder: as they are, or one typed hole for them all."""
        names = list(dict.fromkeys(one.path.rpartition("/")[2] for one in members))
        holes = [name for name in names if "{id}" not in name]
        if "{id}" in folder:
            sorts = self.sorts
            if any(extension(name) in sorts for name in holes):
                pattern = f"[A-Za-z0-9_-][A-Za-z0-9._-]{{0,99}}[.]({'|'.join(sorts)})"
                compiled = compile_pattern(pattern)
                fits = {name for name in holes if compiled.matches(name)}
                if fits and not any(compiled.matches(one) for one in (self.item, *self.found.others)):
                    names = [f"{{{self.pattern('file', pattern)}}}", *(name for name in names if name not in fits)]
        out: dict[str, None] = {}
        for name in names:
            captions = re.fullmatch(r"(.*\{name\})[.].*?(srt|vtt)", name)
            if captions and not any(other.startswith(f"{stem(self.item)}.") for other in self.found.others):
                languages = self.pattern("captions", "([a-z]{2,3}(-[A-Za-z0-9]{2,8})?[.])?(srt|vtt)")
                out[f"{captions[1]}.{{{languages}}}"] = None
                continue
            # `{id}-00001.ts`: a number, where an id can't go on like that.
            number = re.fullmatch(r"(.*\{id\}[-_])[0-9]{1,9}(\..+)", name)
            out[f"{number[1]}{{{self.pattern('n', '[0-9]{1,9}')}}}{number[2]}" if number else name] = None
        if len(out) > _MOST and "{id}" in folder:
            number_pattern = compile_pattern("[0-9]{1,9}")
            ids = (self.item, *self.found.others)
            if all(map(number_pattern.matches, out)) and not any(map(number_pattern.matches, ids)):
                return [f"{{{self.pattern('n', number_pattern.text)}}}"]
        return list(out)

    def pattern(self, name: str, text: str) -> str:
        for known, pattern in self.patterns.items():
            if pattern == text:
                return known
        number = 2
        free = name
        while free in self.patterns:
            free, number = f"{name}{number}", number + 1
        self.patterns[free] = text
        return free

    def plain(self, one: Own) -> bool:
        """Whether its query can be written as a rule."""
        names = [name for name, _ in one.pairs]
        return len(set(names)) == len(names) and all(
            _NAME.fullmatch(name)
            and (value is None or value == self.item or sounds_secret(name) or _WORD.fullmatch(value))
            for name, value in one.pairs
        )

    def query_names(self, one: Own) -> str:
        return "&".join(sorted(f"{name}={{id}}" if value == self.item else name for name, value in one.pairs))

    def query(self, members: Sequence[Own]) -> str | None:
        """One query for all members, who have the same names: what holds the id is pinned, what varies is typed
        or may be anything. None where a value could be an item's id."""
        values: dict[str, list[str | None]] = {}
        for one in members:
            for name, value in one.pairs:
                values.setdefault(name, []).append(value)
        pieces = []
        for name, found in values.items():
            texts = {value for value in found if value is not None}
            if texts == {self.item}:
                pieces.append(f"{name}={{id}}")
            elif sounds_secret(name) and not (len(name) == 1 and None not in found and all(map(_is_number, texts))):
                self.by_hand.append(
                    f"the query name {name} sounds like a credential: put it in upstream.headers or .query"
                )
                pieces.append(f"{name}=*")
            elif None in found:
                pieces.append(f"{name}=*")
            elif all(re.fullmatch(r"[0-9]{1,18}", text) for text in texts):
                pieces.append(f"{name}={{{self.pattern('number', '[0-9]{1,18}')}}}?")
            elif all(map(_is_number, texts)):
                pieces.append(f"{name}={{{self.pattern('decimal', '[0-9]{1,9}([.][0-9]{1,9})?')}}}?")
            elif len(texts) == 1:
                pieces.append(f"{name}={next(iter(texts))}")
            else:
                return None
        return "?" + "&".join(pieces) if pieces else ""

    def address(self, one: Own) -> str:
        """Where the page of the item is, with what names it there."""
        pairs = [f"{name}={{id}}" for name, value in one.pairs if value == self.item]
        return f"{one.path}?{'&'.join(pairs)}" if pairs else one.path

    def shared(self) -> list[str]:
        rules: dict[str, None] = {}
        for one in self.found.shared:
            query = self.query([one]) if self.plain(one) else None
            if query is None:
                self.found.leave("the query holds odd characters, or a name twice", one.request)
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

    def examples(self) -> list[str]:
        allow = dict.fromkeys(
            f"{request.method} {request.target}" for request in self.kept if not _unfit(request.target)
        )
        own = list(allow)[:12]
        lines = ["", "examples:", f"  with: {{id: {_quoted(self.item)}, kind: {self.kind}}}"]
        lines += ["  allow:", *(f"    - {_quoted(text)}" for text in own)]
        lines += ["  deny:", *(f"    - {_quoted(text)}" for text in self.denied())]
        return lines

    def denied(self) -> list[str]:
        """The second item's requests, and what has opened other doors before."""
        found: dict[str, None] = {}
        for request in self.found.theirs:
            if not _unfit(request.target):
                found[f"{request.method} {request.target}"] = None
        found = dict.fromkeys(list(found)[:10])
        other = self.found.others[0] if self.found.others else another_id(self.item)
        mine, theirs = quote(self.item), quote(other)
        paths = list(
            dict.fromkeys(r.target.partition("?")[0] for r in self.kept if mine in r.target.partition("?")[0])
        )[:3]
        found |= dict.fromkeys(f"GET {path.replace(mine, theirs)}" for path in paths)
        for path in paths[:1]:
            before, _, behind = path.partition(mine)
            for step in ("..", "%2e%2e", "%252e%252e"):
                found[f"GET {before}{mine}/{step}/{theirs}{behind}"] = None
            found[f"GET {before}{mine}/..%2f{theirs}{behind}"] = None
            found[f"GET {before}{mine}%2f..%2f{theirs}{behind}"] = None
            found[f"GET /{path}"] = None
            for end in (";x=1", "%00", f"?id={theirs}", "/"):
                found[f"GET {path}{end}"] = None
            found[f"POST {path}"] = None
            found[f"WS {path}"] = None
        found |= dict.fromkeys(["GET /", "GET /admin", "GET /api", "GET /%2e%2e/etc/passwd", "POST /"])
        return list(found)


def _is_number(text: str) -> bool:
    """A place in a film: `?t=12.5` opens nothing, whatever its name sounds like."""
    return bool(re.fullmatch(r"[0-9]{1,9}([.][0-9]{1,9})?", text))


def _odd(one: Own) -> bool:
    """Whether a segment besides the id, and besides a file below it, looks like a random id."""
    segments = one.path.split("/")
    below = "{id}" in segments[:-1] and extension(one.path) in MEDIA
    return any(looks_random(segment) for segment in segments[: -1 if below else None]) or (
        not below and looks_random(segments[-1].partition(".")[0])
    )


def _unfit(target: str) -> bool:
    """For an example: it holds what may be a secret, or what config would fill from the environment."""
    return shown(target) != target or "$" in target


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def _comment(line: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in line)
