"""What a policy takes out of answers (`drop`) and exchanges in them (`replace`), with the faults that can be in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.policy.jsonpath import AnswerPath, PathError, parse_answer_path
from gateway.policy.rule_keys import template_of
from gateway.policy.template import Hole, NameFinder, Part, Text, Variable
from gateway.policy.written import Said
from gateway.yaml_source import KEY, Way

Note = Callable[[Way, str], None]

PUBLIC_WS = "public_ws"
"""The public address for websockets, which only `replace` knows."""

_LEAST = 3
_OWN_WORDS = frozenset(("guest.name", "guest.email"))


def compile_drop(said: tuple[Said, ...], note: Note) -> tuple[AnswerPath, ...]:
    found = []
    for one in said:
        try:
            path = parse_answer_path(one.text)
        except PathError as error:
            note(one.way, f"drop: {error}")
            continue
        if path.xml or not path.steps:
            note(one.way, "drop: names a field of JSON, like $.trackers or $.items[*].url")
        found.append(path)
    return tuple(found)


def compile_replace(said: Mapping[str, Said], find: NameFinder, note: Note) -> tuple[tuple[str, tuple[Part, ...]], ...]:
    def find_here(name: str) -> Text | Variable | Hole:
        return Variable(name) if name == PUBLIC_WS else find(name)

    out = []
    for literal, value in said.items():
        if len(literal) < _LEAST or not literal.isprintable():
            note(("replace", literal, KEY), f"replace: a text of at least {_LEAST} characters, in one line")
        parts = template_of(value, "replace", find_here, note)
        for part in parts:
            if isinstance(part, Variable) and part.name in _OWN_WORDS:
                note(value.way, f"replace: {{{part.name}}}: a guest's own words don't stand in the server's texts")
        out.append((literal, parts))
    return tuple(out)
