"""The demo's self check believes nothing: whatever is not as it should be is a failure that says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web

from gateway.demo.guest import DemoFailed, try_out


@dataclass
class PretendedGateway:
    """Answers as told: the entry page, the form, the link's own item, and the other one through the gateway."""

    page: int = 200
    admitted: int = 303
    own: int = 200
    other: int = 403

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/g/token" and request.method == "GET":
            response = web.Response(
                status=self.page, text='<input type="hidden" name="form" value="a&amp;b">', content_type="text/html"
            )
            response.set_cookie("form", "1")
            return response
        if request.path == "/g/token":
            posted = await request.post()
            assert posted["form"] == "a&b"
            assert request.cookies == {"form": "1"}
            response = web.Response(status=self.admitted, headers={"Location": "/watch"})
            response.set_cookie("session", "2")
            return response
        if request.path == "/server/other":  # the media server's own port, which asks nobody who they are
            return web.Response(status=200)
        assert request.cookies.get("session") == "2"
        return web.Response(status=self.own if request.path == "/own" else self.other)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def test_what_the_demo_shows() -> None:
    async with PretendedGateway().running() as url:
        direct, through = await try_out(f"{url}/g/token", f"{url}/own", f"{url}/server/other", f"{url}/other")
    assert (direct.status, through.status) == (200, 403)
    assert through.url == f"{url}/other"


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        (PretendedGateway(page=410), "entry page answered 410"),
        (PretendedGateway(admitted=403), "entry form answered 403"),
        (PretendedGateway(own=403), "/own answered 403 to an admitted guest"),
        (PretendedGateway(other=200), "/other answered 200"),
        (PretendedGateway(other=502), "/other answered 502"),
    ],
)
async def test_what_it_does_not_pass_over(gateway: PretendedGateway, said: str) -> None:
    async with gateway.running() as url:
        with pytest.raises(DemoFailed, match=said):
            await try_out(f"{url}/g/token", f"{url}/own", f"{url}/server/other", f"{url}/other")
