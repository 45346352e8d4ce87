"""Cookies of a media server that are kept for a grant: several workers agree, and the stream path asks nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.access.authorize import Allowed
from gateway.access.live import LiveGrant
from gateway.access.servers import MediaServer, Servers
from gateway.policy.jar import CookieRules, kept_pairs
from gateway.store.client import Store
from tests.access.world import Worker, World, make_world, until

RULES = CookieRules(kept=frozenset({"session", "t"}))


async def keeping(store: Store) -> World:
    world = await make_world(store)
    world.servers = Servers(
        [MediaServer(one.config, replace(one.policy, cookies=RULES), one.line) for one in world.servers.all]
    )
    return world


async def seen_by(worker: Worker, grant: str) -> list[tuple[str, str]]:
    allowed = await worker.stream(grant)
    assert isinstance(allowed, Allowed)
    return kept_pairs(RULES, allowed.live.grant.brought, "/", 0)


async def test_what_one_worker_has_taken_the_next_request_at_another_is_sent_with(store: Store) -> None:
    world = await keeping(store)
    async with world.worker() as one, world.worker() as other:
        _, token = await world.link()
        grant = (await one.admitted(token)).live.grant.id
        first, second = await one.stream(grant), await other.stream(grant)
        assert isinstance(first, Allowed)
        assert isinstance(second, Allowed)
        scope = second.live.scope
        for number in range(30):
            await one.table.bring(first.live, {"cookie session /": (f"0:v{number}",)})
            await until(lambda: second.live.news > 0 or second.live.grant.brought == first.live.grant.brought)
            assert await seen_by(other, grant) == [("session", f"v{number}")]
        assert second.live.scope is scope, "cookies are nothing that is judged by"
        assert first.live.grant.brought == {"cookie session /": ("0:v29",)}


async def test_two_workers_that_take_different_ones_at_once_lose_none(store: Store) -> None:
    world = await keeping(store)
    async with world.worker() as one, world.worker() as other:
        _, token = await world.link()
        grant = (await one.admitted(token)).live.grant.id
        first, second = await one.stream(grant), await other.stream(grant)
        assert isinstance(first, Allowed)
        assert isinstance(second, Allowed)

        async def take(worker: Worker, live: LiveGrant, name: str) -> None:
            for number in range(10):
                await worker.table.bring(live, {f"cookie {name} /": (f"0:{number}",)})

        await asyncio.gather(take(one, first.live, "session"), take(other, second.live, "t"))
        await until(lambda: len(first.live.grant.brought) == len(second.live.grant.brought) == 2)
        await until(lambda: first.live.grant.brought == second.live.grant.brought)
        await until(lambda: not first.live.news and not second.live.news)
        assert await seen_by(one, grant) == await seen_by(other, grant) == [("session", "9"), ("t", "9")]
        both = [("0:9",), ("0:9",)]
        assert list(first.live.grant.brought.values()) == both, "only the latest is kept"
