"""`cast`: media played where no cookie is, at a television, in VLC: for a while, and from few places at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.media import SECONDS, TYPES, Media
from tests.nginx import folder, nginx
from tests.running import Answer, Running, ask, enter, running_gateway
from tests.system_parts import need

HEAD = """
server: Films
item: {id: "[a-z]{3,9}"}
patterns: {file: "[A-Za-z0-9_-]+[.](m3u8|ts|m4s|mp4|vtt|mpd)", folder: "[a-z0-9]+"}
kinds:
  video:
    player: {src: "/v/{id}/%s"}
    allow:
"""
ALLOWED = HEAD + "      - GET /v/{id}/{file}\n      - GET /v/{id}/{folder}/{file}\n      - page GET /v/{id}/page.html\n"
FOLLOWED = HEAD + "      - request: GET /v/{id}/%s\n        follow: {as: hls}\n"
CAST = "guest_access: {cast: 4h}\n"
SIGNED = re.compile(r"/_gateway/s/[^\s\"<>]+")
HERE, THERE, ELSEWHERE = "198.51.100.1", "198.51.100.2", "198.51.100.3"


@asynccontextmanager
async def films(tmp_path: Path, media: Path, policy: str) -> AsyncIterator[Running]:
    """The same film under two ids."""
    root = tmp_path / "films"
    for item in ("aurora", "nocturne"):
        (root / item).parent.mkdir(exist_ok=True)
        (root / item).symlink_to(media)
    kinds = " ".join(f"{kind} {ending.lstrip('.')};" for ending, kind in TYPES.items())
    async with (
        nginx(tmp_path / "nginx", f"types {{ {kinds} }}" + folder(root, "/v")) as port,
        running_gateway(tmp_path, policy, port, extra="trusted_proxies: [127.0.0.1]\n") as gateway,
    ):
        yield gateway


async def admitted(gateway: Running, item: str = "aurora") -> tuple[str, str]:
    """The cookie, and the address for another player that the guest's page shows."""
    cookie, answer = await enter(gateway.port, await gateway.make_link(item))
    page = await ask(gateway.port, f"GET {answer.headers['location']}", cookie=cookie, headers="Accept: text/html\r\n")
    found = re.search(rf'value="http://127\.0\.0\.1:{gateway.port}(/_gateway/s/[^"]+)"', page.body.decode())
    assert found, page.body.decode()
    return cookie, found[1]


async def play(gateway: Running, url: str, *, at: str = HERE, method: str = "GET", headers: str = "") -> Answer:
    return await ask(gateway.port, f"{method} {url}", headers=f"X-Forwarded-For: {at}\r\n{headers}")


async def everything(gateway: Running, url: str, *, at: str = HERE) -> dict[str, Answer]:
    """All that a player without a cookie finds from this address on."""
    found: dict[str, Answer] = {}
    left = [url]
    while left:
        one = left.pop()
        found[one] = answer = await play(gateway, one, at=at)
        assert answer.status == 200, (one, answer)
        if one.endswith((".m3u8", ".mpd")):
            named = SIGNED.findall(answer.body.decode())
            named = [name for name in named if "$" not in name]
            assert named or one.endswith(".mpd")
            left += [name for name in named if name not in found and name not in left]
    return found


@pytest.mark.parametrize("policy", [ALLOWED, FOLLOWED], ids=["by rules", "followed"])
async def test_a_player_without_a_cookie_plays_all_of_it(tmp_path: Path, media: Media, policy: str) -> None:
    text = policy.replace("%s", "master.m3u8") + CAST
    async with films(tmp_path, media.hls(), text) as gateway:
        _, address = await admitted(gateway)
        found = await everything(gateway, address)
        names = {url.rpartition("/")[2] for url in found}
        assert {"master.m3u8", "index.m3u8", "init.mp4", "0.m4s", "captions-en.vtt"} <= names
        assert len(found) > 20
        again = await play(gateway, address)
        assert again.body == found[address].body, "the same each time"
        for answer in found.values():
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers
        segment = next(url for url in found if url.endswith("/1.m4s"))
        part = await play(gateway, segment, headers="Range: bytes=0-9\r\n")
        assert (part.status, len(part.body)) == (206, 10)
        asked = await play(gateway, segment, method="OPTIONS", headers="Origin: https://receiver.example\r\n")
        assert (asked.status, asked.headers["access-control-allow-methods"]) == (204, "GET, HEAD")
        assert (await play(gateway, segment, method="POST")).status == 403


async def test_it_opens_for_this_item_and_while_the_grant_lives(tmp_path: Path, media: Media) -> None:
    async with films(tmp_path, media.hls(), (ALLOWED % "master.m3u8") + CAST) as gateway:
        cookie, address = await admitted(gateway)
        _, other = await admitted(gateway, "nocturne")
        begin, ticket, rest = address.split("/s/")[0], *address.split("/s/")[1].split("/", 1)
        theirs = other.split("/s/")[1].split("/", 1)[0]
        for wrong in (
            f"{begin}/s/{theirs}/{rest}",  # somebody else's ticket
            f"{begin}/s/{rest}",  # none
            f"{begin}/s/{ticket[:-1]}{'0' if ticket[-1] != '0' else '1'}/{rest}",
            f"{begin}/s/{ticket.upper()}/{rest}",
            f"{begin}/s/{ticket}/{ticket}/{rest}",
            f"{begin}/s/{ticket}/x{rest[1:]}",
            address.replace("master.m3u8", "other.m3u8"),
            f"{address}?id=nocturne",
            f"{begin}/s/{ticket}/../../v/nocturne/master.m3u8",
            "/v/aurora/master.m3u8",
        ):
            assert (await play(gateway, wrong)).status in (400, 403), wrong
        assert (await play(gateway, address)).status == 200
        await ask(
            gateway.port, "POST /_gateway/leave", cookie=cookie,
            headers=f"Origin: http://127.0.0.1:{gateway.port}\r\nContent-Type: application/x-www-form-urlencoded\r\n",
            body=b"a=b",
        )  # fmt: skip
        assert (await play(gateway, address)).status == 403


async def test_from_two_addresses_at_a_time_and_from_the_guests_own_browser_besides(
    tmp_path: Path, media: Media
) -> None:
    async with films(tmp_path, media.hls(), (ALLOWED % "master.m3u8") + CAST) as gateway:
        cookie, address = await admitted(gateway)
        assert (await play(gateway, address, at=HERE)).status == 200
        assert (await play(gateway, address, at=THERE)).status == 200
        refused = await play(gateway, address, at=ELSEWHERE)
        assert refused.status == 403
        assert (await play(gateway, address, at=HERE)).status == 200
        # The cookie itself opens it wherever the guest is.
        with_cookie = await ask(
            gateway.port, f"GET {address}", cookie=cookie, headers=f"X-Forwarded-For: {ELSEWHERE}\r\n"
        )
        assert with_cookie.status == 200


async def test_without_cast_there_is_no_such_address_and_signed_urls_need_the_cookie(
    tmp_path: Path, media: Media
) -> None:
    async with films(tmp_path, media.hls(), FOLLOWED.replace("%s", "master.m3u8")) as gateway:
        cookie, answer = await enter(gateway.port, await gateway.make_link("aurora"))
        page = await ask(gateway.port, f"GET {answer.headers['location']}", cookie=cookie)
        assert b"/_gateway/s/" not in page.body
        master = await ask(gateway.port, "GET /v/aurora/master.m3u8", cookie=cookie)
        url = SIGNED.findall(master.body.decode())[0]
        assert (await ask(gateway.port, f"GET {url}", cookie=cookie)).status == 200
        assert (await play(gateway, url)).status == 403
        assert "access-control-allow-origin" not in master.headers


async def test_signed_urls_of_followed_answers_work_without_the_cookie(tmp_path: Path, media: Media) -> None:
    policy = FOLLOWED.replace("%s", "master.m3u8") + CAST
    async with films(tmp_path, media.hls(), policy) as gateway:
        cookie, _ = await admitted(gateway)
        master = await ask(gateway.port, "GET /v/aurora/master.m3u8", cookie=cookie)
        url = SIGNED.findall(master.body.decode())[0]
        assert (await play(gateway, url)).status == 200
        assert (await ask(gateway.port, "GET /v/aurora/master.m3u8", cookie=cookie)).body == master.body


async def test_a_player_that_is_no_browser_plays_it(tmp_path: Path, media: Media) -> None:
    """ffprobe keeps no cookie and goes by the endings of names, as VLC and televisions do."""
    probe = str(need("ffprobe"))
    async with films(tmp_path, media.hls(), (ALLOWED % "master.m3u8") + CAST) as gateway:
        _, address = await admitted(gateway)
        process = await asyncio.create_subprocess_exec(
            probe, "-v", "error", "-show_entries", "stream=codec_type,height:format=duration", "-of", "csv=p=0",
            f"http://127.0.0.1:{gateway.port}{address}", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
        said = output.decode()
        assert process.returncode == 0
        assert {"video,180", "video,90", "audio"} <= {line.strip(",") for line in said.splitlines()}
        assert float(said.split()[-1]) == pytest.approx(SECONDS, abs=1)


async def test_dash_is_cast_as_well(tmp_path: Path, media: Media) -> None:
    async with films(tmp_path, media.dash(), (ALLOWED % "manifest.mpd") + CAST) as gateway:
        _, address = await admitted(gateway)
        manifest = (await play(gateway, address)).body.decode()
        named = SIGNED.findall(manifest)
        assert named
        assert "/v/aurora" not in manifest
        for template in named:
            url = template.replace("$Number$", "1")
            assert (await play(gateway, url)).status == 200, url
            if url != template:
                assert (await play(gateway, template.replace("$Number$", "..%2f1"))).status in (400, 403)
