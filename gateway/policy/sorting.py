"""What each request of a recording is to the item that was played: its own, another item's, or nobody's.

Rule: whatever is not plainly the item's own, or a file that is the same for every item, is left out and named
with its reason. An id stands in a path as a whole segment, or in a file name where what surrounds it can be no
part of an id; anywhere else (`aurora-2/`) it may be the beginning of another id, and is not taken for this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gateway.policy.har import Recorded, Recording, looks_secret
from gateway.policy.id_shape import stem
from gateway.policy.listed import list_sort, named_in
from gateway.policy.target import Ambiguity, Pair, parse_target

MEDIA = frozenset((
    "m3u8", "mpd", "ts", "m4s", "mp4", "m4v", "m4a", "webm", "mkv", "mp3", "ogg", "oga", "opus", "flac", "aac", "wav",
    "cmfv", "cmfa", "vtt", "webvtt", "srt", "key",
))  # fmt: skip
_PICTURES = frozenset(("jpg", "jpeg", "png", "webp", "avif", "gif"))
_SHARED = frozenset(("js", "mjs", "css", "woff", "woff2", "ttf", "wasm", "svg", "ico", "map"))
_PLAIN = re.compile(r"[A-Za-z0-9._~!'(),:@+/-]*")
_RANDOM = re.compile(r"(?=.*[0-9])(?:[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9_-]{24,})")
_EXTENSION = re.compile(r".*\.([a-z0-9]{1,8})", re.DOTALL)
# A recording is somebody else's file: work has an end, whatever stands in it.
MOST_REQUESTS = 20_000
_MOST_TEXT = 2**20
_LONGEST = 500
_MOST_OTHERS = 50
_MOST_SOURCES = 50


def extension(path: str) -> str:
    found = _EXTENSION.fullmatch(path.rpartition("/")[2].lower())
    return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Own:
    """A request of the item: its path with {id} in it (or {name}, an id's stem), and its query."""

    request: Recorded
    path: str
    pairs: tuple[Pair, ...]

    @property
    def ending(self) -> str:
        """What sort of file it is, also where the id itself ends like one."""
        return extension(self.path) or extension(self.request.target.partition("?")[0])


@dataclass(slots=True)
class Sorted:
    others: tuple[str, ...] = ()  # ids of other items
    own: list[Own] = field(default_factory=list)
    shared: list[Own] = field(default_factory=list)
    theirs: list[Recorded] = field(default_factory=list)  # requests of other items
    posts: list[Own] = field(default_factory=list)  # what sends something, whether it names the item or not
    sockets: list[Own] = field(default_factory=list)
    learnt: list[tuple[Own, str]] = field(default_factory=list)  # media whose names came from an answer; from which
    left: dict[str, list[Recorded]] = field(default_factory=dict)  # why -> requests

    def leave(self, why: str, request: Recorded) -> None:
        self.left.setdefault(why, []).append(request)


def sort_requests(recording: Recording, host: str, item: str, named: Iterable[str] = ()) -> Sorted:
    """`named`: ids of other items that are known; more are found where another id stands in {id}'s place."""
    found = Sorted()
    good: list[Own] = []
    for request in _with_playlists(recording, host):
        target = parse_target(request.target)
        if request.worker:
            found.leave("service workers, which no guest may start", request)
        elif request.silent:
            found.leave("no answer was recorded: blocked by the browser, or broken off", request)
        elif request.status >= 400:
            found.leave("the server itself refused them", request)
        elif isinstance(target, Ambiguity):
            found.leave(f"never passed by the gateway: {target.what}", request)
        elif "{" in target.text or "}" in target.text:
            found.leave("odd characters in the path, or too many", request)
        else:
            good.append(Own(request, _with_stem(_with_id(target.text, item), item), target.pairs))
    found.others = tuple(dict.fromkeys([*named, *_others(good, item)]))
    others = _finder(found.others)
    bodies = [request for request in recording.requests if request.body]
    for one in good:
        _sort(one, item, others, bodies, found)
    return found


def _sort(one: Own, item: str, others: re.Pattern[str] | None, bodies: list[Recorded], found: Sorted) -> None:
    request = one.request
    values = [value for _, value in one.pairs if value]
    # `one.de.srt` may lie beside `one.mp4` or beside `one.de.mp4`.
    path = one.path.replace("{name}", stem(item) or "")
    if others is not None and (others.search(path) or any(others.search(value) for value in values)):
        found.theirs.append(request)
        return
    in_path, in_query = "{" in one.path, item in values
    literal = one.path.replace("{id}", "").replace("{name}", "")
    sort = one.ending
    if len(literal) > _LONGEST or not _PLAIN.fullmatch(literal):
        found.leave("odd characters in the path, or too many", request)
    elif request.method not in ("GET", "HEAD", "WS"):
        found.posts.append(one)
    elif in_path or in_query:
        if not in_path and any(item in value and item != value for value in values):
            found.leave("the id is a part of a value", request)
        elif request.method == "WS":
            found.sockets.append(one)
        else:
            found.own.append(one)
    elif _spelt_otherwise(item, request.target):
        found.leave("the id in another spelling: give resolve an id: that makes it one", request)
    elif request.method != "WS" and sort in MEDIA:
        found.learnt.append((one, _source(one, bodies) if len(found.learnt) < _MOST_SOURCES else ""))
    elif request.method == "GET" and sort in _SHARED:
        found.shared.append(one)
    elif sort in _PICTURES:
        found.leave("pictures that do not name the item", request)
    elif request.method == "WS":
        found.leave("websockets that do not name the item", request)
    else:
        found.leave("they do not name the item: pages, listings, other programs' interfaces", request)


def looks_random(segment: str) -> bool:
    return bool(_RANDOM.fullmatch(segment))


def _with_id(path: str, item: str) -> str:
    segments = f"{path}/".replace(f"/{item}/", "/{id}/").replace(f"/{item}/", "/{id}/")[:-1].split("/")
    last = segments[-1]
    inside = re.fullmatch(r"([A-Za-z]+[-_.])?" + re.escape(item) + r"((?:[-_.][0-9]{1,9})?\.[a-z0-9]{1,8})", last)
    if inside:
        separator = inside[2][0]
        # `aurora-2.jpg` may belong to an item aurora-2 where ids hold a dash.
        if separator == "." or not re.search(r"[-_]", item):
            segments[-1] = f"{inside[1] or ''}{{id}}{inside[2]}"
    return "/".join(segments)


def _with_stem(path: str, item: str) -> str:
    """Beside a file whose name is the id: `films/aurora.de.srt` is called by the name of `films/aurora.mp4`."""
    name = stem(item)
    if name is None or "{" in path:
        return path
    beside = re.fullmatch(r"(.*/)" + re.escape(name) + r"((?:[.][a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?)?[.][a-z]{3,4})", path)
    return f"{beside[1]}{{name}}{beside[2]}" if beside else path


def _others(good: list[Own], item: str) -> list[str]:
    """Values that stand where the item's id does, in requests that are otherwise alike."""
    levels = item.count("/")
    value = r"([^/]+" + r"/[^/]+" * levels + ")"
    forms: set[tuple[str, str, str]] = set()  # before, behind (when in the last segment), extension
    names: set[tuple[str, str]] = set()
    for one in good:
        if "{id}" in one.path:
            before, _, behind = one.path.partition("{id}")
            forms.add((before, behind if "/" not in behind else "/", one.ending))
        names |= {(one.path, name) for name, text in one.pairs if text == item}
    found: dict[str, None] = {}
    patterns = [
        (re.compile(re.escape(before) + value + (r"/.*" if behind == "/" else re.escape(behind))), sort)
        for before, behind, sort in sorted(forms)[:200]
        if before.count("/") > 1 or behind
    ]
    own = "\n".join({one.path: None for one in good if "{id}" in one.path})[:_MOST_TEXT]
    tried: set[str] = set()
    for one in good:
        if "{id}" not in one.path:
            for pattern, sort in patterns:
                hit = pattern.fullmatch(one.path) if one.ending == sort else None
                if hit and hit[1] not in tried and len(found) < _MOST_OTHERS:
                    tried.add(hit[1])
                    # A folder that the item's own paths have too is no item.
                    if len(tried) < 1000 and not re.search(rf"/{re.escape(hit[1])}(/|$)", own, re.MULTILINE):
                        found[hit[1]] = None
        for name, text in one.pairs:
            if text and text != item and (one.path, name) in names:
                found[text] = None
    # A token in the id's place is no id, and must not be written as one.
    secret = looks_secret(item)
    return [other for other in found if len(other) <= 200 and (secret or not looks_secret(other))][:_MOST_OTHERS]


def _finder(ids: Iterable[str]) -> re.Pattern[str] | None:
    ids = tuple(ids)
    words = "|".join(re.escape(one) for one in ids)
    beside = "|".join(re.escape(name) for one in ids if (name := stem(one)) is not None)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])|(?<=/)(?:{beside or '(?!)'})[.]") if words else None


def _spelt_otherwise(item: str, target: str) -> bool:
    plain = re.sub(r"[-{}]|%7[BD]", "", target, flags=re.IGNORECASE).lower()
    return len(item) >= 6 and item.replace("-", "").lower() in plain


def _source(one: Own, bodies: list[Recorded]) -> str:
    """Which answer told the name of a file; "" when none that was recorded did."""
    words = [word for word in one.path.split("/") if word]
    words = [word for word in words if looks_random(word.partition(".")[0])] or words[-1:]
    for request in bodies:
        if request is not one.request and request.body and any(word in request.body for word in words):
            return f"{request.method} {request.target}"
    return ""


def _with_playlists(recording: Recording, host: str) -> list[Recorded]:
    """The server's requests, and those that a player might have made of the lists it was given: other
    qualities, languages and parts which this one time were not played."""
    asked = [request for request in recording.requests if request.host == host]
    seen = {request.asked for request in asked}
    left = MOST_REQUESTS  # names looked at, in all lists together
    for request in asked[:]:
        if list_sort(request) not in ("hls", "dash"):
            continue
        for named in named_in(request):
            left -= 1
            if left < 0:
                return asked
            target = named.target.replace("$", "1") if named.numbers else named.target
            if len(asked) >= MOST_REQUESTS or named.origin != request.origin:
                continue
            if ("GET", target) not in seen:
                seen.add(("GET", target))
                made = Recorded("GET", host, target, 200, "", document=False, worker=False, added=True)
                asked.append(replace(made, secure=request.secure))
    return asked
