"""A DASH manifest in which every address has been judged (ISO/IEC 23009-1). Pure.

Rule: each Representation gets its own addresses, whole ones: what `BaseURL`, `SegmentTemplate`, `SegmentList` and
`SegmentBase` of all levels above say together is put together here, judged, and written into the Representation. So
no player joins an address of its own from parts, and a template knows which Representation it is of. One whose
media may not be reached goes, and an AdaptationSet without any. Of several `BaseURL` the first one that may be
reached is used.

Elements and attributes that are not known stay unless they hold an address of elsewhere. Names of schemes and of
namespaces look like addresses, and no player loads them. What makes a player ask for something else goes: remote
elements (xlink), patches, content steering, reports, clocks of other servers, licence servers, further queries,
events that call. What is written in other events is left as it is.
"""

from __future__ import annotations

import base64
import binascii
import copy
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from gateway.rewrite.addresses import MAX_ADDRESS, MAX_ADDRESSES, Addresses, NotFollowed, holds_address, without_dots
from gateway.rewrite.markup import Element, written
from gateway.rewrite.numbers import parse_template

_LEVELS = ("MPD", "Period", "AdaptationSet", "Representation")
_INFOS = ("SegmentBase", "SegmentList", "SegmentTemplate")
# Elements whose whole purpose is to have something else loaded, or asked for in another way.
_GONE = frozenset(
    {
        "BaseURL", "Location", "PatchLocation", "ContentSteering", "Metrics", "Reporting", "ClientDataReporting",
        "UrlQueryInfo", "ExtUrlQueryInfo", "ExtHttpHeaderInfo", "InitializationSet", "InitializationGroup",
        "InitializationPresentation", "laurl", "pro", "certurl", "authzurl", "ReplacePresentation",
        "InsertPresentation",
    }
)  # fmt: skip
_GONE_FOLDED = frozenset(name.lower() for name in _GONE)
_GONE_ATTRIBUTES = frozenset({"schemaLocation", "noNamespaceSchemaLocation", "byteRange"})
_NAMES = frozenset({"schemeIdUri", "profiles"})
_REMOTE = frozenset({"Period", "AdaptationSet", "SegmentList", "EventStream", "InitializationSet"})
_OF_BASE = ("availabilityTimeOffset", "availabilityTimeComplete", "timeShiftBufferDepth")
_DIRECT = "urn:mpeg:dash:utc:direct:"
_CALLING = "urn:mpeg:dash:event:"
_PLAIN_EVENT = "urn:mpeg:dash:event:2012"  # asks for the manifest again
_MAX_BASES = 8
MAX_WRITTEN = 16 * 1024 * 1024  # characters of all addresses that are written


@dataclass(frozen=True, slots=True)
class _Info:
    """What one of `_INFOS` says of addresses, all levels together."""

    attributes: dict[str, str] = field(default_factory=dict)
    initialization: Element | None = None
    index: Element | None = None
    segments: tuple[Element, ...] = ()

    def below(self, element: Element) -> _Info:
        """With what a lower level says, of which it is relieved."""
        attributes = dict(self.attributes)
        for name in ("media", "index", "initialization", "bitstreamSwitching"):
            value = element.attributes.pop(name, None)
            if value is not None:
                attributes[name] = value
        found: dict[str, list[Element]] = {}
        kept: list[Element | str] = []
        for child in element.children:
            if isinstance(child, Element) and child.local in _PARTS:
                found.setdefault(child.local, []).append(child)
            else:
                kept.append(child)
        element.children = kept
        return replace(
            self,
            attributes=attributes,
            initialization=_only(found.get("Initialization")) or self.initialization,
            index=_only(found.get("RepresentationIndex")) or self.index,
            segments=tuple(found.get("SegmentURL", ())) or self.segments,
        )


_PARTS = frozenset({"Initialization", "RepresentationIndex", "BitstreamSwitching", "SegmentURL"})


@dataclass(frozen=True, slots=True)
class _Above:
    """What the levels above a Representation say."""

    bases: tuple[str, ...] = ("",)
    infos: dict[str, _Info] = field(default_factory=dict)


def rewritten(root: Element, addresses: Addresses) -> Iterator[str]:
    """The text in pieces, "" where time has passed; the tree is changed. Raises NotFollowed."""
    if root.local != "MPD":
        raise NotFollowed("not a manifest: its outermost element is no MPD")
    yield from _Rewriter(addresses).level(root, 0, _Above())
    yield from written(root)


class _Rewriter:
    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._left = MAX_ADDRESSES
        self._room = MAX_WRITTEN
        self._reached: set[Element] = set()

    # --- the levels --------------------------------------------------------------------------------

    def level(self, element: Element, depth: int, above: _Above) -> Iterator[str]:
        """MPD, Period and AdaptationSet: what they say of addresses is taken along."""
        yield ""
        above = self._along(element, above)
        if _LEVELS[depth] == "Representation":
            yield from self._representation(element, above)
            return
        below = _LEVELS[depth + 1]
        kept: list[Element | str] = []
        for child in element.children:
            if isinstance(child, str):
                continue  # white space between elements
            if depth == 0 and child.local == "Location":
                yield ""
                self._count()
                found = self._addresses.redirect(child.text.strip())
                if found is not None:
                    kept.append(Element(child.name, {}, [self._fitting(found)]))
            elif child.local == below:
                empty = _is_remote(child) and not child.elements()
                yield from self.level(child, depth + 1, above)
                if not empty and self._stays(child):
                    kept.append(child)
            elif child.local in _LEVELS:
                raise NotFollowed(f"{child.local} where none may stand")
            elif child.local == "BaseURL":
                kept.append(child)  # `_along` has put it there
            elif (yield from self._cleaned(child)):
                kept.append(child)
        element.children = kept
        self._attributes(element)

    def _stays(self, element: Element) -> bool:
        if element.local == "AdaptationSet":
            return any(child.local == "Representation" for child in element.elements())
        return element.local != "Representation" or element in self._reached

    def _along(self, element: Element, above: _Above) -> _Above:
        own = {child: None for child in element.elements() if child.local == "BaseURL"}
        bases = above.bases
        if own:
            # No more are put together than are used, and none that is too long to be used.
            texts = (child.text.strip() for child in islice(own, _MAX_BASES))
            whole = (joined(base, text) for text in texts if len(text) <= MAX_ADDRESS for base in above.bases)
            bases = tuple(base for base in islice(whole, _MAX_BASES) if len(base) <= MAX_ADDRESS)
        infos = dict(above.infos)
        seen = set()
        for child in element.elements():
            if child.local in _INFOS:
                if child.local in seen:
                    raise NotFollowed(f"two {child.local} beside each other")
                seen.add(child.local)
                infos[child.local] = infos.get(child.local, _Info()).below(child)
        outermost = next(iter(own), None)
        said = outermost.attributes if outermost is not None else {}
        timing = {name: said[name] for name in _OF_BASE if name in said and not holds_address(said[name])}
        first = next((index for index, child in enumerate(element.children) if child in own), 0)
        element.children = [child for child in element.children if child not in own]
        if timing and outermost is not None:
            # When segments come about is said there; where they lie is said in each Representation.
            element.children.insert(first, Element(outermost.name, timing, ["./"]))
        return _Above(bases, infos)

    # --- a Representation --------------------------------------------------------------------------

    def _representation(self, element: Element, above: _Above) -> Iterator[str]:
        children: list[Element | str] = []
        for child in element.elements():
            if child.local in _INFOS or child.local == "BaseURL" or (yield from self._cleaned(child)):
                children.append(child)
        element.children = children
        self._attributes(element)
        values = {
            name: element.attributes[attribute]
            for name, attribute in (("RepresentationID", "id"), ("Bandwidth", "bandwidth"))
            if attribute in element.attributes
        }
        reached, from_base = True, not above.infos.keys() & {"SegmentList", "SegmentTemplate"}
        for kind, info in above.infos.items():
            own = next((child for child in element.elements() if child.local == kind), None)
            if own is None:
                own = Element(_prefixed(element, kind))
                element.children.append(own)
            good, needs_base = yield from self._informed(own, info, above.bases, values)
            reached, from_base = reached and good, from_base or needs_base
            yield from self._cleaned_deeply(own)
        if reached and from_base:
            reached = self._with_base(element, above.bases)
        if reached:
            self._reached.add(element)

    def _with_base(self, element: Element, bases: tuple[str, ...]) -> bool:
        found = self._first(bases, None)
        if found is None:
            return False
        kept = next((child for child in element.elements() if child.local == "BaseURL"), None)
        if kept is None:
            infos = (at for at, child in enumerate(element.elements()) if child.local in (*_INFOS, "SubRepresentation"))
            kept = Element(_prefixed(element, "BaseURL"))
            element.children.insert(next(infos, len(element.children)), kept)
        kept.children = [found]
        return True

    def _informed(
        self, element: Element, info: _Info, bases: tuple[str, ...], values: dict[str, str]
    ) -> Generator[str, None, tuple[bool, bool]]:
        """Writes what `info` says as whole addresses; returns whether all may be reached, and whether the media lies
        at the `BaseURL` itself."""
        good, needs_base = True, False
        if element.local == "SegmentTemplate":
            for name in ("media", "index", "initialization"):
                text = info.attributes.get(name)
                if text is not None:
                    found = self._filled(bases, text, values)
                    if found is None:
                        good = False
                    else:
                        element.attributes[name] = found
            needs_base = "media" not in info.attributes
        for part in (info.initialization, info.index):
            if part is not None:
                part = Element(part.name, dict(part.attributes))
                source = part.attributes.pop("sourceURL", None)
                if source is None:
                    needs_base = True
                else:
                    found = self._first(bases, source)
                    good = good and found is not None
                    part.attributes["sourceURL"] = found or ""
                self._attributes(part, kept=("sourceURL",))
                element.children.insert(0, part)
        if element.local == "SegmentList":
            count = 0
            for segment in info.segments:
                yield ""
                self._count()
                one = Element(segment.name, dict(segment.attributes))
                for name in ("media", "index"):
                    source = one.attributes.pop(name, None)
                    if source is not None:
                        found = self._first(bases, source)
                        if found is None:
                            break
                        one.attributes[name] = found
                    elif name == "media":
                        needs_base = True
                else:
                    self._attributes(one, kept=("media", "index"))
                    element.children.append(one)
                    count += 1
            # One that is missing in the middle would move all that come after it.
            good = good and count == len(info.segments) > 0
        return good, needs_base

    def _filled(self, bases: tuple[str, ...], text: str, values: dict[str, str]) -> str | None:
        if len(text) > MAX_ADDRESS:
            return None
        for base in bases:
            template = parse_template(joined(base.replace("$", "$$"), text.strip()), values)
            if template is None:
                continue
            self._count()
            if template.numbers:
                found = self._addresses.template(template)
            else:
                found = self._addresses.address(template.filled({}), "file")
                found = found.replace("$", "$$") if found is not None else None
            if found is not None:
                return self._fitting(found)
        return None

    def _first(self, bases: tuple[str, ...], text: str | None) -> str | None:
        if text is not None and len(text) > MAX_ADDRESS:
            return None
        for base in bases:
            whole = base if text is None else joined(base, text.strip())
            if not whole:
                continue
            self._count()
            found = self._addresses.address(whole, "file")
            if found is not None:
                return self._fitting(found)
        return None

    def _fitting(self, found: str) -> str:
        self._room -= len(found)
        if self._room < 0:
            raise NotFollowed("its addresses take too much room")
        return found

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise NotFollowed(f"more than {MAX_ADDRESSES} addresses")

    # --- all else ----------------------------------------------------------------------------------

    def _cleaned(self, element: Element, events: bool = False) -> Generator[str, None, bool]:
        """Whether it stays, without what may not."""
        yield ""
        local = element.local
        if local.lower() in _GONE_FOLDED or (local == "UTCTiming" and not _is_direct(element)):
            return False
        scheme = element.attributes.get("schemeIdUri", "").strip()
        if local in ("EventStream", "InbandEventStream") and scheme.startswith(_CALLING) and scheme != _PLAIN_EVENT:
            return False
        if local == "pssh" and _hides_address(element.text):
            return False
        events = events or local == "EventStream"
        if not events and holds_address(element.text):
            return False
        had_any = bool(element.elements())
        remote = _is_remote(element)
        self._attributes(element)
        kept: list[Element | str] = []
        for child in element.children:
            if isinstance(child, str) or (yield from self._cleaned(child, events)):
                kept.append(child)
        element.children = kept
        return had_any or not remote

    def _cleaned_deeply(self, element: Element) -> Iterator[str]:
        """One of `_INFOS`, whose addresses are written anew."""
        names = ("media", "index", "initialization") if element.local == "SegmentTemplate" else ()
        self._attributes(element, kept=names)
        kept: list[Element | str] = []
        for child in element.elements():
            if child.local in _PARTS or (yield from self._cleaned(child)):
                kept.append(child)
        element.children = kept

    def _attributes(self, element: Element, kept: Collection[str] = ()) -> None:
        for name, value in list(element.attributes.items()):
            prefix, _, local = name.rpartition(":")
            if name == "xmlns" or prefix == "xmlns" or name in kept or (local in _NAMES and not prefix):
                continue
            remote = prefix == "xlink" or local == "href"
            if remote or local in _GONE_ATTRIBUTES or holds_address(value):
                del element.attributes[name]


def joined(base: str, reference: str) -> str:
    """`reference` where `base` is the address above it ("": that of the manifest). Whoever judges it resolves it
    against the manifest, and refuses what is not plain."""
    head = reference.partition("/")[0].partition("?")[0].partition("#")[0]
    if not reference or not base or ":" in head or reference.startswith("//"):
        return reference or base
    origin = ""
    scheme = base.partition("/")[0]
    if base[len(scheme) :].startswith("//") and (not scheme or scheme.endswith(":")):
        origin = scheme + "//" + base[len(scheme) + 2 :].partition("/")[0].partition("?")[0]
    if reference.startswith("/"):
        return origin + reference
    path = base[len(origin) :].partition("#")[0].partition("?")[0]
    if reference[0] in "?#":
        return origin + path + reference
    folder = path.rpartition("/")[0] + "/" if "/" in path else "/" if origin else ""
    return origin + _flat(folder + reference) if origin else folder + reference


def _flat(path: str) -> str:
    """Without dot segments, where these stay below the host."""
    path, mark, query = path.partition("?")
    flat = without_dots(path)
    return (path if flat is None else flat) + mark + query


def _only(found: list[Element] | None) -> Element | None:
    if found and len(found) > 1:
        raise NotFollowed(f"two {found[0].local} beside each other")
    return copy.copy(found[0]) if found else None


def _prefixed(beside: Element, local: str) -> str:
    prefix, mark, _ = beside.name.rpartition(":")
    return prefix + mark + local


def _is_direct(element: Element) -> bool:
    return element.attributes.get("schemeIdUri", "").startswith(_DIRECT)


def _is_remote(element: Element) -> bool:
    return element.local in _REMOTE and any(name.rpartition(":")[2] == "href" for name in element.attributes)


def _hides_address(text: str) -> bool:
    """Whether what protects the media names a licence server, in 8 or 16 bits a character."""
    try:
        data = base64.b64decode("".join(text.split()))
    except (binascii.Error, ValueError):
        return True
    return b"://" in data.replace(b"\0", b"")
