"""What a request to the API says: its query, its body, its If-Match. Whatever comes is a value or a refusal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.access.views import IssueRefused
from gateway.api.schema import Schema, faults_of
from gateway.strict_json import Misfit, parse_json, to_json
from gateway.web.body import invite

MAX_BODY = 64 * 1024  # bytes
DEADLINE = 15.0  # seconds for a whole body; less than the edge allows, so that the caller is told
_MAX_PAIRS = 32
_VERSION = re.compile(r'"([1-9][0-9]{0,9})"')


def read_query(query: str, known: Mapping[str, Schema]) -> dict[str, Any] | IssueRefused:
    """The parameters with their types; nothing may be unknown or stand twice."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PAIRS)
    except ValueError:
        return _bad({"query": "can't be read"})
    found: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, text in pairs:
        if name not in known:
            faults[name[:100]] = f"is not known here; these are: {', '.join(known)}"
        elif name in found:
            faults[name] = "stands there twice"
        else:
            found[name] = _typed(text, known[name])
    faults |= faults_of({"properties": known}, found)
    return _bad(faults) if faults else found


def _typed(text: str, schema: Schema) -> Any:
    kind = schema["type"]
    if kind == "integer" and text.isascii() and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


async def read_body(request: web.BaseRequest, schema: Schema) -> dict[str, Any] | IssueRefused:
    """A JSON object that fits the schema; numbers that are whole come as int."""
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        return IssueRefused(415, "a body of application/json is needed")
    if (request.content_length or 0) > MAX_BODY:
        return IssueRefused(413, f"the body is larger than {MAX_BODY} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(DEADLINE):
            invite(request)
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    return IssueRefused(413, f"the body is larger than {MAX_BODY} bytes")
    except TimeoutError:
        return IssueRefused(408, f"no whole body within {DEADLINE:g} s")
    except (ClientError, HttpProcessingError, web.RequestPayloadError, OSError):
        return IssueRefused(400, "the body broke off")
    try:
        value = parse_json(bytes(body))
        to_json(value)  # half characters, written as escapes, are no text
    except Misfit as error:
        return _bad({"body": f"is not JSON: {error}"})
    faults = faults_of(schema, value)
    if faults:
        return _bad(faults)
    return {name: int(one) if isinstance(one, float) else one for name, one in value.items()}


def read_if_match(request: web.BaseRequest) -> int | IssueRefused | None:
    """The version that a change is meant for; None where any will do."""
    found = request.headers.getall("If-Match", [])
    if not found or found == ["*"]:
        return None
    match = _VERSION.fullmatch(found[0].strip()) if len(found) == 1 else None
    if match is None:
        return IssueRefused(400, 'If-Match is a version in quotes, such as "3"', {"If-Match": "can't be read"})
    return int(match[1])


def _bad(faults: Mapping[str, str]) -> IssueRefused:
    return IssueRefused(400, "that can't be done as written", faults)
