"""The requests that the gateway makes itself: `resolve`, `prepare`, `release`, with what their answers tell."""

from __future__ import annotations

from typing import Any

from gateway.policy.shape_reader import ShapeReader
from gateway.policy.written import (
    ALGORITHMS,
    ChecksumDocument,
    Condition,
    JsonDocument,
    JwtDocument,
    LoginDocument,
    Said,
    StepDocument,
)
from gateway.yaml_source import Way


class StepReader(ShapeReader):
    def step(self, data: Any, way: Way, keys: tuple[str, ...], later: str = "step") -> StepDocument:
        step = self.mapping(data, way, keys, later)
        if not isinstance(data, dict | None):
            return StepDocument(Said("", way))
        return StepDocument(
            request=self.needed(step, "request", way),
            json=JsonDocument(step["json"], (*way, "json")) if "json" in step else None,
            headers=self.texts(step.get("headers"), (*way, "headers"), empty=True),
            checksum=self.checksum(step.get("checksum"), (*way, "checksum")),
            id=self.optional(step, "id", way) if "id" in keys else None,
            gone=self.conditions(step.get("gone"), (*way, "gone")),
            not_started=self.conditions(step.get("not_started"), (*way, "not_started")),
            ended=self.conditions(step.get("ended"), (*way, "ended")),
            was_live=self.optional(step, "was_live", way) if "was_live" in keys else None,
            vars=self.texts(step.get("vars"), (*way, "vars")),
            each=self.optional(step, "each", way) if "each" in keys else None,
            renew=step.get("renew") if "renew" in keys else None,
            renew_way=(*way, "renew"),
            group=self.optional(step, "for", way) if "for" in keys else None,
            at=self.optional(step, "at", way),
        )

    def checksum(self, data: Any, way: Way) -> ChecksumDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("name", "sha1", "sha256", "sha384", "sha512"))
        if not isinstance(data, dict):
            return None
        name = self.needed(body, "name", way)
        given = [one for one in ALGORITHMS if one in body]
        if len(given) != 1:
            self.source.fault(way, f"checksum: one of {', '.join(ALGORITHMS)} says over what")
            return None
        return ChecksumDocument(name, given[0], self.text(body[given[0]], (*way, given[0])))

    def login(self, data: Any, way: Way) -> LoginDocument | None:
        if data is None:
            return None
        body = self.mapping(data, way, ("request", "json", "form", "headers", "secrets", "again"))
        if not isinstance(data, dict):
            return None
        if body.get("secrets") is None:
            self.source.fault(way, "secrets: is missing")
        again = body.get("again")
        return LoginDocument(
            way,
            request=self.needed(body, "request", way),
            secrets=self.texts(body.get("secrets"), (*way, "secrets")),
            again=None if again is None else tuple(one for one, _ in self.items(again, (*way, "again"))),
            json=body.get("json"),
            form=None if body.get("form") is None else self.texts(body["form"], (*way, "form"), empty=True),
            headers=self.texts(body.get("headers"), (*way, "headers"), empty=True),
        )

    def jwts(self, data: Any, way: Way) -> tuple[JwtDocument, ...]:
        """One, or a list of them."""
        if not isinstance(data, list):
            data = [] if data is None else [data]
            entries = [(entry, way) for entry in data]
        else:
            entries = list(self.items(data, way))
        read = (self.jwt(entry, at) for entry, at in entries)
        return tuple(one for one in read if one is not None)

    def jwt(self, data: Any, way: Way) -> JwtDocument | None:
        body = self.mapping(data, way, ("as", "key", "alg", "minutes", "claims"))
        if not isinstance(data, dict):
            return None
        return JwtDocument(
            way,
            as_=self.optional(body, "as", way) or Said("token", (*way, "as")),
            alg=self.optional(body, "alg", way) or Said("HS256", (*way, "alg")),
            minutes=body.get("minutes", 10),
            claims=JsonDocument(body["claims"], (*way, "claims")) if body.get("claims") is not None else None,
            key=self.needed(body, "key", way),
        )

    def releases(self, data: Any, way: Way) -> tuple[StepDocument, ...]:
        keys = ("request", "at", "json", "headers", "checksum")
        return tuple(
            self.step(entry, at, keys) if isinstance(entry, dict) else StepDocument(self.text(entry, at))
            for entry, at in self.items(data, way)
        )

    def conditions(self, data: Any, way: Way) -> tuple[Condition, ...]:
        found = []
        for entry, at in self.items(data, way):
            if isinstance(entry, int) and not isinstance(entry, bool) and 100 <= entry <= 599:
                found.append(Condition(at, status=entry))
            elif isinstance(entry, dict) and len(entry) == 1:
                ((path, value),) = entry.items()
                if value != [] and isinstance(value, (dict, list)):
                    self.source.fault((*at, path), "must be one value, or [] for nothing there")
                found.append(Condition(at, path=path, value=value))
            else:
                self.source.fault(at, "a status such as 404, or {$.path: value}")
        return tuple(found)
