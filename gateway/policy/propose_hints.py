"""What a recording only hints at, as comments of a proposal: play sessions, other addresses, websockets.

Rule: nothing here is in force. Each hint says what was seen, and how the rule would be written once somebody has
looked. Values that an answer gave are never shown: a name stands for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from gateway.policy.har import Recorded, Recording, looks_secret, sounds_secret
from gateway.policy.listed import texts_of
from gateway.policy.propose_post import body_keys, changes
from gateway.policy.sorting import MEDIA, Own, extension, looks_random
from gateway.policy.target import Ambiguity, parse_target

_MOST = 20
_MOST_TEXTS = 500
_MOST_LATER = 20_000


def prepare_hint(posts: Sequence[Own], recording: Recording, host: str, item: str) -> list[str]:
    """The classical play session: the answer to a POST holds an id that later addresses use."""
    asked = recording.requests
    order = {id(request): at for at, request in enumerate(asked)}
    # Where each piece of an address stands, in order: an answer may hold thousands of texts.
    users: dict[str, list[int]] = {}
    for at, request in enumerate(asked[:_MOST_LATER]):
        if request.host == host and request.method in ("GET", "WS"):
            for piece in _pieces(request):
                users.setdefault(piece, []).append(at)
    for one in [one for one in posts if not changes(one)][:50]:
        request = one.request
        if request.body is None or not 200 <= request.status < 300:
            continue
        since = order.get(id(request), len(asked))
        for path, text in list(texts_of(request.body))[:_MOST_TEXTS]:
            if not 6 <= len(text) <= 500 or text == item or text in request.target or "[" in path:
                continue
            later = [asked[at] for at in users.get(text, ()) if at > since]
            if later:
                return list(_prepare(one, path, text, later, item))
    return []


def _pieces(request: Recorded) -> set[str]:
    target = parse_target(request.target)
    if isinstance(target, Ambiguity):
        return set()
    segments = target.text.split("/")
    return {*segments, *(one.partition(".")[0] for one in segments), *(value for _, value in target.pairs if value)}


def _prepare(post: Own, path: str, text: str, users: Sequence[Recorded], item: str) -> Iterator[str]:
    yield f"The answer to POST {post.path} tells at {path} what later addresses hold: a play session, made for"
    yield "each viewer. Where that is so, the gateway asks for it once per guest:"
    yield "prepare:"
    yield f"  - request: POST {post.path}"
    for key in body_keys([post], item):
        yield f"    {key}"
    yield f"    vars: {{play: {path}}}"
    yield 'release: []   # better: how it ends, as in ["DELETE …/{play}"]'
    yield "and in allow:"
    seen: set[str] = set()
    for user in users:
        target = parse_target(user.target)
        if isinstance(target, Ambiguity):
            continue
        segments = f"{target.text}/".replace(f"/{item}/", "/{id}/")[:-1].replace(text, "{play}").split("/")
        pairs = [
            f"{name}={'{play}' if value == text else '{id}' if value == item else '*'}" for name, value in target.pairs
        ]
        plain = ["*" if looks_random(one) or looks_secret(one) else one for one in segments]
        rule = f"{user.method} {'/'.join(plain)}{'?' + '&'.join(pairs) if pairs else ''}"
        if rule not in seen and len(seen) < 8:
            seen.add(rule)
            yield f"  - {json.dumps(rule)}"


def socket_hint(sockets: Sequence[str]) -> list[str]:
    """`sockets`: rules as they would stand in allow."""
    if not sockets:
        return []
    return [
        "Websockets, to be allowed with the messages a guest may send (without messages all of them pass):",
        *(
            line
            for rule in sockets[:_MOST]
            for line in (f"  - request: {json.dumps(rule)}", "    messages: [{type: PING}]")
        ),
    ]


def address_hint(recording: Recording, host: str, item: str, origins: Sequence[str]) -> list[str]:
    """Other ports of the same machine, and other hosts that serve what plays, apart from `origins`."""
    name = _machine(host)
    ports: dict[str, dict[str, None]] = {}
    elsewhere: dict[str, int] = {}
    for request in recording.requests:
        if request.host == host or request.origin in origins or request.status >= 400 or request.silent:
            continue
        if _machine(request.host) == name:
            target = parse_target(request.target)
            if not isinstance(target, Ambiguity) and f"/{item}/" in f"{target.text}/":
                text = f"{target.text}/".replace(f"/{item}/", "/{id}/")[:-1]
                secret = any(looks_secret(one) or looks_random(one) for one in text.split("/"))
                if not secret and not any(sounds_secret(key) for key, _ in target.pairs):
                    ports.setdefault(request.origin, {})[f"{request.method} {text}"] = None
        elif extension(request.target.partition("?")[0]) in MEDIA:
            elsewhere[request.origin] = elsewhere.get(request.origin, 0) + 1
    lines: list[str] = []
    for number, (origin, rules) in enumerate(list(ports.items())[:4]):
        at = "second" if number == 0 else f"second{number + 1}"
        lines += [
            f"{origin} is asked for the item too. If it is the same server, config.yaml says",
            f"  upstream: {{main: …, {at}: {origin}}}",
            "and in allow:",
            *(f"  - {{request: {json.dumps(rule)}, at: {at}}}" for rule in list(rules)[:8]),
        ]
    for origin, times in list(elsewhere.items())[:8]:
        lines.append(
            f"{origin} serves files that play ({times}): guests reach them by follow: and origins:, or not at all."
        )
    return lines


def _machine(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host
