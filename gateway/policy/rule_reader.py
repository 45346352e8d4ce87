"""Rules, in their short and in their long form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.policy.shape_reader import ShapeReader
from gateway.policy.written import (
    METHODS,
    AnswerDocument,
    BodyDocument,
    FollowDocument,
    RuleDocument,
    Said,
    SendDocument,
    SocketDocument,
)
from gateway.yaml_source import KEY, Way, did_you_mean


class RuleReader(ShapeReader):
    def rules(self, data: Any, way: Way, group: str | None = None) -> tuple[RuleDocument, ...]:
        read = (
            self.long(entry, at, group) if isinstance(entry, dict) else self.rule(self.text(entry, at), group)
            for entry, at in self.items(data, way)
        )
        return tuple(rule for rule in read if rule is not None)

    def long(self, entry: dict[str, Any], way: Way, group: str | None) -> RuleDocument | None:
        known = (
            "request", "send", "json", "max", "body", "answer", "capture", "protocol", "messages", "binary", "stanzas",
            "follow", "at",
        )  # fmt: skip
        data = self.mapping(entry, way, known, "rule")
        rule = self.rule(self.needed(data, "request", way), group)
        # Read in any case, to find all faults.
        send = self.send(data.get("send"), (*way, "send"))
        body = self.body(data, way)
        answer = self.answer(data.get("answer"), way)
        capture = self.texts(data.get("capture"), (*way, "capture"))
        socket = self.socket(data, way)
        follow = self.follow(data.get("follow"), (*way, "follow"))
        at = self.optional(data, "at", way)
        if rule is None:
            return None
        return replace(rule, send=send, body=body, answer=answer, capture=capture, socket=socket, follow=follow, at=at)

    def send(self, data: Any, way: Way) -> SendDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("query", "headers"))

        def entries(key: str) -> dict[str, Said | None]:
            named = self.names(body.get(key), (*way, key))
            return {
                name: None if value is None else self.value(value, (*way, key, name)) for name, value in named.items()
            }

        return SendDocument(way, entries("query"), entries("headers"))

    def body(self, data: Mapping[str, Any], way: Way) -> BodyDocument | None:
        if data.get("json") is None and data.get("body") is None and data.get("max") is None:
            return None
        raw = self.mapping(data.get("body"), (*way, "body"), ("type", "max"))
        outer = data.get("max")
        if outer is not None and data.get("body") is not None:
            self.source.fault((*way, "max", KEY), "max: that of a body stands inside it: body: {type: …, max: …}")
        return BodyDocument(
            way,
            has_json=data.get("json") is not None,
            json=data.get("json"),
            has_type=data.get("body") is not None,
            type=self.optional(raw, "type", (*way, "body")),
            max=raw.get("max") if outer is None else outer,
            max_way=(*way, "body", "max") if outer is None else (*way, "max"),
        )

    def socket(self, data: Mapping[str, Any], way: Way) -> SocketDocument | None:
        written = [key for key in ("protocol", "messages", "binary", "stanzas") if data.get(key) not in (None, False)]
        if not written:
            return None
        messages, stanzas = (
            None if data.get(key) is None else tuple(self.items(data[key], (*way, key)))
            for key in ("messages", "stanzas")
        )
        binary = self.flag(data, "binary", way, False)
        return SocketDocument(way, written[0], self.optional(data, "protocol", way), messages, binary, stanzas)

    def answer(self, data: Any, way: Way) -> AnswerDocument | None:
        if data is None:
            return None
        body = self.mapping(data, (*way, "answer"), ("status", "json", "xml"))
        return AnswerDocument((*way, "answer"), body.get("status"), body.get("json"), body.get("xml"))

    def follow(self, data: Any, way: Way) -> FollowDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("as", "to"))
        as_ = self.needed(body, "as", way)
        if isinstance(body.get("to"), list) and not body["to"]:
            self.source.fault((*way, "to"), "to: names nothing; leave it out for the answer's own folder and below")
        return FollowDocument(
            way, as_, tuple(self.text(one, at) for one, at in self.items(body.get("to"), (*way, "to")))
        )

    def rule(self, said: Said, group: str | None) -> RuleDocument | None:
        words = said.text.split()
        page = bool(words) and words[0] == "page"
        words = words[1:] if page else words
        if len(words) != 2:
            if said.text:
                self.source.fault(said.way, "a rule is written [page] METHOD[,METHOD] path[?query]")
            return None
        methods = tuple(words[0].split(","))
        for method in methods:
            if method != "WS" and method not in METHODS:
                self.source.fault(said.way, f"{method}: unknown method{did_you_mean(method, (*METHODS, 'WS'))}")
                return None
        if "WS" in methods and len(methods) > 1:
            self.source.fault(said.way, "WS stands alone: a websocket handshake is no plain request")
            return None
        if page and methods != ("GET",):
            self.source.fault(said.way, "a page is asked for with GET")
            return None
        return RuleDocument(said.text, said.way, page, methods, words[1], group)
