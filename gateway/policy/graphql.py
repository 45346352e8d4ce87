"""What a GraphQL document asks for: its one operation, and the fields at the root of it.

    patterns:
      reads: {graphql: {query: "*", subscription: "*"}}
      says: {graphql: {mutation: [chatSendMessage, chatSetTyping]}}

Rule: a document counts only where a careful reader and a careless one see the same in it. It is one operation, whose
kind is its first word, and fragments; without comments, block strings and bytes that are none of GraphQL. `"*"` takes
whatever fields stand at the root. Where fields are named all of them are, plainly: no other name for a field, no
fragment, and as arguments, wherever they stand, variables alone: a message that fixes `variables` has fixed what is
asked for. The first `{` of the text opens the operation, and a word stands behind it.

Why so narrow: servers look into these texts by other means than a parser. BigBlueButton's takes for the name of what is
to be done the first word behind the first `{` (bbb-graphql-middleware, gql_actions/client.go), be that a field's other
name or the default of a variable, and for its arguments what stands in the next parentheses, whatever these belong
to. A document may hold several operations too, of which a field elsewhere in the message picks one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

OPERATIONS = ("query", "mutation", "subscription")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")

MOST, MOST_NAMED = 8_192, 2_048
"""Characters of a document that is read at all; the latter where fields are named, which takes three times as long."""

_DEPTH = 64
_WORD = (
    r"[A-Za-z_][A-Za-z0-9_]*"
    r"|\"(?!\"\")(?:[^\"\\\x00-\x1f]|\\[^\x00-\x1f])*\""
    r"|-?(?:0|[1-9][0-9]*)(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.])"
    r"|[.]{3}|[!$&():=@\[\]{|}]"
)
_WORDS = re.compile(_WORD)
# Read in C, and each piece in one way: a guest may say much, and all others wait meanwhile.
_WHOLE = re.compile(rf"(?>[ \t\r\n,]+|{_WORD})*+")
_OPENED = re.compile(r"[^{]*\{[ \t\r\n]*(?:[A-Za-z_]|[.]{3})")
_KIND = re.compile(r"[a-z]+")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_CLOSES.values())


@dataclass(frozen=True, slots=True)
class Operations:
    """By kind of operation, the fields that may stand at its root; None: any."""

    allowed: Mapping[str, frozenset[str] | None]

    @property
    def described(self) -> str:
        """For people: `GraphQL mutation chatSend or chatTyping`."""
        said = (
            f"{kind} {' or '.join(sorted(names))}" if names is not None else kind
            for kind, names in self.allowed.items()
        )
        return f"GraphQL {', '.join(said)}"

    def matches(self, text: str) -> bool:
        # By its first word, so that of several patterns one reads the document and the others know at once.
        kind = _KIND.match(text)
        if kind is None or kind[0] not in self.allowed:
            return False
        names = self.allowed[kind[0]]
        if len(text) > (MOST if names is None else MOST_NAMED):
            return False
        return reads(text) if names is None else names.issuperset(named(text) or ("",))


class Unclear(Exception):
    """The text is no such document, or one that two readers could read in two ways."""


@lru_cache(maxsize=128)  # a page says the same again and again
def reads(text: str) -> bool:
    """Whether a text is one operation, whatever it asks for."""
    try:
        _parts(text)
    except Unclear:
        return False
    return True


@lru_cache(maxsize=128)
def named(text: str) -> tuple[str, ...] | None:
    """The fields at the root of the operation; None where it says more than plain names, or is none."""
    try:
        tokens, begin, end = _parts(text)
        fields = _fields(tokens[begin + 1 : end - 1])
    except Unclear:
        return None
    return fields if _variables_alone(tokens[begin:]) else None


def _parts(text: str) -> tuple[list[str], int, int]:
    """Marks and words of a document, and where among them the operation's selection begins and ends."""
    # Commas are blanks to GraphQL and nothing of the kind to others: a word comes right behind the first `{`.
    if _WHOLE.fullmatch(text) is None or _OPENED.match(text) is None:
        raise Unclear
    tokens = _WORDS.findall(text)
    at = 1
    if tokens[0] not in OPERATIONS or not text.startswith(tokens[0]):
        raise Unclear  # the kind is the first word, and nothing stands before it
    if NAME.fullmatch(tokens[at]):
        at += 1
    while tokens[at] != "{":
        at = _head(tokens, at)
    end = behind = _behind(tokens, at)
    while behind < len(tokens):
        behind = _fragment(tokens, behind)
    return tokens, at, end


def _head(tokens: list[str], at: int) -> int:
    """Variables with their types, or a directive: what may stand before the selection, without a `{` anywhere."""
    if tokens[at] == "@" and NAME.fullmatch(tokens[at + 1]):
        return at + 2
    if tokens[at] != "(":
        raise Unclear
    end = _behind(tokens, at)
    if any("{" in token for token in tokens[at:end]):
        raise Unclear
    return end


def _behind(tokens: list[str], at: int) -> int:
    """Where it goes on behind what is opened here."""
    waits: list[str] = []
    for index in range(at, len(tokens)):
        token = tokens[index]
        if token in _CLOSES:
            waits.append(_CLOSES[token])
            if len(waits) > _DEPTH:
                raise Unclear
        elif token in _CLOSING:
            if waits.pop() != token:
                raise Unclear
            if not waits:
                return index + 1
    raise Unclear


def _fields(inside: list[str]) -> tuple[str, ...] | None:
    """The names at the root of a selection; None where another name or a fragment stands there."""
    found: list[str] = []
    at, plain = 0, True
    while at < len(inside):
        word = inside[at]
        if word in ("...", ":"):
            plain, at = False, at + 1
        elif word == "@":
            if not NAME.fullmatch("".join(inside[at + 1 : at + 2])):
                raise Unclear
            at += 2
        elif word in _CLOSES:
            at = _behind(inside, at)
        elif NAME.fullmatch(word):
            found.append(word)
            at += 1
        else:
            raise Unclear
    if not found:
        raise Unclear
    return tuple(found) if plain else None


def _variables_alone(tokens: list[str]) -> bool:
    """Whether arguments are nowhere written but as `(name: $name name: $name)`."""
    at = 0
    while at < len(tokens):
        if tokens[at] == "(":
            end = _behind(tokens, at)
            if not _pairs(tokens[at + 1 : end - 1]):
                return False
            at = end
        elif tokens[at].startswith('"'):
            return False
        else:
            at += 1
    return True


def _pairs(inside: list[str]) -> bool:
    return (
        len(inside) % 4 == 0
        and all(mark == ":" for mark in inside[1::4])
        and all(mark == "$" for mark in inside[2::4])
        and all(NAME.fullmatch(word) for word in (*inside[0::4], *inside[3::4]))
    )


def _fragment(tokens: list[str], at: int) -> int:
    """Behind `fragment Name on Type {…}`."""
    head = tokens[at : at + 4]
    if len(head) < 4 or head[0] != "fragment" or head[2] != "on" or not all(map(NAME.fullmatch, head)):
        raise Unclear
    if tokens[at + 4 : at + 5] != ["{"]:
        raise Unclear
    return _behind(tokens, at + 4)
