"""Reading what a guest posts: one small urlencoded form, read once, within a limit and a deadline.

Rule: whatever comes is a form or a refusal; nothing a stranger sends may raise. Names given twice are
refused, since two readers could take different ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.access.outcome import Denied
from gateway.reasons import Reason

DEADLINE = 15.0  # seconds for the whole body; less than the edge allows, so that the guest is told
MAX_FIELDS = 32

_TYPE = "application/x-www-form-urlencoded"


async def read_form(
    request: web.BaseRequest, limit: int, deadline: float = DEADLINE, *, fields: int = MAX_FIELDS
) -> Mapping[str, str] | Denied:
    """The fields of the posted form. `limit` is in bytes; an absent body is an empty form."""
    if not request.body_exists:
        return {}
    trouble = _head_trouble(request)
    if trouble is not None:
        return trouble
    if (request.content_length or 0) > limit:
        return Denied(Reason.FORM_TOO_LARGE, f"{request.content_length} bytes")
    try:
        async with asyncio.timeout(deadline):
            await _answer_expectation(request)
            body = await _read(request, limit)
    except TimeoutError:
        return Denied(Reason.BODY_REFUSED, f"no whole form within {deadline:g} s")
    except (ClientError, HttpProcessingError, web.RequestPayloadError, OSError) as error:
        return Denied(Reason.BODY_REFUSED, f"broken body: {type(error).__name__}")
    if body is None:
        return Denied(Reason.FORM_TOO_LARGE, f"more than {limit} bytes")
    return parse_form(body, fields)


def _head_trouble(request: web.BaseRequest) -> Denied | None:
    kinds = request.headers.getall("Content-Type", [])
    if len(kinds) != 1 or request.content_type != _TYPE:
        return Denied(Reason.BODY_REFUSED, "not a urlencoded form")
    if "Content-Encoding" in request.headers:
        return Denied(Reason.BODY_REFUSED, "an encoded body")
    charset = request.charset
    if charset is not None and charset.lower() not in ("utf-8", "utf8"):
        return Denied(Reason.BODY_REFUSED, "not in UTF-8")
    return None


async def _answer_expectation(request: web.BaseRequest) -> None:
    """Tell a waiting client to go on; aiohttp's low-level server leaves that to us."""
    if request.version >= (1, 1) and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer's own count starts here


async def _read(request: web.BaseRequest, limit: int) -> bytes | None:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def parse_form(body: bytes, most: int = MAX_FIELDS) -> Mapping[str, str] | Denied:
    """The fields of a urlencoded body, all of it valid UTF-8 and no name given twice."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=most,
        )
    except UnicodeDecodeError:
        return Denied(Reason.BODY_REFUSED, "not in UTF-8")
    except ValueError:
        return Denied(Reason.BODY_REFUSED, f"more than {most} fields")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        return Denied(Reason.BODY_REFUSED, "a field given twice")
    return fields
