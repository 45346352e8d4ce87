"""Which headers travel, in both directions. Pure functions.

Rule towards the server: a short list of the guest's headers, by their exact names, and then our own.
`X_Forwarded_For` or `If.Range` are other names than ours and stay behind, since some servers fold
them into the names we set ourselves.

Rule towards the guest: what the server says about the media passes; what it says about connections,
about itself, about other sites, about who somebody is or to caches in between does not. What our own
pages rely on (who may cache, who may frame, what scripts may do) is set here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from multidict import CIMultiDict

from gateway.policy.header_names import says_who, tells_where
from gateway.web.embedding import Embedding

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy, MultiMapping

    from gateway.policy.sending import SentHeaders

Pairs = Sequence[tuple[str, str]]

# Sent on in this spelling. The second column: whether a repeated header has one meaning (a list).
_SENT_ON = {
    "accept": ("Accept", True),
    "accept-language": ("Accept-Language", True),
    "accept-encoding": ("Accept-Encoding", True),
    "range": ("Range", False),
    "if-range": ("If-Range", False),
    "if-match": ("If-Match", True),
    "if-none-match": ("If-None-Match", True),
    "if-modified-since": ("If-Modified-Since", False),
    "content-type": ("Content-Type", False),
    "user-agent": ("User-Agent", False),
    "last-event-id": ("Last-Event-ID", False),
}
_PARTIAL = frozenset(
    {"range", "if-range", "if-match", "if-none-match", "if-modified-since", "accept-encoding"}
)  # what a text that is searched must not be asked for with

_KEPT_BACK = frozenset(
    {
        # Hop by hop (RFC 9110 7.6.1); aiohttp writes its own.
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # Words to the browser that reach beyond this answer.
        "set-cookie",
        "set-cookie2",
        "service-worker-allowed",
        "clear-site-data",
        "refresh",
        "alt-svc",
        "strict-transport-security",
        "public-key-pins",
        "public-key-pins-report-only",
        "report-to",
        "reporting-endpoints",
        "nel",
        "expect-ct",
        "accept-ch",  # kept for the origin, as are those that follow
        "critical-ch",
        "use-as-dictionary",
        "set-login",
        "secure-session-registration",
        "sec-session-registration",
        "observe-browsing-topics",
        "www-authenticate",  # a password box for the media server on our host
        "authentication-info",
        # With the value that our pages have, windows the server's scripts have opened could look into ours.
        "cross-origin-opener-policy",
        "cross-origin-opener-policy-report-only",
        # Words about the server.
        "server",
        "via",
        "x-powered-by",
        "x-aspnet-version",
        "x-aspnetmvc-version",
        # The name of the machine behind, as balancers and their servers say it, or where its source lies.
        "x-me",
        "x-served-by",
        "x-server",
        "x-server-name",
        "x-host",
        "x-hostname",
        "x-node",
        "x-backend",
        "x-upstream",
        "x-application-context",
        "x-sourcefiles",
        # Words to caches in between, which would outrank our `private`.
        "pragma",
        "surrogate-control",
        "surrogate-key",
        "cache-tag",
        # Decided anew below.
        "cache-control",
        "vary",
        "location",
    }
)
_KEPT_BACK_PREFIXES = (
    *("x-accel-", "access-control-", "sec-websocket-", "x-sendfile", "x-litespeed-", "x-lighttpd-"),
    *("x-backend-", "x-upstream-", "x-debug-", "x-kaltura"),
)
_CACHE_WORDS = frozenset(
    {"no-store", "no-cache", "max-age", "must-revalidate", "immutable", "no-transform"}
    | {"stale-while-revalidate", "stale-if-error"}
)
_NOBODY_FRAMES = Embedding()
CSP = "Content-Security-Policy"


_NOTHING: Mapping[str, tuple[str, bool]] = {}


def passed_on(names: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """What a policy's `pass` adds to the list, each to stand once: whether it is a list nobody knows."""
    return {name.lower(): (name, False) for name in names if name.lower() not in _SENT_ON}


def refused_for(headers: CIMultiDictProxy[str], passed: Mapping[str, tuple[str, bool]] = _NOTHING) -> str | None:
    """The name of a header that may stand once and stands twice; None where there is none."""
    seen = set()
    for name, _ in headers.items():  # iterating over a multidict itself yields each name once
        lower = name.lower()
        known = _SENT_ON.get(lower) or passed.get(lower)
        if known is not None and not known[1]:
            if lower in seen:
                return known[0]
            seen.add(lower)
    return None


def towards_server(
    headers: CIMultiDictProxy[str],
    *,
    host: str,
    client: str,
    scheme: str,
    public_host: str,
    credentials: Pairs = (),
    whole: bool = False,
    passed: Mapping[str, tuple[str, bool]] = _NOTHING,
    put: SentHeaders = (),
) -> list[tuple[str, str]]:
    """What the server gets: of the guest's `headers` those on the list, then ours.

    `passed`: what the policy adds to the list. `put`: what the rule sets or removes.
    `whole`: the answer will be searched, so nothing may ask for a part of it or for a packed one.
    """
    ours = {name.lower() for name, _ in credentials}
    dropped = _named_in_connection(headers)
    if put:
        dropped |= {name.lower() for name, _ in put}
    sent = [("Host", host)]
    for name, value in headers.items():
        lower = name.lower()
        known = _SENT_ON.get(lower) or passed.get(lower)
        if known is None or lower in ours or lower in dropped or (whole and lower in _PARTIAL):
            continue
        if _is_plain(value):
            sent.append((known[0], value))
    sent += [(name, value) for name, value in put if value is not None and not (whole and name.lower() in _PARTIAL)]
    if whole and "accept-encoding" not in ours:
        sent.append(("Accept-Encoding", "identity"))
    if client:
        sent.append(("X-Forwarded-For", client))
    sent += [("X-Forwarded-Proto", scheme), ("X-Forwarded-Host", public_host)]
    sent += credentials
    return sent


_ELSEWHERE = _PARTIAL | {"accept"}


def towards_elsewhere(headers: CIMultiDictProxy[str], *, host: str, whole: bool) -> list[tuple[str, str]]:
    """What another origin gets: which part of a file is wanted, and nothing of who wants it or of us."""
    dropped = _named_in_connection(headers)
    sent = [("Host", host), ("User-Agent", "guest-gateway")]
    for name, value in headers.items():
        lower = name.lower()
        if lower in _ELSEWHERE and lower not in dropped and not (whole and lower in _PARTIAL) and _is_plain(value):
            sent.append((_SENT_ON[lower][0], value))
    if whole:
        sent.append(("Accept-Encoding", "identity"))
    return sent


def towards_guest(
    headers: MultiMapping[str],
    *,
    page: bool,
    leaks: Callable[[str], bool],
    public: Callable[[str], str],
    embedding: Embedding = _NOBODY_FRAMES,
) -> CIMultiDict[str]:
    """What the guest gets of an answer's `headers`, with our own words about caching and framing.

    `leaks`: whether a value would tell a credential or the server's address. `public`: a text in which
    the server's address is replaced by ours, for its content policies, which must not get lost.
    `embedding`: who may frame pages; where somebody may, it stands in place of what the server says of it.
    """
    dropped = _named_in_connection(headers)
    sent: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        fate = _fate(name)
        if fate is _DROP or (dropped and name.lower() in dropped) or (page and fate is _FRAMING):
            continue
        if fate is _POLICY:
            value = public(value)
            if page and (embedding or embedding.own):
                value = without_ancestors(value)
                if not value:
                    continue
        if _is_plain(value, eight_bit=True) and not leaks(value):
            sent.add(name, value)
    if page:
        sent["Cache-Control"] = "no-store"
        if not embedding:
            sent["X-Frame-Options"] = "SAMEORIGIN" if embedding.own else "DENY"  # it can't name an origin
        sent.popall("Expires", None)
        # An additional header can only narrow what the server's own allow.
        sent.add(CSP, f"frame-ancestors {embedding.ancestors}")
        return sent
    sent.add(CSP, "sandbox")
    sent["Cache-Control"] = cache_control(tuple(headers.getall("Cache-Control", ())))
    vary = _vary(tuple(headers.getall("Vary", ())))
    sent["Vary"] = "Cookie" if leaks(vary) else vary
    return sent


def without_ancestors(policies: str) -> str:
    """Content policies (a header may list several) without what they say about who frames the page."""
    kept = []
    for policy in policies.split(","):
        directives = [part.strip() for part in policy.split(";") if part.strip()]
        others = [one for one in directives if one.split(None, 1)[0].lower() != "frame-ancestors"]
        if others:
            kept.append("; ".join(others))
    return ", ".join(kept)


_KEEP, _DROP, _FRAMING, _POLICY = "keep", "drop", "framing", "policy"


@lru_cache(maxsize=1_024)
def _fate(name: str) -> str:
    """What becomes of an answer's header of this name."""
    lower = name.lower()
    if lower in _KEPT_BACK or lower.startswith(_KEPT_BACK_PREFIXES) or lower.endswith("cache-control"):
        return _DROP
    # What a guest may not say, a server may not tell: who it took the gateway for, and the session it opened for it.
    if says_who(name) or tells_where(name):
        return _DROP
    if lower == "x-frame-options":
        return _FRAMING
    return _POLICY if lower.startswith("content-security-policy") else _KEEP


@lru_cache(maxsize=1_024)
def cache_control(values: tuple[str, ...]) -> str:
    """`private`, and what the server said about the browser's own cache."""
    kept = ["private"]
    for directive in _words(values):
        name, equals, value = directive.partition("=")
        name = name.strip().lower()
        if name not in _CACHE_WORDS:
            continue
        number = value.strip().strip('"')
        if not equals or name == "no-cache":
            word = name
        elif number.isascii() and number.isdecimal():
            word = f"{name}={number}"
        else:
            continue
        if word not in kept:
            kept.append(word)
    return ", ".join(kept)


@lru_cache(maxsize=1_024)
def _vary(values: tuple[str, ...]) -> str:
    words = [word for word in _words(values) if _is_plain(word)]
    if "*" not in words and not any(word.lower() == "cookie" for word in words):
        words.append("Cookie")  # a browser whose guest has left must not answer from its cache for the next
    return ", ".join(words)


def has_body(headers: CIMultiDictProxy[str]) -> bool:
    """Whether a request says that a body follows. `Content-Length: 0` is none."""
    return "Transfer-Encoding" in headers or any(value != "0" for value in headers.getall("Content-Length", ()))


def packed(headers: MultiMapping[str]) -> bool:
    """Whether a body is compressed."""
    return any(word.lower() != "identity" for word in _words(headers.getall("Content-Encoding", ())))


def lists(headers: MultiMapping[str], name: str, token: str) -> bool:
    """Whether a comma-separated header holds this token, in any case."""
    return any(word.lower() == token for word in _words(headers.getall(name, ())))


def _named_in_connection(headers: MultiMapping[str]) -> frozenset[str]:
    values = headers.getall("Connection", ())
    return frozenset(word.lower() for word in _words(values)) if values else frozenset()


def _words(values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (part.strip() for part in value.split(",")) if word]


def _is_plain(value: str, *, eight_bit: bool = False) -> bool:
    """Only characters that each parser reads alike. `eight_bit`: file names in answers are often UTF-8."""
    if value.isascii():
        return value.isprintable() or ("\t" in value and value.replace("\t", " ").isprintable())
    return eight_bit and all(character.isprintable() for character in value)
