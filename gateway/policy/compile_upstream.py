"""Compiling `upstream` and `pass`: what is sent to the server besides what a guest asks for."""

from __future__ import annotations

from collections.abc import Callable

from gateway.policy.compile_steps import not_for_policies
from gateway.policy.header_names import fold_header, is_header_name, not_a_guests
from gateway.policy.model import Credentials
from gateway.policy.written import PolicyDocument, Said
from gateway.yaml_source import KEY, Source, Way

Note = Callable[[Way, str], None]

MIN_SECRET = 8


def compile_credentials(document: PolicyDocument, note: Note) -> Credentials:
    for where, entries in (("headers", document.headers), ("query", document.query)):
        for name, said in entries.items():
            _look_at(("upstream", where, name), name, said, note)
    for name in document.headers:
        fault = not_for_policies(name)
        if fault is not None:
            note(("upstream", "headers", name, KEY), fault)
    basic = document.basic
    if basic is not None:
        _look_at(("upstream", "basic"), "basic", basic, note)
        if ":" not in basic.text:
            note(basic.way, "basic: written user:password")
        if any(name.lower() == "authorization" for name in document.headers):
            note(basic.way, "basic: the headers set Authorization already")
    return Credentials(
        headers=tuple((name, said.text) for name, said in document.headers.items()),
        query=tuple((name, said.text) for name, said in document.query.items()),
        basic=basic.text if basic else None,
    )


def _look_at(way: Way, name: str, said: Said, note: Note) -> None:
    if len(said.text) < MIN_SECRET:
        note(way, f"{name}: at least {MIN_SECRET} characters, so that it can be found in answers")
    if any(not 0x20 <= ord(character) < 0x7F for character in said.text):
        note(way, f"{name}: visible ASCII only")


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
