"""The OpenAPI 3.1 document, written from the table of operations."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gateway import __version__
from gateway.api import models
from gateway.api.operations import OPERATIONS, Operation

_ALWAYS = {
    400: "Something is wrong as it was written; `errors` has every fault by field.",
    401: "No manager's token.",
    429: "Too many wrong tokens from this address.",
    503: "The store does not answer.",
}


@lru_cache
def document(base: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Guest links",
            "version": __version__,
            "description": "Guest links, guests and the record of what was done, as a manager may see them.",
        },
        "servers": [{"url": base}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": models.SCHEMAS,
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {"summary": operation.summary, "operationId": _name(operation)}
    parameters = [
        {"name": name, "in": "query", "required": name in operation.required, "schema": schema}
        for name, schema in operation.query.items()
    ]
    if "{id}" in operation.path:
        parameters.insert(0, {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    if operation.versioned:
        parameters.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "The version this change is meant for, as ETag said it.",
                "schema": {"type": "string", "pattern": '^("[1-9][0-9]{0,9}"|[*])$'},
            }
        )
    if parameters:
        found["parameters"] = parameters
    if operation.body_name:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{operation.body_name}"}}},
        }
    refusals = dict(_ALWAYS)
    if operation.body_name:
        refusals |= {408: "The body did not come.", 413: "The body is too large.", 415: "The body is not JSON."}
    refusals |= operation.refusals
    found["responses"] = {str(operation.status): _good(operation)} | {
        str(status): {"description": text, "content": {"application/problem+json": {"schema": _ref("Problem")}}}
        for status, text in sorted(refusals.items())
    }
    # A head that is too long or unclear is refused before anybody knows what it asks for.
    found["responses"]["400"]["content"]["text/plain"] = {"schema": {"type": "string"}}
    return found


def _good(operation: Operation) -> dict[str, Any]:
    if operation.answers is None:
        return {"description": "Done."}
    content: dict[str, Any] = {"application/json": {"schema": _ref(operation.answers)}}
    if operation.csv:
        content["text/csv"] = {"schema": {"type": "string"}}
    return {"description": operation.summary, "content": content}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _name(operation: Operation) -> str:
    noun = operation.path.strip("/").partition("/")[0]
    verb = {"GET": "get" if "{id}" in operation.path else "list", "PUT": "set", "POST": "create", "PATCH": "change"}
    return f"{verb.get(operation.method, 'delete')}_{noun}"
