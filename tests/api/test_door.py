"""The API's door: who is let in, and how it refuses."""

from __future__ import annotations

import json

from gateway.api.openapi import document
from gateway.errors import StoreDown
from tests.api.conftest import Api
from tests.running import ask, enter


async def test_only_a_managers_token_opens_it(api: Api) -> None:
    for who in (None, "wrong", "", "alice extra", "\udcff\udcfe", "münchen"):
        refused = await api.call("GET /links", who=who)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
    twice = "Authorization: Bearer a-token-of-alice-for-the-tests\r\n" * 2
    assert (await api.call("GET /links", who=None, headers=twice)).status == 401
    assert (await api.call("GET /links")).status == 200


async def test_a_cookie_is_no_way_in_and_no_other_origin_hears_a_word(api: Api) -> None:
    made = await api.link()
    cookie, _ = await enter(api.running.port, made["url"])
    refused = await api.call("GET /links", who=None, headers=f"Cookie: {cookie}\r\n")
    assert refused.status == 401
    foreign = await api.call("GET /links", headers="Origin: https://evil.example\r\n")
    assert not [name for name in foreign.headers if name.startswith("access-control")]
    preflight = await api.call(
        "OPTIONS /links", who=None,
        headers="Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
    )  # fmt: skip
    assert preflight.status == 405
    assert not [name for name in preflight.headers if name.startswith("access-control")]


async def test_guessing_tokens_has_to_wait(api: Api) -> None:
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 200:
        statuses.append((await api.call("GET /links", who=f"guess{len(statuses)}")).status)
    assert statuses[0] == 401
    assert statuses[-1] == 429
    # Who has a right one is not kept out by others behind the same address: there is nothing to be guessed.
    assert (await api.call("GET /links")).status == 200
    assert (await api.call("GET /links", who="guess")).status == 429


async def test_what_others_manage_is_403_by_name_and_404_by_id(api: Api) -> None:
    made = await api.link()
    for line, body in (
        ("GET /access?server=tv&item=abc123", None),
        ("PUT /access", {"server": "tv", "item": "abc123", "enabled": False}),
        ("POST /links", {"server": "tv", "item": "abc123", "name": "mine"}),
    ):
        refused = await api.call(line, body, who="rita")
        assert (line, refused.status) == (line, 403)
        assert "Film" not in refused.text
    for line in (f"GET /links/{made['id']}", f"DELETE /links/{made['id']}"):
        assert (await api.call(line, who="rita")).status == 404
    assert (await api.call(f"PATCH /links/{made['id']}", {"name": "mine"}, who="rita")).status == 404
    assert (await api.call("GET /links", who="rita")).json == {"links": [], "total": 0}
    assert (await api.call("GET /guests", who="rita")).json == {"guests": []}
    assert (await api.call("GET /audit", who="rita")).json == {"events": []}
    # An id that never was looks the same.
    never, theirs = [(await api.call(f"GET /links/{one}", who="rita")).json for one in ("0" * 19, made["id"])]
    assert never.pop("reference") != theirs.pop("reference")
    assert never == theirs


async def test_an_owner_is_asked_for_at_each_change(api: Api) -> None:
    assert (await api.call("POST /links", {"server": "tv", "item": "abc123", "name": "x"}, who="owen")).status == 403
    api.library.owners["abc123"] = "owen-there"
    made = await api.link(who="owen")
    api.library.owners["abc123"] = "somebody"
    assert (await api.call(f"PATCH /links/{made['id']}", {"name": "y"}, who="owen")).status == 404
    assert (await api.call(f"GET /links/{made['id']}", who="owen")).status == 404


async def test_the_guests_host_has_none_of_it_and_the_managing_host_nothing_of_theirs(api: Api) -> None:
    made = await api.link()
    for path in ("/_gateway/api/v1/links", "/_gateway/manage", "/_gateway/api/v1/openapi.json"):
        assert (await ask(api.running.port, f"GET {path}")).status == 404
    token = "/" + made["url"].split("/", 3)[3]
    for path in (token, "/media/abc123", "/_gateway/watch/x"):
        assert (await ask(api.port, f"GET {path}")).status == 404
    assert (await ask(api.port, "GET /_gateway/api/v1/links", host="evil.example")).status == 421
    assert (await ask(api.port, "GET /_gateway/api/v1/links", host=f"127.0.0.1:{api.running.port}")).status == 421


async def test_bad_requests_are_problems_and_never_a_500(api: Api) -> None:
    assert (await api.call("GET /nothing")).status == 404
    assert (await api.call("GET /links/a/b")).status == 404
    assert (await api.call("PUT /links", {})).status == 405
    assert (await api.call("GET /links", raw=b"{}")).status == 400
    assert (await api.call("GET /links?a=%00")).status == 400
    assert (await api.call("DELETE /guests/nobody")).status == 404


async def test_a_dead_store_is_said(api: Api, monkeypatch: object) -> None:
    async def dead(*args: object, **kwargs: object) -> object:
        raise StoreDown("no answer from unix:/somewhere")

    api.running.gateway.index.all = dead  # type: ignore[method-assign, assignment]
    refused = await api.call("GET /links")
    assert refused.status == 503
    assert refused.headers["retry-after"]
    assert "somewhere" not in refused.text


async def test_it_describes_itself(api: Api) -> None:
    answer = await api.call("GET /openapi.json", who=None)
    assert answer.status == 200
    assert answer.json == json.loads(json.dumps(document("/_gateway/api/v1")))
    assert answer.json["openapi"] == "3.1.0"
    assert set(answer.json["paths"]) == {"/access", "/links", "/links/{id}", "/guests", "/guests/{id}", "/audit"}


async def test_guests_are_listed_exported_and_removed(api: Api) -> None:
    made = await api.link()
    cookie, entered = await enter(api.running.port, made["url"], name="=HYPERLINK(1)", email="eve@example.org")
    assert entered.status == 303
    guests = (await api.call("GET /guests")).json["guests"]
    assert [(one["name"], one["email"], one["link"]) for one in guests] == [
        ("=HYPERLINK(1)", "eve@example.org", made["id"])
    ]
    assert list(guests[0]) == [
        "id", "link", "server", "item", "name", "email", "fields", "consent", "first_seen", "last_seen", "watched_s",
        "present",
    ]  # fmt: skip
    table = await api.call("GET /guests?server=tv", headers="Accept: text/csv\r\n")
    assert table.headers["content-type"].startswith("text/csv")
    assert "'=HYPERLINK(1)" in table.text
    assert (await ask(api.running.port, "GET /media/abc123", cookie=cookie)).status == 200
    assert (await api.call(f"DELETE /guests/{guests[0]['id']}?erase=true")).status == 204
    assert (await ask(api.running.port, "GET /media/abc123", cookie=cookie)).status == 403
    assert "eve" not in (await api.call("GET /guests")).text
    actions = [one["action"] for one in (await api.call("GET /audit")).json["events"]]
    assert actions == ["guest_erased", "guests_exported", "guest_admitted", "link_opened", "link_created"]


async def test_the_audit_log_is_paged_and_filtered(api: Api) -> None:
    for number in range(5):
        await api.link(f"item0{number}")
    first = (await api.call("GET /audit?limit=2")).json
    assert [one["item"] for one in first["events"]] == ["item04", "item03"]
    second = (await api.call(f"GET /audit?limit=9&cursor={first['next']}")).json
    assert [one["item"] for one in second["events"]] == ["item02", "item01", "item00"]
    assert "next" not in second
    assert len((await api.call("GET /audit?server=tv&item=item03")).json["events"]) == 1
    assert (await api.call("GET /audit?action=link_deleted")).json["events"] == []
    assert (await api.call("GET /audit?cursor=zzz")).status == 400


async def test_a_cursor_before_everything_is_no_cursor(api: Api) -> None:
    """The store calls it an error; that was a 503."""
    for cursor in ("0-0", "00-0", "1", "1-", "-1", "1-1-1", "9" * 20 + "-1", "%31-0a"):
        assert (await api.call(f"GET /audit?cursor={cursor}")).status == 400, cursor
    assert (await api.call("GET /audit?cursor=1-0")).json == {"events": []}
    assert (await api.call(f"GET /audit?cursor={'9' * 19}-{'9' * 19}")).status == 200


async def test_an_address_without_one_reading_is_a_problem_for_programs(api: Api) -> None:
    for path in ("/links?q=%C2%98", "/links?q=%zz", "/links?q=a;b", "/links//x"):
        refused = await api.call(f"GET {path}")
        assert refused.status == 400
        assert refused.headers["content-type"] == "application/problem+json"
        assert "link again" not in refused.text
