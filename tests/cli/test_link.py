"""`gateway link …` and `gateway access …` on the real embedded store, without a gateway that runs."""

from __future__ import annotations

import getpass
import json
import re
import time
from pathlib import Path

import pytest

LINK_KEYS = [
    "id", "server", "item", "kind", "title", "name", "url", "state", "clicks", "created_at", "starts_at", "expires_at",
    "created_by", "enabled", "viewers", "pin", "emails", "wrong_tries", "version",
]  # fmt: skip


def create(run, *more: str, item: str = "abc", name: str = "Film club") -> dict:
    found = run("link", "create", "--item", item, "--name", name, *more, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_create_prints_the_link(run) -> None:
    link = create(run, "--clicks", "3", "--days", "2")
    assert list(link) == LINK_KEYS
    assert re.fullmatch(r"http://guest\.localhost:8080/g/[A-Za-z0-9]{22}", link["url"])
    assert (link["server"], link["item"], link["kind"], link["state"]) == ("tv", "abc", "video", "active")
    assert link["clicks"] == {"limit": 3, "used": 0}
    assert link["created_by"] == f"cli:{getpass.getuser()}"
    assert link["created_at"].endswith("Z")
    shown = run("link", "create", "--server", "tv", "--item", "abc", "--name", "Second").stdout.splitlines()
    assert shown[0].startswith("url      http://guest.localhost:8080/g/")
    assert shown[-1] == "expires  never"


def test_list_shows_all_and_of_an_item(run) -> None:
    one, other = create(run), create(run, item="xyz", name="Sneaky\x1b[2J‮")
    listed = json.loads(run("link", "list", "--json").stdout)
    assert sorted(link["url"] for link in listed) == sorted([one["url"], other["url"]])
    assert json.loads(run("link", "list", "--item", "xyz", "--json").stdout) == [other]
    assert json.loads(run("link", "list", "--state", "used_up", "--json").stdout) == []
    table = run("link", "list", "--item", "abc").stdout.splitlines()
    assert table[0].split() == ["link", "server", "item", "name", "state", "clicks", "expires", "url"]
    assert table[1].split("  ")[0] == one["id"]
    assert "\x1b" not in run("link", "list").stdout


def test_ceilings_apply_and_links_from_before_are_named(run, deployment: Path) -> None:
    old = create(run)
    policy = deployment / "policy.yaml"
    policy.write_text(policy.read_text() + "guest_access: {max_days: 30, require: [clicks]}\n")
    refused = run("link", "create", "--item", "abc", "--name", "x", "--days", "31")
    assert refused.exit_code == 2
    assert "days: must be at most 30 here" in refused.stderr
    assert "clicks: is needed here" in refused.stderr
    made = create(run, "--clicks", "3")
    assert made["expires_at"] is not None
    assert run("link", "edit", made["id"], "--days", "none").exit_code == 2
    assert run("link", "edit", old["id"], "--name", "Older").exit_code == 0
    listed = run("link", "list")
    assert "1 link goes beyond the ceilings" in listed.stderr
    assert f"  {old['id']}  days, clicks" in listed.stderr
    assert [one["id"] for one in json.loads(run("link", "list", "--breaks", "--json").stdout)] == [old["id"]]
    found = json.loads(run("doctor", "--json").stdout)
    (note,) = [one for one in found["checks"] if "beyond" in one["what"]]
    assert (note["state"], note["name"]) == ("note", "server tv")
    assert "1 link goes beyond the ceilings, which are younger (days: 1, clicks: 1); they work on" in note["what"]


def test_an_empty_list_is_empty(run) -> None:
    found = run("link", "list")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "no links\n")
    assert run("link", "list", "--json").stdout == "[]\n"


def test_a_link_is_edited_and_its_limits_lifted(run) -> None:
    link = create(run, "--clicks", "3", "--days", "2")
    edited = json.loads(run("link", "edit", link["id"], "--name", "none", "--clicks", "5", "--json").stdout)
    assert (edited["name"], edited["clicks"]["limit"], edited["expires_at"]) == ("none", 5, link["expires_at"])
    lifted = json.loads(run("link", "edit", link["id"], "--clicks", "none", "--days", "none", "--json").stdout)
    assert (lifted["clicks"]["limit"], lifted["expires_at"], lifted["url"]) == (None, None, link["url"])


def test_further_conditions_are_set_shown_kept_and_lifted(run) -> None:
    link = create(
        run, "--starts-at", "2099-12-01T18:00+01:00", "--viewers", "20", "--pin", "741852",
        "--email", "Anna@Example.org", "--email", "@club.example, ben@example.org",
    )  # fmt: skip
    assert (link["state"], link["starts_at"]) == ("scheduled", "2099-12-01T17:00:00Z")
    assert (link["viewers"], link["pin"]) == ({"limit": 20, "now": 0}, True)
    assert link["emails"] == ["anna@example.org", "@club.example", "ben@example.org"]
    assert json.loads(run("link", "list", "--state", "scheduled", "--json").stdout) == [link]
    shown = [line.split(None, 1) for line in run("link", "edit", link["id"], "--name", "Other").stdout.splitlines()]
    assert ["starts", "2099-12-01 17:00 UTC"] in shown
    assert ["viewers", "0 of 20"] in shown
    assert ["pin", "needed"] in shown
    assert ["only", "for  anna@example.org, @club.example, ben@example.org"] in shown
    lifted = run(
        "link",
        "edit",
        link["id"],
        "--starts-at",
        "none",
        "--viewers",
        "none",
        "--pin",
        "none",
        "--email",
        "none",
        "--json",
    )
    after = json.loads(lifted.stdout)
    assert (after["state"], after["starts_at"], after["pin"], after["emails"]) == ("active", None, False, None)
    assert (after["viewers"]["limit"], after["url"]) == (None, link["url"])
    run(
        "link",
        "edit",
        link["id"],
        "--starts-at",
        "2099-12-01T18:00Z",
        "--days",
        "36500",
        "--pin",
        "852963",
        "--email",
        "x.org",
    )
    record = [one["detail"] for one in json.loads(run("audit", "--action", "link_changed", "--json").stdout)]
    assert re.fullmatch("21[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:]{8}Z", record[0].pop("expires_at"))
    assert record == [
        {"starts_at": "2099-12-01T18:00:00Z", "pin": "set", "emails": "1 entry"},
        {"starts_at": "none", "viewers_limit": "none", "pin": "none", "emails": "none"},
        {"name": "Other"},
    ]


def test_a_pin_is_read_where_it_stands_in_no_history(run) -> None:
    made = run("link", "create", "--item", "abc", "--name", "x", "--pin", "-", "--json", stdin="741852\n")
    assert json.loads(made.stdout)["pin"] is True
    assert "741852" not in made.output
    refused = run("link", "create", "--item", "abc", "--name", "x", "--pin", "-", stdin="12\n")
    assert (refused.exit_code, "pin: must be 4 to 64" in refused.stderr) == (2, True)


def test_a_time_without_a_zone_is_meant_as_it_is_here(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert create(run, "--starts-at", "2099-12-01T18:00")["starts_at"] == "2099-12-01T23:00:00Z"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_link_is_turned_off_on_and_deleted(run) -> None:
    link = create(run)["id"]
    assert json.loads(run("link", "disable", link, "--json").stdout)["state"] == "off"
    assert json.loads(run("link", "enable", link, "--json").stdout)["state"] == "active"
    assert json.loads(run("link", "delete", link, "--json").stdout)["state"] == "deleted"
    again = run("link", "enable", link)
    assert (again.exit_code, again.stdout, again.stderr) == (1, "", "gateway: this link has been deleted\n")


def test_access_of_an_item(run) -> None:
    link = create(run)
    off = run("access", "off", "--item", "abc", "--json")
    assert json.loads(off.stdout) == {"server": "tv", "item": "abc", "enabled": False}
    assert json.loads(run("link", "list", "--json").stdout)[0]["state"] == "off"
    refused = run("link", "create", "--item", "abc", "--name", "x")
    assert (refused.exit_code, "turned off" in refused.stderr) == (1, True)
    assert run("access", "on", "--server", "tv", "--item", "abc").stdout.splitlines() == [
        "item          abc on tv",
        "guest access  on",
    ]
    assert json.loads(run("link", "list", "--json").stdout)[0]["url"] == link["url"]


def test_the_fourth_link_of_an_item_is_refused(run) -> None:
    for _ in range(3):
        create(run)
    found = run("link", "create", "--item", "abc", "--name", "x")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "3 links already" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("create --item abc --name x --days 0", 2, "0 is not a whole number from 1"),
        ("create --item abc --name x --clicks 1.5", 2, "1.5 is not a whole number from 1"),
        ("create --item abc --name x --kind audio", 2, "kind:"),
        ("create --item abc --name ..", 0, ""),
        ("create --item A --name x", 1, "item A is not on the media server"),
        ("create --item abc", 2, "Missing option '--name'"),
        ("edit nothing --clicks 1", 1, "no such link; `gateway link list` shows the ids"),
        ("edit nothing", 2, "nothing to change: --name, --clicks, --days, --starts-at, --viewers, --pin or --email"),
        ("edit nothing --clicks -1", 2, "-1 is not a whole number from 1, or none"),
        ("edit nothing --days 1.5", 2, "1.5 is not a whole number from 1, or none"),
        ("delete nothing", 1, "no such link"),
        ("list --state open", 2, "--state is one of active"),
        ("list --server tb", 2, "no server tb"),
        ("create --item abc --name x --email=", 2, "nothing is neither an address nor a domain"),
        ("edit nothing --email=,", 2, "nothing is neither an address nor a domain"),
        ("create --item abc --name x --pin none", 2, "none is no PIN"),
        ("create --item abc --name x --pin=", 2, "pin: must be 4 to 64 characters"),
    ],
)
def test_what_is_refused(run, arguments: str, code: int, said: str) -> None:
    found = run("link", *arguments.split())
    assert (found.exit_code, said in found.stderr) == (code, True), found.output


def test_a_store_that_is_not_there_is_said(run, deployment: Path) -> None:
    with (deployment / "config.yaml").open("a") as config:
        config.write("store: redis://127.0.0.1:9\n")
    found = run("link", "list")
    assert (found.exit_code, found.stdout) == (1, "")
    assert found.stderr.startswith("gateway: the store can't be used: ConnectionError")
    assert "`gateway doctor`" in found.stderr


def test_another_key_is_refused(run, deployment: Path) -> None:
    create(run)
    (deployment / "data" / "secret").unlink()
    found = run("link", "list")
    assert (found.exit_code, found.stdout) == (2, "")
    assert "belong to another key" in found.stderr
