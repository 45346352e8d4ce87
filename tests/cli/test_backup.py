"""`gateway backup` and `gateway restore` on the real embedded store, without a gateway that runs."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from tests.cli.test_link import create

FILE = "links.backup"


def listed(run) -> list[dict]:
    return json.loads(run("link", "list", "--json").stdout)


def backed_up(run, *more: str) -> dict:
    found = run("backup", FILE, "--json", *more)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def restored(run, *more: str, file: str = FILE) -> dict:
    found = run("restore", file, "--json", *more)
    assert found.exit_code == 0, found.output
    return {name: count for name, count in json.loads(found.stdout).items() if count and name != "created"}


def start_anew(deployment: Path, *, keep_secret: bool = True) -> None:
    """The machine was lost, but for what was kept elsewhere."""
    secret = (deployment / "data" / "secret").read_bytes()
    shutil.rmtree(deployment / "data")
    if keep_secret:
        (deployment / "data").mkdir(mode=0o700)
        (deployment / "data" / "secret").write_bytes(secret)
        (deployment / "data" / "secret").chmod(0o600)


def test_the_way_there_and_back(run, deployment: Path) -> None:
    create(run, "--clicks", "3", "--days", "2")
    create(run, item="xyz", name="Sneaky\x1b[2J")
    gone = create(run, item="xyz")
    run("link", "delete", gone["id"])
    run("access", "off", "--item", "xyz")
    before = listed(run)
    assert backed_up(run) == {"file": FILE, "items": 2, "links": 2, "deleted": 1, "keys": False}
    start_anew(deployment)
    assert listed(run) == []
    assert restored(run) == {"restored": 2}
    assert listed(run) == before
    assert restored(run) == {"unchanged": 2}
    found = run("link", "edit", gone["id"], "--name", "x")
    assert "has been deleted" in found.stderr


def test_what_people_read(run, deployment: Path) -> None:
    create(run)
    made = run("backup", FILE)
    assert made.stdout == "links.backup: 1 link of 1 item, without keys\n"
    assert "keep the secret too" in made.stderr
    assert run("restore", FILE).stdout == "1 unchanged\n"
    start_anew(deployment)
    assert run("restore", FILE).stdout == "1 restored\n"


def test_the_file_is_private_and_holds_no_token_and_no_key(run, deployment: Path) -> None:
    token = create(run)["url"].rpartition("/")[2]
    backed_up(run)
    assert stat.S_IMODE((deployment / FILE).stat().st_mode) == 0o600
    content = (deployment / FILE).read_bytes()
    assert token.encode() not in content
    secret = (deployment / "data" / "secret").read_bytes().strip()
    assert secret not in content
    found = run("backup", FILE, "--with-keys")
    assert "can open every link and make sessions" in found.stderr
    assert secret in (deployment / FILE).read_bytes()
    assert token.encode() not in (deployment / FILE).read_bytes()
    assert stat.S_IMODE((deployment / FILE).stat().st_mode) == 0o600


def test_standard_output_and_input(run, deployment: Path) -> None:
    create(run)
    made = run("backup", "-", "--json")
    assert made.stderr.startswith("standard output: 1 link of 1 item, without keys\n")
    lines = made.stdout.splitlines()
    assert [next(iter(json.loads(line))) for line in lines] == ["backup", "item", "end"]
    start_anew(deployment)
    assert run("restore", "-", stdin=made.stdout).stdout == "1 restored\n"


def test_a_file_that_cannot_be_written_is_said(run, deployment: Path) -> None:
    create(run)
    for file, said in (("no/where", "No such file"), (".", "not a plain file"), ("/dev/full", "not a plain file")):
        found = run("backup", file)
        assert (found.exit_code, found.stdout) == (1, "")
        assert f"gateway: {file} is not written" in found.stderr
        assert said in found.stderr


def test_a_backup_that_fails_leaves_the_last_one(run, deployment: Path) -> None:
    create(run)
    backed_up(run)
    before = (deployment / FILE).read_bytes()
    with (deployment / "config.yaml").open("a") as config:
        config.write("store: redis://127.0.0.1:9\n")
    assert run("backup", FILE).exit_code == 1
    assert (deployment / FILE).read_bytes() == before
    assert sorted(one.name for one in deployment.iterdir() if one.is_file()) == ["config.yaml", FILE, "policy.yaml"]


def test_differences_are_named_and_nothing_is_done(run) -> None:
    changed, deleted = create(run), create(run, name="Gone")
    missing = create(run, item="xyz")
    backed_up(run)
    run("link", "edit", changed["id"], "--name", "Neu")
    run("link", "delete", deleted["id"])
    run("access", "off", "--item", "abc")
    before = listed(run)
    found = run("restore", FILE)
    assert (found.exit_code, found.stdout) == (1, "")
    assert set(found.stderr.splitlines()[:3]) == {
        "item abc on tv: its guest access is switched otherwise",
        f"link {changed['id']} (Film club) has been changed",
        f"link {deleted['id']} (Gone) has been deleted since",
    }
    assert "nothing is restored" in found.stderr
    assert listed(run) == before
    assert restored(run, "--merge") == {"kept": 1, "deleted": 1, "unchanged": 1}
    assert listed(run) == before
    assert restored(run, "--replace") == {"replaced": 1, "deleted": 1, "unchanged": 1}
    assert {one["id"]: one["name"] for one in listed(run)} == {changed["id"]: "Film club", missing["id"]: "Film club"}
    assert restored(run, "--merge", "--revive") == {"revived": 1, "unchanged": 2}
    assert {one["id"] for one in listed(run)} == {changed["id"], missing["id"], deleted["id"]}
    assert {one["state"] for one in listed(run)} == {"active"}


@pytest.mark.parametrize("options", [("--merge", "--replace"), ("--revive",)])
def test_options_that_do_not_go_together(run, options: tuple[str, ...]) -> None:
    backed_up(run)
    assert run("restore", FILE, *options).exit_code == 2


def test_a_file_that_is_cut_or_changed_is_refused_and_nothing_is_made(run, deployment: Path) -> None:
    create(run)
    backed_up(run)
    content = (deployment / FILE).read_bytes()
    start_anew(deployment, keep_secret=False)
    for wrong in (content[:-30], content.replace(b"Film", b"Folm"), b"", b"hello\n"):
        (deployment / FILE).write_bytes(wrong)
        found = run("restore", FILE)
        assert (found.exit_code, found.stdout) == (2, "")
        assert found.stderr.startswith("gateway: ")
    assert run("restore", "nowhere").exit_code == 2
    assert not (deployment / "data").exists()


def test_a_file_somebody_else_could_have_written_is_refused(run, deployment: Path) -> None:
    """With a right SHA-256 and a limit that was never given."""
    import hashlib

    create(run, "--clicks", "3")
    backed_up(run)
    *lines, end = (deployment / FILE).read_text().splitlines(keepends=True)
    body = "".join(lines).replace('"clicks_limit":"3"', '"clicks_limit":"300"')
    closing = {**json.loads(end), "sha256": hashlib.sha256(body.encode()).hexdigest()}
    (deployment / FILE).write_text(body + json.dumps(closing) + "\n")
    found = run("restore", FILE, "--replace")
    assert found.exit_code == 2
    assert "changed by somebody who does not have the gateway's secret" in found.stderr
    assert listed(run)[0]["clicks"]["limit"] == 3


def test_without_a_secret_nothing_is_restored_and_none_is_made(run, deployment: Path) -> None:
    create(run)
    backed_up(run)
    start_anew(deployment, keep_secret=False)
    found = run("restore", FILE)
    assert found.exit_code == 2
    assert "this deployment has no secret, and the backup holds none" in found.stderr
    assert not (deployment / "data").exists()


def test_keys_in_the_file_become_those_of_an_empty_deployment(run, deployment: Path) -> None:
    link = create(run)
    backed_up(run, "--with-keys")
    secret = (deployment / "data" / "secret").read_bytes()
    start_anew(deployment, keep_secret=False)
    found = run("restore", FILE)
    assert (found.exit_code, found.stdout) == (0, "1 restored\n")
    assert "data/secret is now the secret of the backup" in found.stderr
    assert (deployment / "data" / "secret").read_bytes() == secret
    assert stat.S_IMODE((deployment / "data" / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((deployment / "data").stat().st_mode) == 0o700
    assert listed(run)[0]["url"] == link["url"]


def test_another_key_is_refused_with_what_to_do(run, deployment: Path) -> None:
    link = create(run)
    backed_up(run, "--with-keys")
    start_anew(deployment, keep_secret=False)
    create(run, item="xyz")
    found = run("restore", FILE)
    assert (found.exit_code, found.stdout) == (2, "")
    assert "sealed with another key" in found.stderr
    assert "behind ours in secrets:" in found.stderr
    assert "on line 2" in found.stderr
    # And so it is done.
    old = json.loads((deployment / FILE).read_text().splitlines()[1])["secrets"][0]
    (deployment / "old.key").write_text(old)
    (deployment / "old.key").chmod(0o600)
    with (deployment / "config.yaml").open("a") as config:
        config.write("secrets: [file:data/secret, file:old.key]\n")
    assert restored(run) == {"restored": 1}
    with (deployment / "config.yaml").open("a") as config:
        config.write("")
    text = (deployment / "config.yaml").read_text().replace(", file:old.key", "")
    (deployment / "config.yaml").write_text(text)
    assert link["url"] in [one["url"] for one in listed(run)]


def test_keys_are_not_installed_beside_a_store_of_others(run, deployment: Path) -> None:
    create(run)
    backed_up(run, "--with-keys")
    start_anew(deployment, keep_secret=False)
    create(run, item="xyz")
    (deployment / "data" / "secret").rename(deployment / "kept")
    found = run("restore", FILE)
    assert found.exit_code == 2
    assert "belong to another key" in found.stderr
    assert not (deployment / "data" / "secret").exists()


def test_a_server_that_config_does_not_name_is_said(run, deployment: Path) -> None:
    create(run)
    backed_up(run)
    text = (deployment / "config.yaml").read_text()
    (deployment / "config.yaml").write_text(text.replace("name: tv", "name: radio"))
    start_anew(deployment)
    found = run("restore", FILE)
    assert found.exit_code == 0
    assert "not in config.yaml, so their links stay shut: tv" in found.stderr


def test_both_are_in_the_audit_log(run, deployment: Path) -> None:
    import asyncio

    from gateway.config_file import load_config
    from gateway.store.audit import AuditTrail
    from gateway.store.opening import open_store

    create(run)
    backed_up(run, "--with-keys")
    restored(run)

    async def read() -> list[tuple[str, dict[str, str]]]:
        async with open_store(load_config(deployment / "config.yaml"), "command") as links:
            return [(str(event.action), dict(event.detail)) async for event in AuditTrail(links.store).backwards()]

    restore, backup = [one for one in asyncio.run(read()) if one[0].startswith("backup_")]
    assert backup == ("backup_made", {"links": "1", "keys": "yes"})
    assert (restore[0], restore[1]["links"]) == ("backup_restored", "1")
