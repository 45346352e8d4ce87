"""One allowed request: sent to the server, its answer brought into the form a guest may have.

Five kinds of answers: one that is followed is written anew (see `following`); a redirect is judged before it is
passed on; a text of a server that we hold credentials for is searched before a byte of it leaves; an endless
text is searched as it flows; all else streams through untouched.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web
from multidict import CIMultiDict

from gateway.errors import StoreDown, UpstreamDown, UpstreamFailed, UpstreamSlow
from gateway.metrics import Metrics
from gateway.policy.capture import HeaderCapture, JsonCapture, captured_json
from gateway.policy.follow import Place
from gateway.proxy.cors import CORS
from gateway.proxy.facing import Facing
from gateway.proxy.follow_answer import PASSED, REFUSED, expected, read_as, rewrite_answer
from gateway.proxy.headers import packed
from gateway.proxy.long_texts import LONG, NoRoom, Turn
from gateway.proxy.redirects import led_to
from gateway.proxy.relay import begin, relay
from gateway.proxy.rewriting import FlowingRewrite, FlowingWords, Unreadable
from gateway.proxy.unpacked import unpacked
from gateway.reasons import Reason
from gateway.rewrite.addresses import NotFollowed
from gateway.rewrite.json_answer import too_many
from gateway.rewrite.scrub import FlowingText, costly, is_endless, is_text, looks_like_text
from gateway.upstream.client import Answer, AnswerTooLarge, Long
from gateway.web.refuse import refuse, refuse_failure

if TYPE_CHECKING:
    from multidict import MultiMapping

    from gateway.access.authorize import Allowed
    from gateway.access.live import LiveGrant
    from gateway.policy.target import Target
    from gateway.proxy.door import Bring
    from gateway.proxy.following import Following
    from gateway.web.visit import Visit

MAX_TEXT = 16 * 1024 * 1024  # bytes of a text that is searched before it is sent
_LARGE = 256 * 1024  # bytes from which a search moves to a thread
_SMALL = 1024 * 1024  # bytes of a text that is looked through for addresses alone
_ALL = ("GET", "POST", "PUT", "PATCH", "DELETE")  # what may be done with something that an answer names
# What is said of the bytes as the server made them, and is not true of changed ones.
_OF_THE_BYTES = (
    "ETag", "Last-Modified", "Content-Length", "Accept-Ranges", "Content-MD5", "Digest", "Content-Digest",
    "Repr-Digest",
)  # fmt: skip
_BODILESS = frozenset({204, 205, 304})
_OF_THE_TEXT = frozenset(
    {name.lower() for name in _OF_THE_BYTES} | {"content-range", "content-encoding", "content-location", "link"}
)


class Exchange:
    """`response` is the answer to the guest once it has begun. `keep`: his connection may serve on. `body`: what
    goes to the server of his."""

    __slots__ = (
        "_allowed",
        "_at",
        "_body",
        "_bring",
        "_captures",
        "_client",
        "_facing",
        "_following",
        "_framed",
        "_keep",
        "_long",
        "_metrics",
        "_place",
        "_put",
        "_request",
        "_visit",
        "response",
    )

    def __init__(
        self,
        facing: Facing,
        metrics: Metrics,
        visit: Visit,
        allowed: Allowed,
        client: str,
        bring: Bring,
        *,
        keep: bool,
        body: bytes | None,
        turn: Turn,
        following: Following | None = None,
        framed: bool = False,
    ) -> None:
        self._bring = bring
        self._framed = framed
        self._captures = allowed.decision.rule.captures if allowed.decision.rule is not None else ()
        self._facing = facing
        self._metrics = metrics
        self._visit = visit
        self._request = visit.request
        self._allowed = allowed
        self._client = client
        self._keep = keep
        self._long = Long(LONG, turn.take)
        self._body = body
        self._following = following
        self._place = following.place if following is not None else Place("", allowed.decision.sent or visit.target)
        rule = allowed.decision.rule
        self._at = rule.at if rule is not None else ""
        self._put = allowed.decision.headers
        if body is not None and rule is not None and rule.body is not None:
            self._put = (*self._put, ("Content-Type", rule.body.type))
        self.response: web.StreamResponse | None = None

    async def run(self) -> web.StreamResponse:
        # A part of a text can't be searched, nor a packed one; where a text is to be expected (or the
        # request can't be made twice) the whole plain text is asked for at once.
        whole = (
            self._reads_json
            or self._expects_list
            or (
                (bool(self._facing.finder) or self._facing.rewrites)
                and (
                    self._request.method not in ("GET", "HEAD")
                    or self._allowed.decision.page
                    or looks_like_text(self._place.target.text)
                )
            )
        )
        try:
            response = await self._ask(whole)
            return response if response is not None else await self._ask_again()
        except UpstreamFailed as error:
            return failed(self._visit, error, self._metrics)
        except NoRoom:
            return refuse(self._visit, Reason.TEXTS_WAIT)

    @property
    def _reads_json(self) -> bool:
        return any(isinstance(one, JsonCapture) for one in self._captures)

    @property
    def _expects_list(self) -> bool:
        return self._following is not None and expected(self._following)

    async def _ask_again(self) -> web.StreamResponse:
        response = await self._ask(True)
        assert response is not None
        return response

    async def _ask(self, whole: bool) -> web.StreamResponse | None:
        """None: the answer is part of a text, ask again for all of it."""
        visit, request = self._visit, self._request
        facing, place = self._facing, self._place
        upstream = facing.ways[self._at]
        if place.origin:
            upstream, target, headers = facing.elsewhere(place, request.headers, whole=whole)
        else:
            target, headers = facing.request(
                place.target, request.headers, self._client, whole=whole, put=self._put, at=self._at
            )
        asked = time.perf_counter()
        async with upstream.request(request.method, target, headers, self._body) as answer:
            self._metrics.upstream_answered(time.perf_counter() - asked)
            if not 200 <= answer.status <= 599:
                raise UpstreamDown(f"an answer with status {answer.status}")
            locations = answer.headers.getall("Location", ())
            if not place.origin:
                await keep_cookies(facing, self._allowed.live, self._bring, answer.headers, place.target)
            if self._captures and 200 <= answer.status < 300:
                await self._capture_from_headers(answer)
            if 300 <= answer.status < 400 and locations:
                return self._redirect(answer, locations)
            if answer.status >= 500:
                return self._broken(answer)
            if self._following is not None:
                sort = read_as(self._following, answer)
                if sort == REFUSED:
                    return refuse(visit, Reason.FOLLOW_REFUSED, detail=sort)
                if sort != PASSED:
                    known = whole or request.method == "HEAD"
                    return await self._followed(answer, self._following, sort) if known else None
            text = is_text(answer.headers.get("Content-Type", ""), place.target.text)
            changed = self._facing.rewrites and text
            searched = (
                (bool(self._facing.finder) or self._reads_json or changed)
                and request.method != "HEAD"
                and answer.status not in _BODILESS
                # A refusal is words whatever type it says: that was often set before the file could not be read.
                and (self._reads_json or text or answer.status >= 400)
            )
            if searched and (answer.status == 206 or packed(answer.headers)):
                if not whole:
                    return None
                if packed(answer.headers) and changed:
                    return refuse(visit, Reason.ANSWER_UNREADABLE, detail="a packed text can't be changed")
                if packed(answer.headers):
                    return refuse(visit, Reason.CREDENTIAL_IN_ANSWER, detail="a packed text can't be searched")
            return await self._pass_on(answer, searched, changed)

    def _broken(self, answer: Answer) -> web.StreamResponse:
        """Something broke in the server. What it says of that is for its operator: traces, paths, addresses."""
        later = answer.headers.getall("Retry-After", ())
        wait = {"Retry-After": later[0]} if len(later) == 1 and later[0].isdecimal() and len(later[0]) < 10 else {}
        return refuse(self._visit, Reason.SERVER_ERROR, detail=f"{answer.status}", headers=wait, status=answer.status)

    async def _pass_on(self, answer: Answer, searched: bool, changed: bool) -> web.StreamResponse:
        headers = self._headers(answer, page=self._allowed.decision.page)
        if changed:
            for name in _OF_THE_BYTES:
                headers.popall(name, None)
        for location in answer.headers.getall("Location", ()):
            # Not a redirect (201 and the like): a hint, passed on only where it may be followed.
            ours = self._ours(location, *_ALL)
            if ours is not None:
                headers["Location"] = ours
        flow: FlowingText | FlowingWords | None = None
        kind = answer.headers.get("Content-Type", "")
        if not searched and self._may_be_looked_through(answer):
            return await self._looked_through(answer, headers)
        if searched:
            if self._reads_json or not is_endless(kind):
                if not self._flows(answer, changed):
                    return await self._searched(answer, headers, changed)
                flow = self._facing.flowing(self._allowed.live.scope.variables, kind)
            else:
                flow = self._flow(kind, changed)
        self.response = response = begin(self._request, answer.status, headers, keep=self._keep)
        self._visit.detail = await relay(self._request, answer, response, self._metrics, self._watched, flow)
        return response

    def _headers(self, answer: Answer, *, page: bool) -> CIMultiDict[str]:
        """For the guest."""
        beside = page and self._allowed.live.scope.beside_the_player(self._visit.target)
        headers = self._facing.answer(answer.headers, page=page, beside=beside)
        cast = self._following is not None and self._following.cast
        if not self._place.origin and not cast:  # a player without cookies keeps none
            for line in self._facing.cookie_lines(answer.headers.getall("Set-Cookie", ()), framed=self._framed):
                headers.add("Set-Cookie", line)
        if cast:
            headers.update(CORS)
        return headers

    def _may_be_looked_through(self, answer: Answer) -> bool:
        """Whether this is a text that nothing else is to be done with, whole and small enough to be read before it
        is passed on."""
        length, kind = answer.headers.get("Content-Length", ""), answer.headers.get("Content-Type", "")
        return (
            answer.status == 200
            and self._request.method != "HEAD"
            and not self._place.origin
            and length.isascii()
            and length.isdigit()
            and 0 < int(length) <= _SMALL
            and is_text(kind, self._place.target.text)
            and not is_endless(kind)
        )

    async def _looked_through(self, answer: Answer, headers: CIMultiDict[str]) -> web.StreamResponse:
        """As it came, unless it names the server's own address: then with ours."""
        came = await answer.read(_SMALL)
        plain: bytes | None = came
        if packed(answer.headers):
            try:
                plain = await asyncio.to_thread(unpacked, came, answer.headers.get("Content-Encoding", ""), MAX_TEXT)
            except AnswerTooLarge:
                plain = None
        body = came
        if plain is not None and (home := self._facing.brought_home(plain)) != plain:
            body = home
            for name in (*_OF_THE_BYTES, "Content-Encoding"):
                headers.popall(name, None)
        headers.popall("Content-Length", None)
        self._metrics.sent(len(body))
        self._watched()
        return web.Response(status=200, body=body, headers=headers)

    def _flows(self, answer: Answer, changed: bool) -> bool:
        """Whether a text that may be too long to be held needs not be."""
        length = answer.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and int(length) <= MAX_TEXT:
            return False
        return changed and not (self._reads_json or self._facing.finder or self._facing.server.policy.drop)

    def _flow(self, content_type: str, changed: bool) -> FlowingText:
        if not changed:
            return FlowingText(self._facing.finder)
        kind = content_type.partition(";")[0].strip().lower()
        rewriter = self._facing.rewriter(self._allowed.live.scope.variables)
        return FlowingRewrite(
            self._facing.finder,
            lambda event: self._facing.brought_home(rewriter.event(event, kind)),
            events=kind == "text/event-stream",
        )

    async def _capture_from_headers(self, answer: Answer) -> None:
        facing, values = self._facing, self._allowed.live.scope.variables
        found = {}
        for one in self._captures:
            if not isinstance(one, HeaderCapture):
                continue
            texts = answer.headers.getall(one.header, ())
            if len(texts) != 1:
                continue
            led = led_to(texts[0], self._place.target, facing.names, facing.injected) if one.is_path else None
            value = one.value(led[0] if led else None, values) if one.is_path else one.value(texts[0], values)
            if value is not None:
                found[one.name] = value
        await self._brought(found)

    async def _brought(self, found: dict[str, str]) -> None:
        """Before the guest sees the answer every worker can know what it gives."""
        known = self._allowed.live.scope.variables
        fresh = {name: (value,) for name, value in found.items() if value not in known.get(name, ())[:1]}
        if fresh:
            await self._bring(self._allowed.live, fresh)

    def _watched(self) -> None:
        """A page is looked at, not watched."""
        if not self._allowed.decision.page:
            self._allowed.live.watch()

    async def _followed(self, answer: Answer, following: Following, sort: str) -> web.StreamResponse:
        headers = self._headers(answer, page=False)
        for name in list(headers):
            # What it says of the server's text is not so of ours.
            if name.lower() in _OF_THE_TEXT:
                headers.popall(name, None)
        if self._request.method == "HEAD":
            return web.Response(status=200, headers=headers)
        try:
            body, kind = await rewrite_answer(answer, following, sort, MAX_TEXT, self._long)
        except NotFollowed as error:
            return refuse(self._visit, Reason.FOLLOW_REFUSED, detail=str(error))
        if sort == "json" and self._facing.server.policy.drop:
            body = await asyncio.to_thread(self._facing.rewriter({}).without_fields, body)
        finder = self._facing.finder
        if costly(body):
            return refuse(self._visit, Reason.FOLLOW_REFUSED, detail="too many escapes to search them all")
        if finder.found(body) if len(body) < _LARGE else await asyncio.to_thread(finder.found, body):
            return refuse(self._visit, Reason.CREDENTIAL_IN_ANSWER)
        headers["Content-Type"] = kind  # not the server's, which might name another charset
        self._metrics.sent(len(body))
        return web.Response(status=200, body=body, headers=headers)

    async def _searched(self, answer: Answer, headers: CIMultiDict[str], changed: bool) -> web.StreamResponse:
        came = body = await answer.read(MAX_TEXT, self._long)
        if costly(body):
            return refuse(self._visit, Reason.ANSWER_UNREADABLE, detail="too many escapes to search them all")
        if changed:
            rewriter = self._facing.rewriter(self._allowed.live.scope.variables)
            change = partial(rewriter.rewritten, came, answer.headers.get("Content-Type", ""))
            try:
                body = change() if len(came) < _LARGE else await asyncio.to_thread(change)
            except Unreadable as error:
                return refuse(self._visit, Reason.ANSWER_UNREADABLE, detail=str(error))
        home = (
            self._facing.brought_home(body)
            if len(body) < _LARGE
            else await asyncio.to_thread(self._facing.brought_home, body)
        )
        if home != body:
            body = home
            for name in _OF_THE_BYTES:
                headers.popall(name, None)
        finder = self._facing.finder
        found = finder.found(body) if len(body) < _LARGE else await asyncio.to_thread(finder.found, body)
        if found:
            return refuse(self._visit, Reason.CREDENTIAL_IN_ANSWER)
        if self._reads_json and 200 <= answer.status < 300 and not too_many(came):
            reading = partial(captured_json, self._captures, came)
            await self._brought(reading() if len(came) < _LARGE else await asyncio.to_thread(reading))
        for name in ("Content-Length", "Content-Range", "Accept-Ranges"):
            headers.popall(name, None)
        self._metrics.sent(len(body))
        return web.Response(status=200 if answer.status == 206 else answer.status, body=body, headers=headers)

    def _redirect(self, answer: Answer, locations: list[str] | tuple[()]) -> web.StreamResponse:
        # These two repeat the request as it was; after the others a browser comes with a GET.
        method = self._request.method if answer.status in (307, 308) else "GET"
        ours = self._ours(locations[0], method) if len(locations) == 1 else None
        if ours is None:
            return refuse(self._visit, Reason.REDIRECT_REFUSED, detail="leads where this guest may not go")
        headers = self._headers(answer, page=self._allowed.decision.page)
        for name in list(headers):
            # Its body is not sent, so nothing may speak of it.
            if name.lower() in ("etag", "last-modified", "accept-ranges") or (
                name.lower().startswith("content-") and not name.lower().startswith("content-security-policy")
            ):
                headers.popall(name, None)
        headers["Location"] = ours
        return web.Response(status=answer.status, headers=headers)

    def _ours(self, location: str, *methods: str) -> str | None:
        """The location on our host, if this guest may go there by one of these methods."""
        facing = self._facing
        if self._following is not None:
            ours = self._following.redirect(location) if {"GET", "HEAD"}.intersection(methods) else None
            return None if ours is None or facing.leaks(ours) else ours
        led = led_to(location, self._place.target, facing.names, facing.injected)
        if led is None:
            return None
        target, fragment = led
        scope = self._allowed.live.scope
        if not any(scope.decide(method, target).allowed for method in methods):
            return None
        ours = target.sent + fragment
        return None if facing.leaks(ours) else ours


async def keep_cookies(
    facing: Facing, live: LiveGrant, bring: Bring, headers: MultiMapping[str], target: Target
) -> None:
    """Before the guest hears anything every worker can know what this answer sets. What the store can't be told of
    now counts here."""
    kept = facing.kept(headers.getall("Set-Cookie", ()), target)
    if kept:
        try:
            await bring(live, kept)
        except StoreDown:
            live.keep(kept)


def failed(visit: Visit, error: UpstreamFailed, metrics: Metrics) -> web.Response:
    """The refusal for a server that did not answer as it should."""
    if isinstance(error, AnswerTooLarge):
        metrics.upstream_failed("other")
        return refuse(visit, Reason.ANSWER_TOO_LARGE, detail=str(error))
    metrics.upstream_failed("slow" if isinstance(error, UpstreamSlow) else "down")
    return refuse_failure(visit, error)
