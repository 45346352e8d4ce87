"""`capture`: a value that the media server hands to one guest becomes a variable of that guest's grant.

    Location: /whep/{id}/{session}      a header; what stands where {session} is, when all else fits exactly
    $.session.id                        a value in a JSON answer

Rule: what the server says is judged like something a stranger says. A value is one plain segment, bounded; the
text around it must fit the template with the grant's own variables; anything else captures nothing, and a
guest then reaches less, never more.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from gateway.policy.jsonpath import AnswerPath
from gateway.policy.resolve import usable
from gateway.policy.target import Target
from gateway.policy.template import Part, Text, Values, Variable

MAX_VALUE = 512
_VALUE = rf"([^/\s]{{1,{MAX_VALUE}}})"


@dataclass(frozen=True, slots=True)
class HeaderCapture:
    """`parts` with one `Variable` that is `name` itself. `is_path`: the header holds a URL of the server, which is
    compared in its canonical form."""

    name: str
    header: str
    parts: tuple[Part, ...]
    is_path: bool

    def value(self, text: str | Target | None, values: Values) -> str | None:
        """From the header's text, or the target to which it leads."""
        if isinstance(text, Target):
            text = None if text.pairs else text.text
        pattern = self._pattern(values)
        found = pattern.fullmatch(text) if text is not None and pattern is not None else None
        return _plain(found[1]) if found is not None else None

    def _pattern(self, values: Values) -> re.Pattern[str] | None:
        out = []
        for part in self.parts:
            if isinstance(part, Text):
                out.append(re.escape(part.text))
            elif isinstance(part, Variable) and part.name == self.name:
                out.append(_VALUE)
            elif isinstance(part, Variable) and values.get(part.name):
                out.append(f"(?:{'|'.join(map(re.escape, values[part.name]))})")
            else:
                return None
        return re.compile("".join(out))


@dataclass(frozen=True, slots=True)
class JsonCapture:
    name: str
    path: AnswerPath


Capture = HeaderCapture | JsonCapture


def captured_json(captures: tuple[Capture, ...], body: bytes) -> dict[str, str]:
    """What a JSON answer holds of them; where a path leads to several values, or to none, nothing."""
    wanted = [one for one in captures if isinstance(one, JsonCapture)]
    try:
        document = json.loads(body) if wanted else None
    except (ValueError, RecursionError):
        return {}
    found = {}
    for one in wanted:
        values = one.path.values(document)
        if len(values) == 1 and isinstance(values[0], str | int) and not isinstance(values[0], bool):
            value = _plain(str(values[0]))
            if value is not None:
                found[one.name] = value
    return found


def _plain(value: str) -> str | None:
    return value if usable(value, slashes=False, most=MAX_VALUE) else None
