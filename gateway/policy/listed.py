"""What the lists of a recording name: HLS playlists, DASH manifests, JSON answers with addresses in them.

Read for a proposal alone, and forgivingly: what is not understood names nothing. Numbers that a player fills in
(`$Number$`, `$Time$`) stand as `$`. What the gateway itself follows is read strictly, by `rewrite`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

from gateway.policy.har import Recorded

_MOST = 5000
_LONGEST = 2000
_LINE = re.compile(r'^(?!#)(\S+)\s*$|URI="([^"\r\n]+)"', re.MULTILINE)
_FILL = re.compile(r"\$(RepresentationID|Bandwidth|Number|Time|SubNumber)?(?:%0[0-9]{1,2}d)?\$")


@dataclass(frozen=True, slots=True)
class Named:
    """An address that a list names; `$` in it stands for digits where `numbers`."""

    origin: str
    target: str
    numbers: bool = False


def list_sort(request: Recorded) -> str:
    """As which sort of list a rule would follow its answer: hls, dash, json, or "" where it is none."""
    ending = request.target.partition("?")[0].lower().rpartition(".")[2]
    if "mpegurl" in request.mime or ending in ("m3u8", "m3u"):
        return "hls"
    if "dash+xml" in request.mime or ending == "mpd":
        return "dash"
    return "json" if "json" in request.mime else ""


def named_in(request: Recorded) -> Iterator[Named]:
    """Nothing without a body."""
    reader = {"hls": _hls, "dash": _dash, "json": _json}.get(list_sort(request))
    if reader is None or request.body is None:
        return
    found: set[Named] = set()
    for count, (text, numbers) in enumerate(reader(request.body)):
        if count >= _MOST:
            return
        try:
            parts = urlsplit(urljoin(f"{request.origin}{request.target}", text))
            host, port = parts.hostname, parts.port
        except ValueError:
            continue
        if parts.scheme not in ("http", "https") or not host or len(text) > _LONGEST:
            continue
        usual = port is None or port == (443 if parts.scheme == "https" else 80)
        where = f"[{host}]" if ":" in host else host
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        one = Named(f"{parts.scheme}://{where}{'' if usual else f':{port}'}", target, numbers)
        if target.isascii() and target.isprintable() and one not in found:
            found.add(one)
            yield one


def _hls(body: str) -> Iterator[tuple[str, bool]]:
    for line in _LINE.finditer(body):
        yield line[1] or line[2], False


def _json(body: str) -> Iterator[tuple[str, bool]]:
    for _, text in texts_of(body):
        if text.startswith(("/", "http://", "https://")) and not text.startswith("//"):
            yield text, False


def texts_of(body: str) -> Iterator[tuple[str, str]]:
    """The texts of a JSON answer, each with the path by which `vars` would read it."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    waiting: list[tuple[str, Any, int]] = [("$", document, 0)]
    for _ in range(20 * _MOST):
        if not waiting:
            return
        path, value, depth = waiting.pop()
        if isinstance(value, str):
            yield path, value
        elif depth < 12 and isinstance(value, dict):
            plain = [(name, one) for name, one in value.items() if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,60}", name)]
            waiting += [(f"{path}.{name}", one, depth + 1) for name, one in reversed(plain)]
        elif depth < 12 and isinstance(value, list):
            waiting += [(f"{path}[{at}]", one, depth + 1) for at, one in reversed(list(enumerate(value[:_MOST])))]


def _dash(body: str) -> Iterator[tuple[str, bool]]:
    if re.search(r"<!(?!--|\[CDATA\[)", body):
        return  # document types and entities, which the gateway refuses as well
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  # entities, its danger, are gone by now
    except (ElementTree.ParseError, ValueError, RecursionError):
        return
    whole = _Level().below(root)
    for period in _kids(root, "Period"):
        of_period = whole.below(period)
        for adaptation in _kids(period, "AdaptationSet"):
            of_set = of_period.below(adaptation)
            for one in _kids(adaptation, "Representation"):
                yield from of_set.below(one).addresses(one.get("id", ""), one.get("bandwidth", ""))


@dataclass(frozen=True, slots=True)
class _Level:
    """What the elements so far say of addresses. Each is looked at once, however many lie below it."""

    base: str = ""
    template: tuple[tuple[str, str], ...] = ()
    segments: tuple[str, ...] = ()

    def below(self, element: ElementTree.Element) -> _Level:
        written = ""
        template, segments = dict(self.template), list(self.segments)
        for one in element:
            name = one.tag.rpartition("}")[2] if isinstance(one.tag, str) else ""
            if name == "BaseURL" and not written:
                written = (one.text or "").strip()
            elif name == "SegmentTemplate":
                template |= {key: one.attrib[key] for key in ("initialization", "media") if key in one.attrib}
            elif name == "SegmentList":
                segments += [inner.get("media") or inner.get("sourceURL") or "" for inner in one][:_MOST]
        base = _joined(self.base, written)
        return _Level(base, tuple(template.items()), tuple(segments[:_MOST]))

    def addresses(self, name: str, bandwidth: str) -> Iterator[tuple[str, bool]]:
        known = {"RepresentationID": name, "Bandwidth": bandwidth}
        for url in (*(text for _, text in self.template), *self.segments) or ("",):
            filled = _FILL.sub(lambda hit: known.get(hit[1] or "", "$"), url)
            if self.base or filled:
                yield _joined(self.base, filled), "$" in filled


def _joined(base: str, url: str) -> str:
    """Relative where both are."""
    try:
        return urljoin(base, url) if base else url
    except ValueError:
        return ""


def _kids(of: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (one for one in of if isinstance(one.tag, str) and one.tag.rpartition("}")[2] == name)
