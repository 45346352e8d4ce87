"""The files of deploy/ under the real nginx and the real Caddy: a guest's whole way, in both arrangements."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest

from tests.deploy.cinema import ACCOUNT, ENDLESS, FILE, FILM, ITEM, OTHER, PAGE, SLOW, SOCKET, Cinema
from tests.deploy.conftest import Stand
from tests.deploy.fronts import HERE, HOSTS, MANAGE, TlsClient, Visitor, front
from tests.running import free_port, raw
from tests.system.stage import until

FORGED = "X-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n"


async def test_a_guest_comes_in_and_gets_one_item(stand: Stand, media: Cinema) -> None:
    link = await stand.gateway.make_link(ITEM)
    guest = stand.visitor()
    reply = await guest.enter(link)
    assert (reply.status, reply.header("Location")) == (303, PAGE)
    [session] = [line for line in reply.all("Set-Cookie") if line.startswith("__Host-gateway=")]
    assert {"Secure", "HttpOnly", "Path=/"} <= set(session.split("; "))

    assert (await guest.ask(f"GET {PAGE}")).body == f"<title>page of {ITEM}</title>".encode()
    whole = await guest.ask(f"GET {FILE}")
    assert (whole.status, whole.body, whole.header("Content-Length")) == (200, FILM, str(len(FILM)))
    assert whole.header("Cache-Control") == "private"
    for wanted, status, sent in (
        ("bytes=100-199", 206, FILM[100:200]),
        ("bytes=-5", 206, FILM[-5:]),
        (f"bytes={len(FILM)}-", 416, None),
    ):
        part = await guest.ask(f"GET {FILE}", f"Range: {wanted}\r\n")
        assert part.status == status
        if sent is not None:
            assert part.body == sent
            assert part.header("Content-Range") == media_range(sent)
    for other in (PAGE.replace(ITEM, OTHER), FILE.replace(ITEM, OTHER), "/", "/admin"):
        media.asked.clear()
        assert (await guest.ask(f"GET {other}")).status == 403, other
        assert media.asked == []


def media_range(part: bytes) -> str:
    first = FILM.index(part) if len(part) > 5 else len(FILM) - len(part)
    return f"bytes {first}-{first + len(part) - 1}/{len(FILM)}"


async def test_nothing_is_asked_of_the_server_that_the_guest_did_not_ask(stand: Stand, media: Cinema) -> None:
    """No packing that the guest can't take, none that was not made by the server, none of the proxy's own headers."""
    guest = await stand.guest()
    await guest.ask(f"GET {FILE}")
    assert "accept-encoding" not in media.last(FILE)
    await guest.ask(f"GET {FILE}", "Accept-Encoding: gzip, br\r\n")
    assert media.last(FILE)["accept-encoding"] == "gzip, br"
    for path in (PAGE, (await stand.gateway.make_link(ITEM)).removeprefix(stand.front.origin)):
        page = await stand.visitor(cookies=guest.cookies).ask(f"GET {path}", "Accept-Encoding: gzip, br\r\n")
        assert page.header("Content-Encoding") is None
    assert "cookie" not in media.last(PAGE)


async def test_the_guests_address_is_the_connections_and_not_what_the_guest_writes(stand: Stand, media: Cinema) -> None:
    guest = await stand.guest()
    guest.extra = FORGED
    assert (await guest.ask(f"GET {FILE}")).status == 200
    assert media.last(FILE)["x-forwarded-for"] == HERE
    # Asked to drop it by its own Connection header, as some proxies do.
    dropping = await guest.ask(f"GET {PAGE}", "Connection: X-Forwarded-For, X-Forwarded-Proto\r\n")
    assert dropping.status in (200, 400)
    stand.gateway.gateway.doors.log.close()
    lines = [line for line in stand.log.getvalue().splitlines() if "method=" in line]
    assert len(lines) >= 4
    for line in lines:
        assert f"client={HERE} " in line
    assert "203.0.113.9" not in stand.log.getvalue() + str(media.asked)


async def test_a_websocket(stand: Stand, media: Cinema) -> None:
    guest = await stand.guest()
    headers = dict(line.split(": ", 1) for line in guest.session.splitlines())
    headers |= {"Host": f"{stand.front.host}:{stand.front.port}", "Origin": stand.front.origin}
    url = f"https://127.0.0.1:{stand.front.port}{SOCKET}"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        async with session.ws_connect(
            url, headers=headers, ssl=stand.front.trust, server_hostname=stand.front.host
        ) as socket:
            for word in ("hello", "x" * 100_000):
                await socket.send_str(word)
                assert await socket.receive_str(timeout=5) == f"you said {word}"
            assert media.last(SOCKET)["x-forwarded-for"] == "127.0.0.1"
        await until("the server hears that the guest has gone", lambda: media.open == 0)
        # Not for another item, and not from another site's page.
        for path, origin in ((SOCKET.replace(ITEM, OTHER), stand.front.origin), (SOCKET, "https://evil.example")):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await session.ws_connect(
                    url.replace(SOCKET, path), headers={**headers, "Origin": origin},
                    ssl=stand.front.trust, server_hostname=stand.front.host,
                )  # fmt: skip


@pytest.mark.parametrize("path", [ENDLESS, SLOW])
async def test_each_piece_of_a_long_answer_arrives_when_it_is_said(stand: Stand, media: Cinema, path: str) -> None:
    """The next piece is said only when the one before has arrived: whoever buffers would wait for ever."""
    guest = await stand.guest()
    async with TlsClient(stand.front) as client:
        await client.ask(f"GET {path}", guest.session)
        for number in range(5):
            piece = b"piece %d " % number
            media.said.put_nowait(piece)
            if number == 0:
                assert (await asyncio.wait_for(client.head(), 5)).status == 200
            await asyncio.wait_for(client.reader.readuntil(piece), 5)
        assert media.open == 1
        client.leave()
    # A guest who leaves, while nothing is being said: the server is not kept waiting for a next piece.
    await until("the server hears that the guest has gone", lambda: media.open == 0)


async def test_no_secret_of_a_link_is_written_down(stand: Stand, media: Cinema) -> None:
    link = await stand.gateway.make_link(ITEM)
    token = link.rpartition("/")[2]
    await stand.visitor().enter(link)
    await raw(stand.front.plain, f"GET /g/{token} HTTP/1.1\r\nHost: {stand.front.host}\r\n\r\n".encode(), seconds=1)
    # And when something is wrong behind the proxy, or with the request.
    gone = TlsClient(stand.front)
    stand.gateway.gateway.doors.log.close()
    async with gone:
        await gone.ask(f"GET /g/{token}?{'x' * 9_000}")
        assert (await gone.head()).status in (400, 414, 431)
    await stand.visitor().ask(f"POST /g/{token}", "Content-Type: text/plain\r\n", b"x" * 1_500_000)
    assert token not in stand.front.written
    assert token not in stand.log.getvalue()


async def test_big_bodies_and_heads_are_refused(stand: Stand) -> None:
    link = await stand.gateway.make_link(ITEM)
    visitor = stand.visitor()
    path = link.removeprefix(stand.front.origin)
    reply = await visitor.ask(f"POST {path}", "Content-Type: text/plain\r\n", b"x" * 1_500_000)
    # Caddy sends on what it may and then breaks off; the gateway takes no such form either.
    assert reply.status in ((413,) if stand.front.name == "nginx" else (400, 413, 502))
    for headers in (f"X-Long: {'x' * 40_000}\r\n", f"Cookie: {'x' * 40_000}\r\n"):
        async with TlsClient(stand.front) as client:
            await client.ask("GET /g/x", headers)
            assert (await asyncio.wait_for(client.head(), 5)).status in (400, 431, 494)


@pytest.mark.parametrize("size", [12_000, 40_000])
async def test_cookies_that_fit_in_no_request(stand: Stand, size: int) -> None:
    """They are told to go by the gateway, and by nginx on the guests' own host. Caddy's own answer can't be changed,
    and on a shared host name the cookies are the media server's as well."""
    async with TlsClient(stand.front) as client:
        await client.ask("GET /g/x", f"Cookie: {'x' * size}\r\n")
        reply = await asyncio.wait_for(client.head(), 5)
    assert reply.status in (400, 431)
    told = (
        reply.header("Clear-Site-Data"),
        reply.header("Cross-Origin-Opener-Policy"),
        reply.header("Referrer-Policy"),
    )
    if (stand.front.name, stand.front.host) == ("nginx", HOSTS["own-host"]):
        assert (reply.status, told) == (431, ('"cookies"', "same-origin", "no-referrer"))
    async with TlsClient(stand.front) as client:
        await client.ask(f"GET /{'x' * 9_000}")
        reply = await asyncio.wait_for(client.head(), 5)
    assert reply.header("Clear-Site-Data") is None


async def test_http_leads_to_https(stand: Stand) -> None:
    asked = f"GET /g/abc?x=%2e HTTP/1.1\r\nHost: {stand.front.host}\r\nConnection: close\r\n\r\n"
    answer = await raw(stand.front.plain, asked.encode())
    assert answer.split(b" ")[1] in (b"301", b"308")
    assert f"location: https://{stand.front.host}/g/abc?x=%2e\r\n".encode() in answer.lower()


@pytest.mark.parametrize("arrangement", ["own-host"], indirect=True)
async def test_managing_is_on_its_own_name_alone(stand: Stand) -> None:
    document = "Accept: text/html\r\nSec-Fetch-Dest: document\r\n"
    for host, status in ((MANAGE, 200), (stand.front.host, 404)):
        async with TlsClient(stand.front) as client:
            client.host = f"{host}:{stand.front.port}"
            reply = await client.get("GET /_gateway/manage/sign-in", document)
            assert reply.status == status, host
    plain = f"GET /_gateway/manage HTTP/1.1\r\nHost: {MANAGE}\r\nConnection: close\r\n\r\n"
    assert f"https://{MANAGE}/_gateway/manage".encode() in await raw(stand.front.plain, plain.encode())


async def test_another_name_is_not_ours(stand: Stand) -> None:
    async with TlsClient(stand.front) as client:
        client.host = "evil.example"
        await client.ask("GET /g/abc")
        reply = await client.head()
        assert reply.status in (200, 421)
        assert reply.status == 421 or reply.header("Content-Length") == "0"  # Caddy's answer to no site


async def test_own_paths_need_trust_in_the_certificate(stand: Stand) -> None:
    """The test's own client does look at the certificate."""
    stand.front.trust = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        await Visitor(stand.front).ask("GET /")


# --- one host name for guests and account holders ---------------------------------------------------

shared = pytest.mark.parametrize("arrangement", ["shared-host"], indirect=True)


@shared
async def test_account_holders_keep_their_way(stand: Stand, media: Cinema) -> None:
    holder = stand.visitor(extra=f"Cookie: {ACCOUNT}\r\n{FORGED}")
    for path in (PAGE, FILE.replace(ITEM, OTHER), "/", "/g", "/_gateway", "/library?sort=name", "/any%20thing//at/all"):
        media.asked.clear()
        assert (await holder.ask(f"GET {path}")).status == 200, path
        [(asked, headers)] = media.asked
        assert asked == path, "byte for byte"
        assert headers["x-forwarded-for"] == HERE
        assert headers["x-forwarded-proto"] == "https"
        assert headers["host"] == f"{stand.front.host}:{stand.front.port}"
    if stand.front.name == "nginx":  # for Caddy this is a path of the gateway, which refuses it
        assert (await holder.ask("GET //g/x")).status == 200
    upload = await holder.ask("POST /upload", "", b"x" * 3_000_000)
    assert upload.status == 200
    # Their browser may also hold the entry form's cookie, or others whose names look like the session's.
    names = ("__Host-gateway-form", "gateway-form", "my-gateway", "xgateway", "__Secure-gateway", "gateway2")
    for name in (*names, "__Host-Http-gateway-form-framed", "my-gateway-framed", "gateway-framed2"):
        media.asked.clear()
        holder.extra = f"Cookie: a=gateway=1; {name}=x; {ACCOUNT}\r\n"
        assert (await holder.ask(f"GET {FILE}")).status == 200, name
        assert "cookie" in media.last(FILE), name


@shared
@pytest.mark.parametrize(
    "cookies",
    ["{}", "a=b; {}", "a=b;{}", "account=alice; {}; b=c", "{}\r\nCookie: account=alice", "a=b\r\nCookie: {}"],
)
async def test_a_guest_is_known_wherever_the_cookie_stands(stand: Stand, media: Cinema, cookies: str) -> None:
    guest = await stand.guest()
    session = f"__Host-gateway={guest.cookies.pop('__Host-gateway')}"
    guest.cookies.clear()
    guest.extra = f"Cookie: {cookies.format(session)}\r\n"
    assert (await guest.ask(f"GET {FILE}")).status == 200
    assert "cookie" not in media.last(FILE)
    assert (await guest.ask(f"GET {FILE.replace(ITEM, OTHER)}")).status == 403


@shared
async def test_a_guest_in_a_frame_is_the_gateways(stand: Stand, media: Cinema) -> None:
    guest = stand.visitor()
    guest.extra = "Cookie: a=b; __Host-gateway-framed=x\r\n"
    assert (await guest.ask(f"GET {FILE}")).status == 403
    assert media.asked == []


@shared
async def test_a_guest_who_drops_the_cookie_stands_before_the_server_itself(stand: Stand, media: Cinema) -> None:
    guest = await stand.guest()
    for path in (FILE, PAGE, FILE.replace(ITEM, OTHER), "/"):
        reply = await stand.visitor().ask(f"GET {path}")
        assert (reply.status, reply.body) == (401, b"the cinema wants a login")
    assert (await guest.ask(f"GET {FILE}")).status == 200
    # Leaving hands the browser back to the server.
    left = await guest.ask("POST /_gateway/leave", f"Origin: {stand.front.origin}\r\n")
    assert left.status == 200
    assert (await guest.ask(f"GET {FILE}")).status == 401


@shared
async def test_the_name_without_https_is_found_too(stand: Stand) -> None:
    """`gateway=` is the cookie's name on http: who sends it is a guest for the proxy, and for the gateway nobody."""
    visitor = stand.visitor(extra="Cookie: gateway=x\r\n")
    assert (await visitor.ask(f"GET {FILE}")).status == 403


# --- with nobody behind ------------------------------------------------------------------------------


async def test_a_gateway_that_is_down_is_a_502_and_no_secret_in_the_log(
    tmp_path: Path, certificate: Path, program: str, arrangement: str
) -> None:
    token = "SecretOfALink0123456789ABCDE"
    async with front(
        program, arrangement, tmp_path / program, certificate, port=free_port(), gateway=free_port(), media=free_port()
    ) as proxy:
        for path in (f"/g/{token}", f"/g/{token}?x=1"):
            assert (await Visitor(proxy).ask(f"GET {path}")).status == 502
        guest = Visitor(proxy, extra=f"Cookie: __Host-gateway={token}\r\n")
        assert (await guest.ask(f"GET {FILE}")).status == 502
    assert token not in proxy.written
