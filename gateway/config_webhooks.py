"""The receivers of notices: the list `webhooks` of config.yaml.

    webhooks:
      - name: calendar                what commands, logs and metrics call it
        url: https://…                or file:PATH, since many services put a token into it
        secret: file:PATH             or a list of two for rotation, newest first; `whsec_` and base64, or plain text
        events: [guest_admitted, …]   default: all
        servers: [tv]                 default: all
        allow_internal: false         whether it may be on a private address, and by http
        include_guests: false         whether guests' names and addresses are told

Rule: what leaves the gateway is said here and nowhere else, and nothing of a guest leaves it unasked. A
fault never repeats a URL or a secret.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway import config_texts as texts
from gateway.config import NoticeEvent, Webhook
from gateway.yaml_section import Section
from gateway.yaml_source import Way, did_you_mean

_KEYS = ("name", "url", "secret", "events", "servers", "allow_internal", "include_guests")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_EVENTS = tuple(str(event) for event in NoticeEvent)
_PREFIX = "whsec_"  # of secrets as the Standard Webhooks libraries write them
MIN_SECRET = 16  # bytes
MOST_SECRETS = 2
MOST_WEBHOOKS = 50


def read_webhooks(
    top: Section, servers: Sequence[str], base: Path, inline: Callable[[Way], None]
) -> tuple[Webhook, ...]:
    """`inline` is told where a secret stands in the file itself."""
    found: list[Webhook] = []
    names: dict[str, int] = {}
    for data, way in top.items("webhooks"):
        section = Section(top.source, {} if data is None else data, way, _KEYS)
        if data is not None and not isinstance(data, dict):
            continue
        name = section.need("name", _name, "")
        place = top.source.place(way)[0]
        if name in names:
            section.fault((*way, "name"), f"{name} is taken (the webhook on line {names[name]})")
        elif name:
            names[name] = place
        internal = section.get("allow_internal", texts.flag, False)
        known = servers if all(servers) else []
        found.append(
            Webhook(
                name=name,
                url=section.need("url", partial(_url, base=base, internal=internal), ""),
                secrets=_secrets(section, base, inline),
                events=frozenset(section.each("events", _event)) or frozenset(NoticeEvent),
                servers=section.each("servers", partial(_server, known=known)),
                allow_internal=internal,
                include_guests=section.get("include_guests", texts.flag, False),
            )
        )
    if len(found) > MOST_WEBHOOKS:
        top.fault(("webhooks",), f"are more than {MOST_WEBHOOKS}")
    return tuple(found)


def _name(value: Any) -> str:
    name = texts.text(value)
    if not _NAME.fullmatch(name):
        raise ValueError("must be small letters, digits and -, at most 40")
    return name


def _url(value: Any, base: Path, internal: bool) -> str:
    url = texts.secret_text(value, base)
    try:
        parts = urlsplit(url)
        host, _ = texts.host_and_port(parts.netloc.rpartition("@")[2])
    except ValueError:
        host = ""
    if not host or not url.isascii() or any(letter <= " " or letter in '\\"<>' for letter in url):
        raise ValueError("must be a URL such as https://hooks.example.org/guests")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name or password")
    if "#" in url:
        raise ValueError("must hold no #")
    if parts.scheme == "http" and not internal:
        raise ValueError("must begin with https:// (http:// only with allow_internal: true)")
    if parts.scheme not in ("http", "https"):
        raise ValueError("must begin with https://")
    if texts.is_ip(host) and not internal and not texts.is_public(host):
        raise ValueError("names an internal address; allow_internal: true lets notices go there")
    return url


def _secrets(section: Section, base: Path, inline: Callable[[Way], None]) -> tuple[bytes, ...]:
    written, way = section.data.get("secret"), (*section.way, "secret")
    if not section.has("secret") or written == []:
        section.missing("secret", "is missing: file:PATH (`gateway secret` makes one)")
        return ()
    several: list[tuple[Any, Way]] = [(written, way)]
    if isinstance(written, list):
        several = list(section.items("secret"))
        if len(several) > MOST_SECRETS:
            section.fault(way, f"are more than {MOST_SECRETS}: the newest, and the one before while receivers change")
    found = []
    for one, at in several:
        if isinstance(one, str) and not one.startswith("file:"):
            inline(at)
        key = section.parsed(one, at, partial(_secret, base=base), b"")
        if key:
            found.append(key)
    return tuple(found)


def _secret(value: Any, base: Path) -> bytes:
    text = texts.secret_text(value, base)
    key = text.encode()
    if text.startswith(_PREFIX):
        # What the receivers' libraries do with it: its bytes are the key.
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except (ValueError, binascii.Error):
            raise ValueError("must be base64 after whsec_") from None
    if len(key) < MIN_SECRET:
        raise ValueError(f"has {len(key)} bytes, at least {MIN_SECRET} are needed (`gateway secret` makes one)")
    return key


def _event(value: Any) -> NoticeEvent:
    name = texts.text(value)
    if name not in _EVENTS:
        raise ValueError(f"no event {name}{did_you_mean(name, _EVENTS)}")
    return NoticeEvent(name)


def _server(value: Any, known: Sequence[str]) -> str:
    name = texts.text(value)
    if known and name not in known:
        raise ValueError(f"no server {name}{did_you_mean(name, known)}")
    return name
