from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from gateway.guest.leave import LeaveDoor

PAGE = {"Accept": "text/html", "Cookie": "gateway=a+b"}


@dataclass
class FakeDoorkeeper:
    remaining: tuple[str, ...] = ()
    left: list[object] = field(default_factory=list)

    async def leave(self, grant_ids, only):
        self.left.append((grant_ids, only))
        return self.remaining


@dataclass
class FakeGrants:
    shared: bool = False
    over: bool = False

    def known(self, ids):
        return () if self.over else (SimpleNamespace(guest=SimpleNamespace(shared_device=self.shared)),)

    async def load(self, ids):
        return self.known(ids)


class FakeSessions:
    def grant_ids(self, request):
        return ("a", "b") if "gateway=a+b" in request.headers.get("Cookie", "") else ()

    def write(self, request, response, grant_ids, persistent):
        response.headers.add("Set-Cookie", f"{'+'.join(grant_ids)} persistent={persistent}")

    def clear(self, request, response):
        response.headers.add("Set-Cookie", "cleared")


@pytest.fixture
def keeper():
    return FakeDoorkeeper()


@pytest.fixture
def grants():
    return FakeGrants()


@pytest.fixture
def leave(stage, keeper, grants):
    stage.door = LeaveDoor(keeper, grants, FakeSessions(), form_limit=1_000).handle
    return stage


async def ask(stage, method="POST", headers=PAGE, **more):
    async with stage.client.request(method, "/_gateway/leave", headers=headers, **more) as answer:
        return answer, await answer.text()


async def test_leaving_everything_clears_the_cookie(leave, keeper):
    answer, page = await ask(leave)
    assert answer.status == 200
    assert "You have left" in page
    cleared, forgotten = answer.headers.getall("Set-Cookie")
    assert cleared == "cleared"
    assert forgotten.startswith("gateway-guest=; Path=/;"), "name and address go from this device too"
    assert keeper.left == [(("a", "b"), None)]


@pytest.mark.parametrize("shared", [False, True])
async def test_leaving_one_keeps_the_others_as_long_as_before(leave, keeper, grants, shared):
    keeper.remaining, grants.shared = ("a",), shared
    answer, _ = await ask(leave, data={"grant": "b"})
    assert keeper.left == [(("a", "b"), "b")]
    assert answer.headers["Set-Cookie"] == f"a persistent={not shared}"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "none"}]
)
async def test_nobody_can_be_made_to_leave(leave, keeper, headers):
    answer, _ = await ask(leave, headers={**PAGE, **headers})
    assert answer.status == 403
    assert keeper.left == []


async def test_the_cookie_never_outlives_what_a_guest_may_have_wished(leave, keeper, grants):
    keeper.remaining, grants.over = ("a",), True
    answer, _ = await ask(leave, data={"grant": "b"})
    assert answer.headers["Set-Cookie"] == "a persistent=False"


async def test_our_own_page_sends_no_referrer_and_may(leave, keeper):
    answer, _ = await ask(leave, headers={**PAGE, "Origin": "null", "Sec-Fetch-Site": "same-origin"})
    assert answer.status == 200
    assert len(keeper.left) == 1


async def test_looking_ends_nothing(leave, keeper):
    answer, page = await ask(leave, "GET")
    assert answer.status == 200
    assert '<form method="post" action="/_gateway/leave">' in page
    assert keeper.left == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_session_there_is_nothing_to_leave(leave, keeper, method):
    answer, page = await ask(leave, method, headers={"Accept": "text/html"})
    assert answer.status == 200
    assert "nothing to leave" in page
    assert keeper.left == []


async def test_a_strange_body_is_refused(leave, keeper):
    answer, _ = await ask(
        leave, data=b"grant=a&grant=b", headers={**PAGE, "Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status == 400
    assert keeper.left == []
