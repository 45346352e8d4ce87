"""`GET {media}` whose variable holds an address on another origin of the policy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from gateway.config import Origin, Timeouts
from gateway.links.followed import Followed, seal
from gateway.policy.decide import PlayerSources
from gateway.policy.follow import Place
from gateway.policy.load import load_policy_text
from gateway.proxy.following import Sealer
from gateway.upstream.client import HttpUpstream
from tests.proxy.conftest import IN, KEYS, Stage, opened
from tests.wire import Call, WireServer

TOKEN = "s3cr3t/T0ken+value=="
POLICY = """
server: Test server
item:
  id: "[a-z0-9]{3,9}"
  resolve:
    - request: GET /api/{id}
      vars: {media: "$.media", list: "$.list", poster: "$.poster"}
kinds:
  video:
    player: {src: "{media}", as: file, poster: "{poster}"}
    allow:
      - GET {media}
      - GET {poster}
      - request: GET {list}
        follow: {as: hls, to: ["https://cdn.test/v/**"]}
      - request: GET /api/{id}.json
        follow: {as: json, to: ["/own/{id}/**"]}
origins: ["https://cdn.test"]
upstream: {headers: {X-Key: "s3cr3t/T0ken+value=="}}
"""


def player(stage: Stage, **variables: str) -> PlayerSources | None:
    """The player page's sources for a grant with these variables, which the stage's guest then has."""
    live = stage.live
    live.scope = live.server.policy.scope("video", {"id": ("abc",), **{name: (at,) for name, at in variables.items()}})
    sealer = Sealer(KEYS, "/_gateway")
    found: PlayerSources | None = live.scope.player(lambda place: sealer.elsewhere(live, place))  # type: ignore[arg-type]
    return found


@asynccontextmanager
async def stage(
    cdn: Callable[[Call], object], home: Callable[[Call], object]
) -> AsyncIterator[tuple[Stage, WireServer]]:
    timeouts = Timeouts(connect=timedelta(seconds=2), answer=timedelta(seconds=2), idle=timedelta(seconds=2))
    async with WireServer(cdn) as other:  # type: ignore[arg-type]
        way = HttpUpstream(Origin("http", "127.0.0.1", other.port), timeouts)
        try:
            async with opened(home, policy_text=POLICY, elsewhere={"https://cdn.test": way}) as at:  # type: ignore[arg-type]
                yield at, other
        finally:
            await way.close()


async def media(call: Call) -> None:
    if "m3u8" in call.target:
        body, kind = b"#EXTM3U\n#EXTINF:1,\ns.ts\n#EXTINF:1,\nhttps://evil.test/\n", "application/x-mpegurl"
        await call.answer(body, headers=f"Content-Type: {kind}\r\n")
    elif "away" in call.target:
        await call.answer(status="302 Found", headers="Location: /v/other.mp4\r\n")
    else:
        await call.answer(call.target.encode(), headers="Content-Type: video/mp4\r\n")


async def nothing(call: Call) -> None:
    await call.answer(b'{"media": "https://cdn.test/v/a.mp4?sig=a%2Fb", "other": "https://cdn.test/v/b.mp4"}')


async def test_the_player_gets_a_signed_url_and_the_other_host_no_word_of_us() -> None:
    async with stage(media, nothing) as (at, other), at.client() as guest:
        found = player(at, media="https://cdn.test/v/a.mp4?sig=a%2Fb", poster="/p.jpg")
        assert found is not None
        assert found.src.startswith("/_gateway/s/")
        assert (found.src.rpartition("/")[2], found.poster) == ("a.mp4", "/p.jpg")
        reply = await guest.get(f"GET {found.src}", IN + "X-Forwarded-For: 1.2.3.4\r\nRange: bytes=0-\r\n")
        assert (reply.status, reply.body) == (200, b"/v/a.mp4?sig=a%2Fb")
        (call,) = other.calls
        assert {name.lower() for name, _ in call.headers} == {"host", "user-agent", "range"}
        assert at.upstream.calls == []
        assert (await guest.get(f"GET {found.src}")).status == 403
        assert (await guest.get(f"POST {found.src}", IN)).status == 403


async def test_the_url_is_worth_what_the_variable_holds_now() -> None:
    async with stage(media, nothing) as (at, other), at.client() as guest:
        found = player(at, media="https://cdn.test/v/a.mp4")
        assert found is not None
        player(at, media="https://cdn.test/v/b.mp4")
        assert (await guest.get(f"GET {found.src}", IN)).status == 403
        mark = at.live.scope.elsewhere(Place("https://cdn.test", at.live.scope._elsewhere["media"][0].target)).mark
        for place in (
            "/v/b.mp4",
            "https://evil.test/v/b.mp4",
            "https://cdn.test/v/b.mp4?x",
            "https://cdn.test/v/../b.mp4",
        ):
            url = f"/_gateway/s/{seal(KEYS, 'g1', Followed('file', 0, mark, 2, place))}/b.mp4"
            assert (await guest.get(f"GET {url}", IN)).status == 403
        assert other.calls == []


@pytest.mark.parametrize(
    "value",
    [
        "https://evil.test/v/a.mp4", "https://cdn.test:444/a.mp4", "http://cdn.test/a.mp4", "https://cdn.test.evil/a",
        "https://u@cdn.test/a.mp4", "//cdn.test/a.mp4", "https://cdn.test/../a.mp4", "https://cdn.test",
        "https://cdn.test/a b", "file:///etc/passwd", "https://cdn.test/" + "x" * 5_000,
    ],
)  # fmt: skip
async def test_other_addresses_are_none(value: str) -> None:
    async with stage(media, nothing) as (at, _):
        assert player(at, media=value) is None


async def test_an_origin_in_another_spelling_is_the_same() -> None:
    async with stage(media, nothing) as (at, _), at.client() as guest:
        found, other = (
            player(at, media="HTTPS://CDN.test:443/v/a%2Emp4#t=1"),
            player(at, media="https://cdn.test/v/a.mp4"),
        )
        assert found == other is not None
        assert found is not None
        assert (await guest.get(f"GET {found.src}", IN)).status == 200


async def test_a_list_of_another_host_is_followed_and_one_that_is_none_refused() -> None:
    async with stage(media, nothing) as (at, _), at.client() as guest:
        found = player(at, media="https://cdn.test/v/a.m3u8")
        assert found is not None
        assert (await guest.get(f"GET {found.src}", IN)).status == 502, "the rule says nothing of lists"
        player(at, media="/x", list="https://cdn.test/v/a.m3u8")
        (place,) = at.live.scope._elsewhere["list"]
        url = Sealer(KEYS, "/_gateway").elsewhere(at.live, place)  # type: ignore[arg-type]
        listed = (await guest.get(f"GET {url}", IN)).body.decode()
        assert "evil" not in listed
        (segment,) = [line for line in listed.splitlines() if not line.startswith("#")]
        assert (await guest.get(f"GET {segment}", IN)).body == b"/v/s.ts"


async def test_a_followed_answer_may_name_it() -> None:
    async with stage(media, nothing) as (at, _), at.client() as guest:
        player(at, media="https://cdn.test/v/a.mp4?sig=a%2Fb")
        found = (await guest.get("GET /api/abc.json", IN)).body.decode()
        assert '"other":null' in found
        url = found.split('"')[3]
        assert (await guest.get(f"GET {url}", IN)).body == b"/v/a.mp4?sig=a%2Fb"


async def test_a_redirect_there_leads_nowhere_else_and_a_credential_in_it_stays_here() -> None:
    async with stage(media, nothing) as (at, other), at.client() as guest:
        found = player(at, media="https://cdn.test/v/away.mp4")
        assert found is not None
        assert (await guest.get(f"GET {found.src}", IN)).status == 502
        found = player(at, media="https://cdn.test/v/a.mp4?key=s3cr3t%2FT0ken%2Bvalue%3D%3D")
        assert found is not None
        before = len(other.calls)
        assert (await guest.get(f"GET {found.src}", IN)).status == 403
        assert len(other.calls) == before


def test_policies_without_origins_know_none() -> None:
    text = POLICY.replace('origins: ["https://cdn.test"]\n', "").replace(
        ', to: ["https://cdn.test/v/**"]', ', to: ["/v/**"]'
    )
    scope = load_policy_text(text).scope("video", {"id": ("abc",), "media": ("https://cdn.test/a.mp4",)})
    assert scope.player(lambda place: "x") is None
