"""The one place that turns a refusal or a failure into an answer.

A browser gets a page, a program gets problem+json (RFC 9457); both carry the short reference and
neither says why: the reason goes to the log, with the same reference. Nothing here ever names the
media server behind us, its address or what it said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.access.outcome import Denied
from gateway.access.views import rfc3339
from gateway.errors import GatewayError, StoreDown, UpstreamDown, UpstreamFailed, UpstreamSlow
from gateway.reasons import Reason
from gateway.web.pages import Pages, common_headers, plain_pages
from gateway.web.waiting import headers_of, is_wait, wait_page

if TYPE_CHECKING:
    from gateway.web.manage_visit import ManageVisit
    from gateway.web.visit import Visit

RETRY_AFTER = 5  # seconds; how long a 503 asks to wait

# Message pages whose trouble may be over in a moment: they offer the same address again.
_PASSING = frozenset(
    {"not_started", "not_live", "unchecked", "server_down", "server_slow", "cookies", "too_many_wrong"}
)


def refuse(
    visit: Visit | ManageVisit,
    reason: Reason,
    *,
    detail: str = "",
    back: str | None = None,
    errors: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
) -> web.Response:
    """Answer with the message of `reason` and note it for the log. `status`: in place of the reason's own.

    `detail` is for the log alone. `back` is a path of our own origin that leads to the media of a
    live grant. `errors` (field to message key) is told to programs; a form shows it itself.
    """
    visit.reason, visit.detail = reason, detail
    return _answer(
        visit.request,
        visit.pages,
        reason,
        visit.ref,
        back,
        errors,
        headers,
        forgetting=_forgetting(visit),
        status=status,
    )


def refuse_denied(
    visit: Visit, denied: Denied, *, back: str | None = None, form: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with what a use case said. Who has only to wait gets a page that goes on by itself, with what it is to
    send (`form`)."""
    if is_wait(denied.reason) and wants_page(visit.request):
        return wait_page(visit, denied, form)
    visit.reason, visit.detail = denied.reason, denied.detail
    more = {} if denied.starts_at is None else {"starts_at": rfc3339(denied.starts_at)}
    return _answer(
        visit.request,
        visit.pages,
        denied.reason,
        visit.ref,
        back,
        denied.errors,
        headers_of(denied),
        forgetting=_forgetting(visit),
        more=more,
    )


def refuse_failure(visit: Visit, error: GatewayError) -> web.Response:
    """Answer for something that broke: the store or the media server."""
    return refuse(visit, reason_of(error), detail=f"{type(error).__name__}: {error}")


def refuse_bare(request: web.BaseRequest, reason: Reason, ref: str, *, pages: Pages | None = None) -> web.Response:
    """As `refuse`, for a request that never became a visit: ambiguous target, wrong Host."""
    # Without a switch of languages: there is no address to come back to, or nobody to take the choice.
    return _answer(request, pages or plain_pages(), reason, ref, None, None, None, again="")


def reason_of(error: GatewayError) -> Reason:
    """Which refusal a failure amounts to."""
    if isinstance(error, StoreDown):
        return Reason.STORE_DOWN
    if isinstance(error, UpstreamSlow):
        return Reason.UPSTREAM_SLOW
    if isinstance(error, (UpstreamDown, UpstreamFailed)):
        return Reason.UPSTREAM_DOWN
    return Reason.INTERNAL


def wants_page(request: web.BaseRequest) -> bool:
    """Whether a person will look at the answer: a navigation of a browser, not its player's fetch."""
    destination = request.headers.get("Sec-Fetch-Dest")
    if destination is not None and destination not in ("document", "iframe", "frame", "embed", "object"):
        return False
    return "text/html" in request.headers.get("Accept", "").lower()


def takes_page(request: web.BaseRequest) -> bool:
    """Whether a page will do: all but programs that name what they take, and pages are not among it."""
    accept = request.headers.get("Accept", "*/*").lower()
    return any(kind in accept for kind in ("text/html", "text/*", "*/*"))


def phrase_of(status: int) -> str:
    """Media servers have statuses of their own, such as 520."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _forgetting(visit: Visit | ManageVisit) -> str:
    """The address of the script that keeps a guest link out of the browser's history; "" where none is shown."""
    server, pages = getattr(visit, "server", None), visit.pages
    if server is None or not visit.target.path.startswith(f"{pages.prefixes.link}/"):
        return ""
    return f"{server.config.public}{pages.static('entry.js')}"


def _answer(
    request: web.BaseRequest,
    pages: Pages,
    reason: Reason,
    ref: str,
    back: str | None,
    errors: Mapping[str, str] | None,
    extra: Mapping[str, str] | None,
    *,
    again: str | None = None,
    forgetting: str = "",
    more: Mapping[str, object] | None = None,
    status: int | None = None,
) -> web.Response:
    headers = dict(extra or {})
    status = status or reason.status
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER))
    # A form that was refused is shown again by its door; elsewhere the same trouble is a bad request.
    page = "ambiguous" if reason.page == "form" else reason.page
    if wants_page(request):
        return pages.respond(
            request,
            "message.html",
            status=status,
            headers=headers,
            page=page,
            ref=ref,
            back=back,
            retry=page in _PASSING,
            again=again,
            policy={"script-src": forgetting} if forgetting else None,
            forgetting=bool(forgetting),
        )
    locale = pages.locale(request)
    problem: dict[str, object] = {
        "type": "about:blank",
        # The phrase of a status has a length, and links that can't be used are to look alike in all but the number.
        "title": locale.t("message.invalid.title") if page == "invalid" else phrase_of(status),
        "status": status,
        "detail": locale.t(f"message.{page}.text"),
        "reference": ref,
        **(more or {}),
    }
    if errors:
        problem["errors"] = {name: locale.t(key) for name, key in errors.items()}
    return web.Response(
        status=status,
        body=json.dumps(problem, ensure_ascii=False).encode(),
        headers={**common_headers(), **headers, "Content-Type": "application/problem+json"},
    )
