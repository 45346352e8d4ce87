"""Browser recordings (HAR 1.2, as Chromium, Firefox and Playwright write them) as plain requests.

Rule: a recording is somebody else's file and full of secrets. It is read piece by piece, in bounded memory,
and of each entry only what a policy judges is kept: method, address, status, type, and, where asked for, a
text answer in which ids may stand and the JSON of a POST, whose names and types make a rule. Cookies, credentials
and all other headers are never kept.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from gateway.policy.har_text import HarError, entries
from gateway.policy.target import fold_name

__all__ = [
    "HarError",
    "Recorded",
    "Recording",
    "looks_secret",
    "names",
    "read_har",
    "server_host",
    "shown",
    "sounds_secret",
    "without_secrets",
    "words_of",
]

MAX_BYTES = 256 * 2**20
MAX_ENTRIES = 100_000
MAX_URL = 64 * 2**10
MAX_BODY = 2**20
MAX_BODIES = 32 * 2**20
MAX_SENT = 64 * 2**10

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_TEXTS = ("json", "mpegurl", "dash+xml", "text/vtt", "text/html")
# Words in the names of query values that are likely to open something.
_SECRET = (
    "token",
    "key",
    "secret",
    "password",
    "passwd",
    "auth",
    "signature",
    "session",
    "policy",
    "credential",
    "jwt",
)
_SECRET_WHOLE = frozenset(("sig", "pw", "pwd", "pass", "sid", "p", "t", "s", "hash", "md5", "ticket", "ks"))
# A token in three parts, a long hash, or many letters of both cases and digits together.
_SIGNED = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,}|[0-9a-fA-F]{40,}|(?=[A-Za-z0-9+/_-]*[0-9])(?=[A-Za-z0-9+/_-]*[A-Z])(?=[A-Za-z0-9+/_-]*[a-z])"
    r"[A-Za-z0-9+/_-]{24,}"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request. `target` is what stood in the request line; `host` has a port where it is not the usual one."""

    method: str  # WS for a websocket
    host: str
    target: str
    status: int
    mime: str
    document: bool  # the browser opened it as a page
    worker: bool  # a service worker's script
    body: str | None = field(default=None, repr=False)
    added: bool = False  # not recorded: a playlist names it
    silent: bool = False  # the browser got no answer: it blocked the request itself, or the connection broke

    secure: bool = False
    beacon: bool = False  # sent in passing, its answer unread
    sends: str = ""  # the media type of its body
    sent: str | None = field(default=None, repr=False)  # the body, where it is JSON

    @property
    def origin(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}"

    @property
    def asked(self) -> tuple[str, str]:
        return self.method, self.target


@dataclass(frozen=True, slots=True)
class Recording:
    requests: tuple[Recorded, ...]
    inside: int  # data: and blob: addresses, which no server sees

    def hosts(self) -> Mapping[str, int]:
        """How often each host was asked, in the order of their first requests."""
        return Counter(request.host for request in self.requests)


def read_har(chunks: Iterable[str], *, bodies: bool = False) -> Recording:
    """Raises HarError. `bodies`: keep text answers (JSON, playlists), as far as the limits go."""
    requests: list[Recorded] = []
    inside = kept = 0
    for number, entry in enumerate(entries(chunks), 1):
        if number > MAX_ENTRIES:
            raise HarError(f"more than {MAX_ENTRIES} entries: record less at a time")
        request = _request(entry, number, bodies and kept < MAX_BODIES)
        if request is None:
            inside += 1
            continue
        kept += len(request.body or "") + len(request.sent or "")
        requests.append(request)
    if not requests:
        raise HarError("no request in it: record with the network panel open, and save all as HAR")
    return Recording(tuple(requests), inside)


def server_host(recording: Recording, item: str) -> str:
    """The media server's host: the one whose addresses name the item most often, else the first one asked."""
    named = Counter(request.host for request in recording.requests if _names(request, item))
    hosts = named or recording.hosts()
    return max(hosts, key=lambda host: hosts[host]) if named else recording.requests[0].host


def names(recording: Recording, item: str) -> bool:
    """Whether any address of it holds this id."""
    return any(_names(request, item) for request in recording.requests)


def _names(request: Recorded, item: str) -> bool:
    return any(one in request.target for one in {item, quote(item, safe=""), quote(item, safe="/")})


def words_of(recording: Recording) -> set[str]:
    """What stands in its addresses and could be an id; nothing that may be a secret."""
    found: set[str] = set()
    for request in recording.requests:
        path, _, query = request.target.partition("?")
        pairs = [piece.partition("=") for piece in query.split("&")]
        found.update(unquote(one) for one in path.split("/"))
        found.update(unquote(value) for name, _, value in pairs if not sounds_secret(name))
        if len(found) > 2000:
            break
    return {word for word in found if word and len(word) <= 100 and not looks_secret(word)}


def shown(target: str) -> str:
    """A target for people: without what is likely to be a secret, by its name or its looks; length has an end."""
    path, question, query = target.partition("?")
    pieces = []
    for piece in query.split("&") if question else []:
        name, equals, value = piece.partition("=")
        hidden = equals and (sounds_secret(name) or looks_secret(value))
        pieces.append(f"{name}=***" if hidden else "***" if looks_secret(name) else piece)
    path = "/".join("***" if looks_secret(segment) else segment for segment in path.split("/"))
    text = path + question + "&".join(pieces)
    return text if len(text) <= 300 else f"{text[:297]}..."


def looks_secret(value: str) -> bool:
    """Signatures and tokens by their looks: ids of items are shorter, or of one case."""
    return bool(_SIGNED.search(value[:512]))


def without_secrets(text: str) -> str:
    """A sentence about a request, which may quote a piece of its address."""
    return _SIGNED.sub("***", text[:2000])


def sounds_secret(name: str) -> bool:
    folded = fold_name(name)
    return folded in _SECRET_WHOLE or any(word in folded for word in _SECRET)


def _request(entry: Any, number: int, body: bool) -> Recorded | None:
    asked = _mapping(entry, "request", number)
    url, method = asked.get("url"), asked.get("method")
    if not isinstance(url, str) or not isinstance(method, str):
        raise HarError(f"entry {number} has no request with method and url")
    if not (method.isascii() and method.replace("-", "").isalpha() and len(method) <= 20):
        raise HarError(f"entry {number}: its method is none")
    scheme = url.partition(":")[0].lower()
    if scheme not in _PORTS:
        return None
    if len(url) > MAX_URL:
        raise HarError(f"entry {number}: its address is longer than {MAX_URL} characters")
    # The fragment never leaves the browser; letters outside ASCII leave it encoded.
    url = quote(url.partition("#")[0], safe="".join(map(chr, range(0x21, 0x7F))))
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        name, port = None, None
    if not name:
        raise HarError(f"entry {number}: its address can't be read")
    host = f"[{name}]" if ":" in name else name
    if port is not None and port != _PORTS[scheme]:
        host += f":{port}"
    rest = url.split("://", 1)[-1]
    target = "/" + rest.partition("/")[2] if "/" in rest.partition("?")[0] else "/" + rest[len(parts.netloc) :]
    headers = _headers(asked.get("headers"))
    resource = entry.get("_resourceType")
    websocket = (
        scheme in ("ws", "wss")
        or resource == "websocket"
        or "_webSocketMessages" in entry
        or (headers.get("upgrade") == "websocket" and method == "GET")
    )
    answer = _part(entry, "response")
    content = _part(answer, "content")
    status, mime = answer.get("status"), _type(content)
    fetch = headers.get("sec-fetch-dest")
    posted = _part(asked, "postData")
    sends, written = _type(posted), posted.get("text")
    return Recorded(
        method="WS" if websocket else method.upper(),
        host=host,
        target=target,
        status=status if isinstance(status, int) and 0 <= status < 1000 else 0,
        mime=mime[:100],
        document=resource == "document" or fetch in ("document", "iframe") or (not resource and mime == "text/html"),
        worker=fetch == "serviceworker" or headers.get("service-worker") == "script",
        body=_body(content, mime) if body else None,
        secure=scheme in ("https", "wss"),
        beacon=resource in ("ping", "beacon", "csp-violation-report"),
        sends=sends[:100],
        sent=written if body and "json" in sends and isinstance(written, str) and len(written) <= MAX_SENT else None,
        silent=isinstance(status, int) and status <= 0 and not answer.get("headers"),
    )


def _type(of: dict[str, Any]) -> str:
    found = of.get("mimeType")
    return found.partition(";")[0].strip().lower() if isinstance(found, str) else ""


def _part(of: dict[str, Any], key: str) -> dict[str, Any]:
    """What is optional: recordings that were cut short lack answers."""
    found = of.get(key)
    return found if isinstance(found, dict) else {}


def _mapping(entry: Any, key: str, number: int) -> dict[str, Any]:
    found = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(found, dict):
        raise HarError(f"entry {number} has no {key}")
    return found


def _headers(written: Any) -> dict[str, str]:
    """Those few that say what sort of request it is; the rest is not ours to know."""
    found: dict[str, str] = {}
    for one in written if isinstance(written, list) else []:
        name = one.get("name") if isinstance(one, dict) else None
        value = one.get("value") if isinstance(one, dict) else None
        if isinstance(name, str) and isinstance(value, str):
            name = name.lower()
            if name in ("upgrade", "sec-fetch-dest", "service-worker"):
                found[name] = value.lower()
    return found


def _body(content: dict[str, Any], mime: str) -> str | None:
    text = content.get("text")
    if not isinstance(text, str) or len(text) > MAX_BODY or not any(word in mime for word in _TEXTS):
        return None
    if content.get("encoding") != "base64":
        return text
    # Playlists are no text to Chromium, since their type does not begin with text/.
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return None
