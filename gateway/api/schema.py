"""The part of JSON Schema that our API's bodies need, checked by the very schemas that OpenAPI shows.

Rule: every fault is found at once, by field, in words for the person who wrote the program. A key that
no schema names is a fault: who sends it relies on it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
}


def faults_of(schema: Schema, value: object) -> dict[str, str]:
    """Field to what is wrong with it, for an object's schema; `body` for what is wrong with all of it."""
    if not isinstance(value, dict):
        return {"body": "must be a JSON object"}
    properties: Mapping[str, Schema] = schema["properties"]
    found: dict[str, str] = {}
    for name in schema.get("required", ()):
        if name not in value:
            found[name] = "is missing"
    for name, one in value.items():
        if name not in properties:
            found[name] = f"is not known here; these are: {', '.join(properties)}"
            continue
        fault = _fault(properties[name], one)
        if fault is not None:
            found[name] = fault
    least = schema.get("minProperties", 0)
    if len(value) < least and not found:
        found["body"] = f"must hold one of {', '.join(properties)}"
    return found


def _fault(schema: Schema, value: object) -> str | None:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if _kind(value) not in kinds:
        return f"must be {' or '.join(_NAMES[kind] for kind in kinds)}"
    if isinstance(value, str):
        least = schema.get("minLength", 0)
        if len(value) < least:
            return f"must be at least {least} characters" if least > 1 else "must not be empty"
        if len(value) > schema.get("maxLength", math.inf):
            return f"must be at most {schema['maxLength']} characters"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return "holds a character that can't stand here"
        if "enum" in schema and value not in schema["enum"]:
            return f"must be one of {', '.join(schema['enum'])}"
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", math.inf):
            return f"may hold at most {schema['maxItems']} entries"
        wrong = (_fault(schema["items"], one) for one in value)
        return next((f"each entry {fault}" for fault in wrong if fault is not None), None)
    if _kind(value) == "integer" and isinstance(value, (int, float)):
        low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        if not low <= value <= high:
            return f"must be from {low} to {high}"
    return None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"  # in JSON 5.0 is the number 5
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"
