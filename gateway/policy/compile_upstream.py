"""Compiling `upstream` and `pass`: what is sent to the server besides what a guest asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from gateway.policy.compile_steps import not_for_policies
from gateway.policy.header_names import fold_header, is_header_name, not_a_guests
from gateway.policy.jar import MAX_NAMES, CookieRules
from gateway.policy.jsonpath import AnswerPath
from gateway.policy.login import LOGIN, Login, mark_of
from gateway.policy.minting import ALGORITHMS, JWT, OURS, BadKey, Minter, key_texts, read_key
from gateway.policy.model import Credentials
from gateway.policy.request import Words
from gateway.policy.target import Ambiguity, parse_target
from gateway.policy.template import NameFinder, Part, Text, Variable
from gateway.policy.written import JsonDocument, JwtDocument, LoginDocument, PolicyDocument, Said
from gateway.yaml_source import KEY, Source, Way, did_you_mean

Note = Callable[[Way, str], None]

MIN_SECRET = 8


_PLACE = re.compile(r"\{((?:login|jwt)\.[^{}]*)\}")
_NAMED = re.compile(r"\{([A-Za-z_][^{}\"]*)\}")
_METHODS = ("POST", "GET", "PUT")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_WEAK = 32  # characters of a key below which `check` has a word about it


class SecretNames:
    """`{login.token}` and `{jwt.token}`: which there are, and what stands for them in what is compiled."""

    def __init__(self, document: PolicyDocument) -> None:
        login = document.login.secrets if document.login is not None else ()
        self.login: tuple[str, ...] = tuple(LOGIN + name for name in login)
        self.jwt: tuple[str, ...] = tuple(JWT + one.as_.text for one in document.jwts)

    def part(self, name: str, *, login: bool = True, jwt: bool = True) -> Text | Variable | None:
        if login and name in self.login:
            return Text(mark_of(name.removeprefix(LOGIN)))
        return Variable(name) if jwt and name in self.jwt else None

    def within(self, find: NameFinder, *, login: bool = True, jwt: bool = True) -> NameFinder:
        """A finder for a place that goes to the server alone."""
        return lambda name: self.part(name, login=login, jwt=jwt) or find(name)


def compile_credentials(document: PolicyDocument, names: SecretNames, more: tuple[str, ...], note: Note) -> Credentials:
    """`more`: what else must not come back to a guest."""
    found: dict[str, list[tuple[str, Words]]] = {"headers": [], "query": []}
    for where, entries in (("headers", document.headers), ("query", document.query)):
        for name, said in entries.items():
            found[where].append((name, _words(("upstream", where, name), name, said, names, note)))
    for name in document.headers:
        fault = not_for_policies(name)
        if fault is not None:
            note(("upstream", "headers", name, KEY), fault)
    basic = document.basic
    if basic is not None:
        _look_at(("upstream", "basic"), "basic", basic.text, note)
        if ":" not in basic.text:
            note(basic.way, "basic: written user:password")
        if any(name.lower() == "authorization" for name in document.headers):
            note(basic.way, "basic: the headers set Authorization already")
    return Credentials(tuple(found["headers"]), tuple(found["query"]), basic.text if basic else None, more)


def _words(way: Way, name: str, said: Said, names: SecretNames, note: Note) -> Words:
    """Braces are text here, since a secret may hold some, but for the names of secrets."""
    parts: list[Part] = []
    for index, piece in enumerate(_PLACE.split(said.text)):
        if index % 2:
            part = names.part(piece)
            if part is None:
                note(way, f"{name}: unknown name {{{piece}}}{did_you_mean(piece, (*names.login, *names.jwt))}")
            parts += [part] if part is not None else []
        elif piece:
            parts.append(Text(piece))
    _look_at(way, name, said.text, note, whole=not _PLACE.search(said.text))
    return Words(tuple(parts))


def _look_at(way: Way, name: str, text: str, note: Note, *, whole: bool = True) -> None:
    if whole and len(text) < MIN_SECRET:
        note(way, f"{name}: at least {MIN_SECRET} characters, so that it can be found in answers")
    if any(not 0x20 <= ord(character) < 0x7F for character in text):
        note(way, f"{name}: visible ASCII only")


def compile_login(document: LoginDocument | None, path: Callable[[Said], AnswerPath], note: Note) -> Login | None:
    if document is None:
        return None
    words = document.request.text.split()
    method, raw = words if len(words) == 2 else ("POST", "/")
    target = parse_target(raw)
    if document.request.text and (len(words) != 2 or method not in _METHODS):
        note(document.request.way, "request: written POST /path (or GET, PUT)")
    if isinstance(target, Ambiguity):
        note(document.request.way, f"request: {target.what}")
    if document.json is not None and document.form is not None:
        note((*document.way, "form", KEY), "json and form: one of them, not both")
    if method == "GET" and (document.json is not None or document.form is not None):
        note(document.request.way, "request: GET has no body")
    for name in document.headers:
        fault = not_for_policies(name)
        if fault is not None:
            note((*document.way, "headers", name, KEY), fault)
    for name, said in document.headers.items():
        if any(not 0x20 <= ord(character) < 0x7F for character in said.text):
            note((*document.way, "headers", name), f"{name}: visible ASCII only")
    for name, said in document.secrets.items():
        if not name or not _NAME.issuperset(name):
            note((*said.way[:-1], name, KEY), f"{name}: a secret's name has small letters, digits and _")
    again = (401,) if document.again is None else document.again
    if not all(isinstance(one, int) and not isinstance(one, bool) and 400 <= one <= 499 for one in again):
        note((*document.way, "again"), "again: statuses from 400 to 499, such as [401]")
        again = ()
    return Login(
        method,
        "/" if isinstance(target, Ambiguity) else target.sent,
        {name: path(said) for name, said in document.secrets.items()},
        frozenset(again),
        tuple((name, said.text) for name, said in document.headers.items()),
        document.json,
        None if document.form is None else {name: said.text for name, said in document.form.items()},
    )


def claims_only(document: JwtDocument, known: Iterable[str]) -> bool:
    """Whether its claims say nothing but these variables, and what is the same for everybody."""
    allowed = frozenset(known)
    names = set(_NAMED.findall(json.dumps(document.claims.data, default=str))) if document.claims is not None else set()
    return all(name in allowed or name.startswith("interactions.") for name in names)


def compile_jwts(
    documents: Iterable[JwtDocument], claims: Callable[[JsonDocument], Any], note: Note, warn: Note
) -> tuple[Minter, ...]:
    names: set[str] = set()
    found = []
    for document in documents:
        if document.as_.text in names:
            note(document.as_.way, f"as: another jwt is named {document.as_.text} already")
        names.add(document.as_.text)
        found.append(compile_jwt(document, claims, note, warn))
    return tuple(minter for minter in found if minter is not None)


def compile_jwt(document: JwtDocument, claims: Callable[[JsonDocument], Any], note: Note, warn: Note) -> Minter | None:
    name, alg, key = document.as_.text, document.alg.text, document.key
    if not name or not _NAME.issuperset(name):
        note(document.as_.way, "as: a name of small letters, digits and _")
    minutes = document.minutes
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 1 <= minutes <= 720:
        note((*document.way, "minutes"), "minutes: a whole number from 1 to 720")
        minutes = 10
    found: Any = {}
    if document.claims is None:
        note(document.way, "claims: is missing")
    elif not isinstance(document.claims.data, dict):
        note(document.claims.way, "claims: must be a mapping (claim: value)")
    else:
        for claim in OURS:
            if claim in document.claims.data:
                note((*document.claims.way, claim, KEY), f"{claim}: the gateway writes this one itself")
        found = claims(document.claims)
    if alg not in ALGORITHMS:
        note(document.alg.way, f"alg: {', '.join(ALGORITHMS)}{did_you_mean(alg, ALGORITHMS)}")
        return None
    if len(key.text) < MIN_SECRET:
        if key.text:
            note(key.way, f"key: at least {MIN_SECRET} characters")
        return None  # an empty one was missing, which has been said, or comes from the environment
    if alg.startswith("HS") and len(key.text) < _WEAK:
        warn(key.way, f"key: shorter than {_WEAK} characters, so that whoever has a token can try to guess it")
    try:
        made = read_key(alg, key.text)
    except BadKey as error:
        note(key.way, f"key: {error}")
        return None
    return Minter(JWT + name, alg, minutes, found, made, tuple(key_texts(key.text)))


def compile_passed(document: PolicyDocument, source: Source) -> tuple[str, ...]:
    """Further headers of a guest's to send on, each once however it is spelled."""
    injected = {fold_header(name) for name in document.headers}
    injected |= {"authorization"} if document.basic else set()
    seen: dict[str, str] = {}
    for said in document.passed:
        if source.blamed(said.way):
            continue
        folded = fold_header(said.text)
        why = not_a_guests(said.text)
        if not is_header_name(said.text):
            source.fault(said.way, f"pass: {said.text}: not the name of a header")
        elif folded in injected:
            source.fault(said.way, f"pass: {said.text}: upstream: sets this header")
        elif why is not None:
            source.fault(said.way, f"pass: {said.text}: {why}")
        elif folded in seen:
            source.fault(said.way, f"pass: {said.text}: is {seen[folded]} for many servers, which is here already")
        else:
            seen[folded] = said.text
    return tuple(seen.values())


def compile_cookies(document: PolicyDocument, source: Source) -> CookieRules:
    """Each name once, however a careless server would compare it."""
    kept: set[str] = set()
    guest: set[str] = set()
    seen: set[str] = set()
    for said, is_guests in document.cookies:
        name = said.text
        if not name and source.blamed(said.way):
            continue
        if not is_header_name(name):
            source.fault(said.way, f"cookies: {name}: not the name of a cookie")
        elif name.lower() in seen:
            source.fault(said.way, f"cookies: {name}: stands there already")
        seen.add(name.lower())
        (guest if is_guests else kept).add(name)
    if len(seen) > MAX_NAMES:
        source.fault(("cookies", KEY), f"cookies: at most {MAX_NAMES} names")
    for name in document.headers:
        if seen and fold_header(name) == "cookie":
            source.fault(("upstream", "headers", name, KEY), f"{name}: cookies: writes this header")
    return CookieRules(frozenset(kept), frozenset(guest))
