from __future__ import annotations

from types import SimpleNamespace

import pytest

from gateway.guest.back import BackDoor


class Grants:
    """Knows nothing before it has asked the store."""

    def __init__(self):
        self.loaded = []

    def known(self, ids, server):
        return ids if ids in self.loaded else None

    async def load(self, ids, server):
        self.loaded.append(ids)


def way_back(server, ids):
    return {"tv": {("a",): "/media/a"}}[server.config.name].get(ids)


@pytest.fixture
def door(stage):
    sessions = SimpleNamespace(grant_ids=lambda request: tuple(request.headers.get("Cookie", "")))
    stage.door = BackDoor(Grants(), sessions, way_back).handle
    return stage


async def ask(stage, cookie="", method="GET"):
    headers = {"Accept": "text/html", "Cookie": cookie}
    async with stage.client.request(method, "/_gateway/back", headers=headers, allow_redirects=False) as answer:
        return answer


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_to_the_media(door, method):
    answer = await ask(door, "a", method)
    assert (answer.status, answer.headers["Location"], answer.headers["Cache-Control"]) == (303, "/media/a", "no-store")


@pytest.mark.parametrize("cookie", ["", "b"])
async def test_who_has_no_live_grant_needs_a_link(door, cookie):
    assert (await ask(door, cookie)).status == 403
    assert str(door.visits[-1].reason) == "no_session"


async def test_nothing_is_posted_here(door):
    assert (await ask(door, "a", "POST")).status == 405
