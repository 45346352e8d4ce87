"""What a guest may say on a websocket: JSON messages, each written anew from the policy.

    messages:
      - {type: CHAT, body: string, max: 2KiB}
      - {type: JOIN, room: "{id}", name: "{guest.name}"}

Rule: a frame that is none of these goes no further. A message whose first field is a value of the policy's without
variables is told by it: a frame with another value there is another message. All other values of the policy replace
what came.

Why by the first field: chat and meeting servers tell their messages apart by one field, and a guest's KICK must not
become a CHAT just because the rest fits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from gateway.config_texts import size
from gateway.policy.shapes import Fields, Fixed, read_fields, same_value
from gateway.policy.template import NameFinder, Values
from gateway.policy.written import RuleDocument, SocketDocument
from gateway.strict_json import Misfit, parse_json, to_json
from gateway.yaml_source import KEY, Way

Note = Callable[[Way, str], None]

DEFAULT_MAX = 65_536
MOST = 1024 * 1024
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Message:
    shape: Fields
    limit: int

    @property
    def tag(self) -> tuple[str, Fixed] | None:
        """The field that tells this message from others."""
        for name, shape in self.shape.fields.items():
            return (name, shape) if isinstance(shape, Fixed) and shape.literal else None
        return None


@dataclass(frozen=True, slots=True)
class Messages:
    """`binary`: whether binary frames pass, as they are."""

    messages: tuple[Message, ...]
    binary: bool

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(name for message in self.messages for name in message.shape.variables)

    def written(self, text: str, values: Values) -> str | None:
        """What is sent in place of a text frame; None: nothing."""
        length = len(text.encode("utf-8", "surrogatepass"))
        fitting = [message for message in self.messages if length <= message.limit]
        if not fitting:
            return None
        try:
            came = parse_json(text)
        except Misfit:
            return None
        for message in fitting:
            tag = message.tag
            try:
                if tag is not None:
                    name, value = tag
                    if not isinstance(came, dict) or not same_value(came.get(name), value.filled(values)):
                        continue
                return to_json(message.shape.written(came, values)).decode()
            except Misfit:
                continue
        return None

    def described(self, values: Values) -> str:
        said = [json.dumps(message.shape.described(values), ensure_ascii=False) for message in self.messages]
        said += ["binary frames"] if self.binary else []
        return f"frames, written anew: {' or '.join(said) or 'none'}"


def compile_messages(rule: RuleDocument, find: NameFinder, note: Note) -> Messages | None:
    document = rule.socket
    if document is None:
        return None
    if rule.methods != ("WS",):
        note((*document.way, document.first, KEY), f"{document.first}: belongs to a websocket (WS)")
    _look_at_protocol(document, note)
    if document.messages is None:
        if document.binary and document.stanzas is None:
            note((*document.way, "binary", KEY), "binary: without messages every frame passes")
        return None
    found = []
    for data, way in document.messages:
        fields, limit = data, DEFAULT_MAX
        if isinstance(data, dict):
            fields = {name: value for name, value in data.items() if name != "max"}
            if "max" in data:
                try:
                    limit = size(data["max"], 1, MOST)
                except ValueError as error:
                    note((*way, "max"), f"max: {error}")
        found.append(Message(read_fields(fields, way, find, note), limit))
    return Messages(tuple(found), document.binary)


def _look_at_protocol(document: SocketDocument, note: Note) -> None:
    said = document.protocol
    if said is not None and not (said.text and _TOKEN.issuperset(said.text)):
        note(said.way, f"protocol: {said.text}: not the name of a subprotocol such as chat.v1")
