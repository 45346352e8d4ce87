"""How the API answers: JSON, and problem+json (RFC 9457) for everything refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from gateway.access.views import IssueRefused, LinkView, link_json
from gateway.reasons import Reason
from gateway.web.manage_visit import ManageVisit
from gateway.web.pages import common_headers

RETRY_AFTER = 5  # seconds


def answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(value, ensure_ascii=False).encode(),
        headers={**common_headers(), "Content-Type": "application/json", **(headers or {})},
    )


def link_answer(view: LinkView, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A link, with its version as ETag for a later If-Match."""
    return answer(link_json(view), status=status, headers={"ETag": f'"{view.link.version}"', **(headers or {})})


def problem(
    visit: ManageVisit,
    reason: Reason,
    detail: str,
    *,
    status: int | None = None,
    errors: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """`detail` is a sentence for whoever wrote the program; the log has it too."""
    status = status or reason.status
    visit.reason = reason
    visit.detail = "; ".join([detail, *(errors or {})]) if errors else detail
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "reference": visit.ref,
    }
    if errors:
        body["errors"] = dict(errors)
    more = {"Retry-After": str(RETRY_AFTER)} if status == 503 else {}
    return web.Response(
        status=status,
        body=json.dumps(body, ensure_ascii=False).encode(),
        headers={**common_headers(), **more, **(headers or {}), "Content-Type": "application/problem+json"},
    )


def refused(visit: ManageVisit, refusal: IssueRefused) -> web.Response:
    reason = Reason.NOT_PERMITTED if refusal.status == 403 else Reason.CHANGE_REFUSED
    return problem(visit, reason, refusal.text, status=refusal.status, errors=refusal.errors)
