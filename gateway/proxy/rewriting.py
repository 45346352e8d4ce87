"""Answers that are changed on their way: `drop` takes fields out of JSON, `replace` exchanges literal text.

Rule: what is dropped must be gone in every reading. A text that is taken for JSON is parsed and written anew, also when
nothing was found in it (a parser that takes the first of two equal keys must not find what ours did not see); a text
that says it is JSON and is none is not delivered. Literal texts are exchanged in one pass, the longest first, so that
nothing is exchanged twice, and what takes their place is encoded for the text it stands in.

Events and lines of JSON are changed one by one as they flow. A text in which only literals are exchanged, and no
credential is looked for, need not be held as a whole: however long it is, `FlowingWords` changes it as it comes.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.policy.decide import Variables
from gateway.policy.jsonpath import EACH, AnswerPath
from gateway.policy.replacing import PUBLIC_WS
from gateway.policy.template import Part, filled
from gateway.rewrite.json_answer import too_many
from gateway.rewrite.scrub import Finder, FlowingText

MAX_EVENT = 1024 * 1024  # bytes of one event or line that is changed as a whole
_LOOKS_BACK = 16  # bytes that a pattern may look at before its match
_BLANK = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
_WIDEST = 4  # bytes between two events
_NOT_IN_SCRIPTS = frozenset("<>&'`")  # they could end a string or a script; JSON reads them all the same
_LINE = re.compile(rb"\r\n|\n|\r")


class Unreadable(Exception):
    """The text can't be changed as the policy says, and so is not delivered."""


@dataclass(frozen=True, slots=True)
class Rewriter:
    """For one answer: the policy's `drop` and `replace`, bound to a grant."""

    paths: tuple[AnswerPath, ...]
    words: dict[str, str]

    @classmethod
    def of(
        cls, drop: tuple[AnswerPath, ...], replace: tuple[tuple[str, tuple[Part, ...]], ...], variables: Variables
    ) -> Rewriter:
        """Where a variable has no value the literal is taken out."""
        public = next(iter(variables.get("public_url", ())), "")
        values = {**variables, PUBLIC_WS: ("ws" + public.removeprefix("http"),)}
        return cls(drop, {literal: filled(parts, values) or "" for literal, parts in replace})

    def rewritten(self, body: bytes, content_type: str) -> bytes:
        """A whole text. Raises Unreadable."""
        kind = content_type.partition(";")[0].strip().lower()
        if self.paths:
            body = self._dropped(body, says_json="json" in kind)
        return self._replaced(body, kind) if self.words else body

    def without_fields(self, body: bytes) -> bytes:
        """A JSON text that we wrote, without what is dropped."""
        return self._dropped(body, says_json=True)

    def event(self, event: bytes, kind: str) -> bytes:
        """One event of a stream, or one line of JSON."""
        if self.paths:
            event = self._dropped_in_event(event) if kind == "text/event-stream" else self._dropped_line(event)
        return self._replaced(event, "application/json") if self.words else event

    def _dropped(self, body: bytes, *, says_json: bool) -> bytes:
        plain = body.removeprefix(b"\xef\xbb\xbf").strip()
        if not plain or (not says_json and plain[:1] not in (b"{", b"[")):
            return body
        if too_many(plain):
            raise Unreadable("a text with more values than an answer has")
        try:
            document = json.loads(plain.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            if says_json:
                raise Unreadable("the answer says it is JSON and is none") from error
            return body
        for path in self.paths:
            _drop(document, path.steps)
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def _dropped_line(self, line: bytes) -> bytes:
        if not line.strip():
            return line
        return self._dropped(line, says_json=True) + (b"\n" if line.endswith(b"\n") else b"")

    def _dropped_in_event(self, event: bytes) -> bytes:
        lines = _LINE.split(event)
        data = [line.partition(b":")[2].removeprefix(b" ") for line in lines if line.partition(b":")[0] == b"data"]
        text = b"\n".join(data)
        changed = self._dropped(text, says_json=False)
        if changed == text:
            return event
        others = [line for line in lines if line and line.partition(b":")[0] != b"data"]
        return b"".join(line + b"\n" for line in (*others, b"data: " + changed)) + b"\n"

    def flowing(self, content_type: str) -> Exchanging | None:
        """For a text of any length; only where nothing is dropped. None: no words are exchanged."""
        assert not self.paths
        table = self._table(content_type.partition(";")[0].strip().lower())
        if not table:
            return None
        return Exchanging(_any_of(table), lambda match: table[match.group()], max(map(len, table)))

    def _replaced(self, body: bytes, kind: str) -> bytes:
        table = self._table(kind)
        return _any_of(table).sub(lambda match: table[match.group()], body)

    def _table(self, kind: str) -> dict[bytes, bytes]:
        table: dict[bytes, bytes] = {}
        for literal, value in self.words.items():
            raw = literal.encode()
            table[raw] = _encoded(value, kind).encode()
            table[raw.replace(b"/", b"\\/")] = _encoded(value, kind).encode()
        return table


def _any_of(table: dict[bytes, bytes]) -> re.Pattern[bytes]:
    """The longest first: what begins alike is taken for the longer."""
    return re.compile(b"|".join(re.escape(one) for one in sorted(table, key=len, reverse=True)))


def _drop(document: Any, steps: tuple[Any, ...]) -> None:
    if not steps:
        return
    step, rest = steps[0], steps[1:]
    if step is EACH:
        if not isinstance(document, list | dict):
            return
        if not rest:
            document.clear()
        for one in document if isinstance(document, list) else document.values():
            _drop(one, rest)
    elif isinstance(step, int):
        if isinstance(document, list) and step < len(document):
            if rest:
                _drop(document[step], rest)
            else:
                del document[step]
    elif isinstance(document, dict) and step in document:
        if rest:
            _drop(document[step], rest)
        else:
            del document[step]


def _encoded(value: str, kind: str) -> str:
    if "html" in kind or "xml" in kind:
        return html.escape(value)
    if "json" in kind or "script" in kind:
        return "".join(f"\\u{ord(one):04x}" if one in _NOT_IN_SCRIPTS else one for one in json.dumps(value)[1:-1])
    return value


@dataclass(frozen=True, slots=True)
class Exchanging:
    """What is exchanged in a text: `pattern` by what `ours` makes of it. `reach`: how many bytes from its beginning
    decide whether something is a match, and which."""

    pattern: re.Pattern[bytes]
    ours: Callable[[re.Match[bytes]], bytes]
    reach: int


class FlowingWords:
    """Exchanges in a text as it comes what would be exchanged in the whole, one after the other. Held back is what
    could still become a match, or a longer one; kept is a little of what went before, as patterns look back."""

    __slots__ = ("_stages",)

    def __init__(self, *stages: Exchanging) -> None:
        self._stages = [_Stage(one) for one in stages]

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on now."""
        for stage in self._stages:
            chunk = stage.feed(chunk)
        return chunk

    def finish(self) -> bytes:
        """The rest, when the text has ended."""
        rest = b""
        for stage in self._stages:
            rest = stage.feed(rest) + stage.finish()
        return rest


class _Stage:
    __slots__ = ("_before", "_exchanging", "_text")

    def __init__(self, exchanging: Exchanging) -> None:
        self._exchanging = exchanging
        self._text = b""  # the first `_before` bytes have been passed on
        self._before = 0

    def feed(self, chunk: bytes) -> bytes:
        self._text += chunk
        return self._changed(len(self._text) - self._exchanging.reach + 1)

    def finish(self) -> bytes:
        return self._changed(len(self._text))

    def _changed(self, sure: int) -> bytes:
        """`sure`: of what begins before it enough has come."""
        text, at, out = self._text, self._before, []
        for match in self._exchanging.pattern.finditer(text, at):
            if match.start() >= sure:
                break
            out += [text[at : match.start()], self._exchanging.ours(match)]
            at = match.end()
        end = max(at, sure)
        out.append(text[at:end])
        kept = max(0, end - _LOOKS_BACK)
        self._text, self._before = text[kept:], end - kept
        return b"".join(out)


class FlowingRewrite(FlowingText):
    """Events or lines, each changed when it is whole, and then searched as any text that flows."""

    __slots__ = ("_change", "_cut", "_rest")

    def __init__(self, finder: Finder, change: Callable[[bytes], bytes], *, events: bool) -> None:
        super().__init__(finder)
        self._change = change
        self._cut = _BLANK if events else re.compile(rb"\n")
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on now. Raises CredentialFound, and Unreadable for what can't be changed."""
        # What was looked through before is not looked through again: an event may come byte by byte.
        seen = max(0, len(self._rest) - _WIDEST)
        text, out, at = self._rest + chunk, b"", 0
        for match in self._cut.finditer(text, seen):
            out += self._change(text[at : match.end()])
            at = match.end()
        self._rest = text[at:]
        if len(self._rest) > MAX_EVENT:
            raise Unreadable("an event that is too large to be changed")
        return super().feed(out) if out else b""

    def finish(self) -> bytes:
        """The rest, when the text has ended after all."""
        last, self._rest = self._rest, b""
        return (super().feed(self._change(last)) if last else b"") + super().finish()
