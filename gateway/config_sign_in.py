"""How managers sign in: the key `sign_in` of config.yaml.

    sign_in: password                                       the managers listed under managers:
    sign_in:
      trusted_header: {user: X-Remote-User, groups: X-Remote-Groups, from: [127.0.0.1], rights: […]}
    sign_in:
      oidc: {issuer: https://…, client_id: …, client_secret: file:…, scopes: [openid], name: claim,
             groups: claim, ids: [claims], rights: […]}

    rights: [{group: staff, may: ["tv:own"]}, {claim: department, value: film, may: ["tv:*"]}]

Rule: whoever signs in from elsewhere may do what their groups or claims say here, and nothing by default.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway import config_texts as texts
from gateway.config import Oidc, Right, ServerConfig, SignInConfig, TrustedHeader
from gateway.config_entries import read_may
from gateway.yaml_section import Section
from gateway.yaml_source import Way

_WAYS = ("trusted_header", "oidc")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_CLAIM = re.compile(r"[\x21-\x7e]{1,200}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")


def read_sign_in(top: Section, servers: Sequence[ServerConfig], base: Path) -> SignInConfig:
    written = top.data.get("sign_in")
    if written in (None, "password", {}, []):
        return SignInConfig()
    if not isinstance(written, dict):
        top.fault(("sign_in",), "must be password, or a mapping with trusted_header or oidc")
        return SignInConfig()
    section = top.section("sign_in", _WAYS)
    if len(section.data) > 1 and all(name in _WAYS for name in section.data):
        section.fault(("sign_in",), "one way only: trusted_header or oidc")
    if section.has("oidc"):
        return SignInConfig(oidc=_oidc(section, servers, base))
    if section.has("trusted_header"):
        return SignInConfig(trusted_header=_trusted_header(section, servers))
    return SignInConfig()


def _trusted_header(section: Section, servers: Sequence[ServerConfig]) -> TrustedHeader:
    inner = section.section("trusted_header", ("user", "groups", "from", "rights"))
    if not inner.has("from"):
        inner.missing("from", "is missing: which addresses may say who somebody is, such as [127.0.0.1]")
    return TrustedHeader(
        user=inner.need("user", _header, ""),
        groups=inner.get("groups", _header, None),
        peers=inner.each("from", texts.network),
        rights=_rights(inner, servers, claims=False),
    )


def _oidc(section: Section, servers: Sequence[ServerConfig], base: Path) -> Oidc:
    inner = section.section(
        "oidc", ("issuer", "client_id", "client_secret", "scopes", "name", "groups", "ids", "rights")
    )
    scopes = inner.each("scopes", partial(_matching, pattern=_SCOPE)) or ("openid", "profile")
    return Oidc(
        issuer=inner.need("issuer", _issuer, ""),
        client_id=inner.need("client_id", texts.text, ""),
        client_secret=inner.need("client_secret", lambda value: texts.secret_text(value, base), ""),
        scopes=scopes if "openid" in scopes else ("openid", *scopes),
        name=inner.get("name", partial(_matching, pattern=_CLAIM), "preferred_username"),
        groups=inner.get("groups", partial(_matching, pattern=_CLAIM), "groups"),
        ids=inner.each("ids", partial(_matching, pattern=_CLAIM)) or ("sub",),
        rights=_rights(inner, servers, claims=True),
    )


def _rights(section: Section, servers: Sequence[ServerConfig], *, claims: bool) -> tuple[Right, ...]:
    if not section.has("rights"):
        section.missing("rights", 'is missing: who may do what, such as [{group: staff, may: ["tv:own"]}]')
    known = [server.name for server in servers] if all(server.name for server in servers) else []
    found = []
    for data, way in section.items("rights"):
        inner = Section(section.source, {} if data is None else data, way, ("group", "claim", "value", "may"))
        if data is not None and not isinstance(data, dict):
            continue
        if not inner.has("may"):
            inner.missing("may", 'is missing: which items, such as ["tv:*"]')
        may = inner.each("may", partial(read_may, servers=known))
        _one_of(inner, way, claims=claims)
        found.append(
            Right(
                may=may,
                group=inner.get("group", texts.text, None),
                claim=inner.get("claim", partial(_matching, pattern=_CLAIM), None),
                value=inner.get("value", texts.text, None),
            )
        )
    return tuple(found)


def _one_of(inner: Section, way: Way, *, claims: bool) -> None:
    if not claims and (inner.has("claim") or inner.has("value")):
        inner.fault(way, "a header carries no claims; write group")
    elif inner.has("group") == inner.has("claim"):
        inner.fault(way, "needs one of group and claim" if claims else "needs group")
    elif inner.has("claim") != inner.has("value"):
        inner.fault(way, "claim and value belong together")


def _header(value: Any) -> str:
    name = texts.text(value)
    if not _HEADER.fullmatch(name):
        raise ValueError("must be a header's name, of letters, digits and -")
    return name


def _matching(value: Any, pattern: re.Pattern[str]) -> str:
    text = texts.text(value)
    if not pattern.fullmatch(text):
        raise ValueError("holds a character that can't stand here")
    return text


def _issuer(value: Any) -> str:
    """As the provider writes it in its tokens, to the letter."""
    text = texts.text(value)
    parts = urlsplit(text)
    plain = parts.scheme == "http" and texts.is_loopback(parts.hostname or "")
    if not (parts.scheme == "https" or plain) or not parts.hostname or parts.query or parts.fragment or "@" in text:
        raise ValueError("must be a URL such as https://id.example.org, as the provider writes it in its tokens")
    return text
