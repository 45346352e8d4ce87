"""Links by API: what spec 5 promises to programs."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from gateway.config_file import load_config
from gateway.loading import loaded
from tests.api.conftest import Api
from tests.running import enter


async def test_a_link_has_the_shape_of_the_contract(api: Api) -> None:
    made = await api.link(name="Film club", clicks=30, days=7)
    assert list(made) == [
        "id", "server", "item", "kind", "title", "name", "url", "state", "clicks", "created_at", "starts_at",
        "expires_at", "created_by", "enabled", "viewers", "pin", "emails", "wrong_tries", "version",
    ]  # fmt: skip
    assert made["clicks"] == {"limit": 30, "used": 0}
    assert made["viewers"] == {"limit": None, "now": 0}
    assert (made["state"], made["created_by"], made["title"], made["kind"]) == (
        "active",
        "alice",
        "Film abc123",
        "video",
    )
    assert (made["starts_at"], made["pin"], made["version"]) == (None, False, 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["expires_at"])
    read = await api.call(f"GET /links/{made['id']}")
    assert read.json == made
    assert read.headers["etag"] == '"1"'


async def test_created_answers_201_with_its_place(api: Api) -> None:
    made = await api.call("POST /links", {"server": "tv", "item": "abc123", "name": "x"})
    assert made.status == 201
    assert made.headers["location"] == f"/_gateway/api/v1/links/{made.json['id']}"
    assert made.headers["content-type"] == "application/json"


async def test_an_item_may_be_named_by_the_address_of_its_page(api: Api) -> None:
    made = await api.link(f"http://127.0.0.1:{api.library.port}/web/#/details?id=abc123&context=home")
    assert made["item"] == "abc123"


async def test_the_fourth_link_is_refused_and_a_deleted_one_does_not_count(api: Api) -> None:
    made = [await api.link() for _ in range(3)]
    fourth = await api.call("POST /links", {"server": "tv", "item": "abc123", "name": "x"})
    assert fourth.status == 409
    assert (await api.call(f"DELETE /links/{made[0]['id']}")).status == 204
    await api.link()


async def test_every_fault_is_named_at_once_by_its_field(api: Api) -> None:
    refused = await api.call(
        "POST /links", {"server": "tv", "name": "", "clicks": 0, "days": 1.5, "pin": "123", "colour": "red"}
    )
    assert refused.status == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json["status"] == 400
    assert set(refused.json["errors"]) == {"item", "name", "clicks", "days", "pin", "colour"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clicks", -1), ("clicks", 0), ("clicks", 1.5), ("clicks", True), ("clicks", "3"), ("clicks", 10**10),
        ("days", 0), ("days", -1), ("days", []), ("name", " \u200b"), ("name", "x" * 101), ("name", None),
        ("starts_at", "2027-01-01T00:00:00"), ("starts_at", "2027-02-30T00:00:00Z"), ("starts_at", "soon"),
        ("starts_at", "9999-01-01T00:00:00Z"), ("starts_at", "0001-01-01T00:00:00+23:59"), ("starts_at", 5),
        ("viewers", 0), ("viewers", -1), ("viewers", True), ("viewers", 2.5), ("pin", "123"), ("pin", 1234),
        ("pin", "12 345"), ("pin", "12\u2003345"), ("pin", "x" * 65), ("pin", ""), ("emails", "a@example.org"),
        ("emails", ["a@b@c"]), ("emails", [""]), ("emails", [5]), ("emails", ["@"]), ("emails", ["x@y.org"] * 501),
    ],
)  # fmt: skip
async def test_values_that_cannot_be_are_refused_alike_when_made_and_when_changed(
    api: Api, field: str, value: object
) -> None:
    made = await api.link()
    body = {"server": "tv", "item": "abc123", "name": "x", field: value}
    assert (await api.call("POST /links", body)).json["errors"].keys() == {field}
    changed = await api.call(f"PATCH /links/{made['id']}", {field: value})
    assert changed.status == 400
    assert changed.json["errors"].keys() == {field}
    assert (await api.call(f"GET /links/{made['id']}")).json == made


async def test_options_are_kept_told_and_lifted(api: Api) -> None:
    options = {
        "starts_at": "2099-01-01T18:00:00+01:00",
        "viewers": 2,
        "pin": "2468",
        "emails": ["B@Example.org", "x.org"],
    }
    made = await api.link(**options)
    assert (made["starts_at"], made["state"]) == ("2099-01-01T17:00:00Z", "scheduled")
    assert made["viewers"] == {"limit": 2, "now": 0}
    assert (made["pin"], made["emails"]) == (True, ["b@example.org", "@x.org"])
    assert "2468" not in str(made)
    audit = await api.call("GET /audit")
    assert "example.org" not in str(audit.json)
    lifted = await api.call(f"PATCH /links/{made['id']}", {**dict.fromkeys(options), "emails": []})
    assert lifted.status == 200
    assert (lifted.json["starts_at"], lifted.json["pin"], lifted.json["emails"]) == (None, False, None)
    assert lifted.json["viewers"]["limit"] is None
    assert lifted.json["state"] == "active"
    record = (await api.call("GET /audit?action=link_changed")).json["events"][0]["detail"]
    assert record == {"starts_at": "none", "viewers_limit": "none", "pin": "none", "emails": "none"}


async def test_a_link_never_ends_before_it_starts(api: Api) -> None:
    late = "2099-01-01T00:00:00Z"
    refused = await api.call(
        "POST /links", {"server": "tv", "item": "abc123", "name": "x", "days": 2, "starts_at": late}
    )
    assert (refused.status, set(refused.json["errors"])) == (400, {"starts_at"})
    short, waiting = await api.link(days=2), await api.link(starts_at=late)
    for link, change in ((short, {"starts_at": late}), (waiting, {"days": 3})):
        refused = await api.call(f"PATCH /links/{link['id']}", change)
        assert (refused.status, set(refused.json["errors"])) == (400, {"starts_at"})
        assert (await api.call(f"GET /links/{link['id']}")).json == link


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"name": NaN}',
        b'{"name":"a","name":"b"}',
        b"\xff\xfe",
        b'{"name": "a\\ud800"}',
        b"[" * 50_000,
    ],
)
async def test_bodies_that_are_no_object_are_a_clear_400(api: Api, raw: bytes) -> None:
    made = await api.link()
    refused = await api.call(f"PATCH /links/{made['id']}", raw=raw, headers="Content-Type: application/json\r\n")
    assert refused.status == 400
    assert refused.json["errors"]


async def test_other_types_and_large_bodies_are_refused(api: Api) -> None:
    form = await api.call("POST /links", raw=b"name=x", headers="Content-Type: application/x-www-form-urlencoded\r\n")
    assert form.status == 415
    assert (await api.call("POST /links", raw=b" " * 70_000)).status == 413


async def test_a_change_lifts_limits_and_keeps_what_it_does_not_name(api: Api) -> None:
    made = await api.link(clicks=3, days=3)
    changed = (await api.call(f"PATCH /links/{made['id']}", {"clicks": None, "enabled": False})).json
    assert (changed["clicks"]["limit"], changed["state"], changed["expires_at"]) == (None, "off", made["expires_at"])
    assert changed["version"] == made["version"] + 1
    assert changed["url"] == made["url"]
    assert (await api.call(f"PATCH /links/{made['id']}", {})).status == 400


async def test_two_managers_at_once_lose_no_change(api: Api) -> None:
    made = await api.link()
    path = f"/links/{made['id']}"
    assert (await api.call(f"PATCH {path}", {"name": "first"}, headers='If-Match: "1"\r\n')).status == 200
    late = await api.call(f"PATCH {path}", {"name": "second"}, headers='If-Match: "1"\r\n')
    assert late.status == 412
    assert (await api.call(f"DELETE {path}", headers='If-Match: "1"\r\n')).status == 412
    assert (await api.call(f"PATCH {path}", {"name": "x"}, headers="If-Match: three\r\n")).status == 400
    assert (await api.call(f"GET {path}")).json["name"] == "first"
    assert (await api.call(f"DELETE {path}", headers='If-Match: "2"\r\n')).status == 204
    assert (await api.call(f"PATCH {path}", {"name": "x"})).status == 410
    assert (await api.call(f"DELETE {path}")).status == 410


async def test_the_switch_of_an_item(api: Api) -> None:
    before = (await api.call("GET /access?server=tv&item=abc123")).json
    assert (before["enabled"], before["links"], before["links_allowed"]) == (False, [], 3)
    made = await api.link()
    off = await api.call("PUT /access", {"server": "tv", "item": "abc123", "enabled": False})
    assert (off.json["enabled"], off.json["links"][0]["state"]) == (False, "off")
    assert (await api.call("POST /links", {"server": "tv", "item": "abc123", "name": "x"})).status == 409
    on = await api.call("PUT /access", {"server": "tv", "item": "abc123", "enabled": True})
    assert on.json["links"][0]["state"] == "active"
    assert on.json["links"][0]["id"] == made["id"]


async def test_ceilings_are_told_kept_to_and_show_what_is_from_before(api: Api) -> None:
    old = await api.link()
    file = api.running.config.file.with_name("policy.yaml")
    file.write_text(file.read_text() + "guest_access: {default_days: 7, max_days: 30, max_clicks: 9, require: [pin]}\n")
    await api.running.gateway.adapt(loaded(load_config(api.running.config.file, need_servers=True)))
    found = (await api.call("GET /access?server=tv&item=abc123")).json
    assert found["ceilings"] == {"default_days": 7, "max_days": 30, "max_clicks": 9, "require": ["pin"]}
    assert found["links"][0]["state"] == "active"
    wish = {"server": "tv", "item": "abc123", "name": "x"}
    refused = await api.call("POST /links", {**wish, "days": 31, "clicks": 10})
    assert refused.status == 400
    assert refused.json["errors"] == {
        "days": "must be at most 30 here",
        "clicks": "must be at most 9 here",
        "pin": "is needed here",
    }
    made = await api.link(pin="4711")
    assert made["clicks"]["limit"] == 9
    days = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert days.days == 7
    for body in ({"clicks": None}, {"days": None}, {"pin": None}, {"days": 31}):
        answer = await api.call(f"PATCH /links/{made['id']}", body)
        assert (answer.status, list(answer.json["errors"])) == (400, list(body))
    assert (await api.call(f"PATCH /links/{made['id']}", {"days": 30, "pin": "0815"})).status == 200
    assert (await api.call(f"PATCH /links/{old['id']}", {"name": "Older", "enabled": False})).status == 200
    for query, expected in (("true", [old["id"]]), ("false", [made["id"]])):
        listed = (await api.call(f"GET /links?breaks={query}")).json
        assert [one["id"] for one in listed["links"]] == expected


async def test_refusals_of_the_media_server_and_of_kinds(api: Api) -> None:
    api.library.gone.add("gone01")
    gone = await api.call("POST /links", {"server": "tv", "item": "gone01", "name": "x"})
    assert gone.status == 410
    folder = await api.call("POST /links", {"server": "tv", "item": "folder1", "name": "x"})
    assert folder.status == 409
    assert "channel" in folder.json["detail"]
    assert (await api.call("POST /links", {"server": "nope", "item": "abc123", "name": "x"})).status in (400, 403)
    api.library.broken = True
    assert (await api.call("POST /links", {"server": "tv", "item": "other1", "name": "x"})).status == 502


async def test_lists_are_searched_sorted_filtered_and_paged(api: Api) -> None:
    for number in range(7):
        await api.link(f"item0{number}", name=f"Link {number}", clicks=number + 1)
    first = (await api.call("GET /links?sort=name&limit=3")).json
    assert [one["name"] for one in first["links"]] == ["Link 0", "Link 1", "Link 2"]
    assert first["total"] == 7
    second = (await api.call(f"GET /links?sort=name&limit=3&cursor={first['next']}")).json
    third = (await api.call(f"GET /links?sort=name&limit=3&cursor={second['next']}")).json
    assert [one["name"] for one in (*second["links"], *third["links"])] == [f"Link {n}" for n in range(3, 7)]
    assert "next" not in third
    down = (await api.call("GET /links?sort=-name&limit=2")).json
    assert [one["name"] for one in down["links"]] == ["Link 6", "Link 5"]
    assert (await api.call("GET /links?q=LINK+5")).json["links"][0]["item"] == "item05"
    assert (await api.call("GET /links?server=tv&item=item03")).json["total"] == 1
    await api.call(f"PATCH /links/{first['links'][0]['id']}", {"enabled": False})
    assert (await api.call("GET /links?state=off")).json["total"] == 1
    assert (await api.call(f"GET /links?sort=clicks&cursor={first['next']}")).status == 400


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=1&limit=2",
        "sort=colour",
        "state=open",
        "cursor=%25%25",
        "x=1",
        "cursor=",
    ],
)
async def test_a_query_that_says_nothing_is_refused_with_its_field(api: Api, query: str) -> None:
    refused = await api.call(f"GET /links?{query}")
    assert refused.status == 400
    assert refused.json["errors"]


async def test_used_clicks_and_changes_of_others_show_at_once(api: Api) -> None:
    made = await api.link(clicks=1)
    assert (await api.call("GET /links")).json["links"][0]["state"] == "active"
    await enter(api.running.port, made["url"])
    for _ in range(100):
        listed = (await api.call("GET /links")).json["links"][0]
        if listed["state"] == "used_up":
            break
    assert listed["clicks"] == {"limit": 1, "used": 1}
    assert listed["viewers"]["now"] == 1
