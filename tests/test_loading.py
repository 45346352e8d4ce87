"""From the files to what can be put in force: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.errors import BadFile
from gateway.files import Files
from gateway.loading import Loaded, load

CONFIG = """\
listen: 127.0.0.1:8080
public_url: http://127.0.0.1:8080
servers:
  - {name: one, upstream: "http://127.0.0.1:1", policy: ./a.yaml, public_host: one.localhost}
  - {name: two, upstream: "http://127.0.0.1:2", policy: ./b.yaml, public_host: two.localhost}
"""
POLICY = """\
server: A server
item: {id: "[a-z]{3}"}
kinds: {video: {player: {src: "/hls/{id}/i.m3u8"}, allow: ["GET /hls/{id}/i.m3u8"]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(POLICY)
    return tmp_path


def again(folder: Path, before: Loaded) -> Loaded:
    return load(folder / "config.yaml", before=before)


def faults(folder: Path, before: Loaded | None = None) -> list[str]:
    with pytest.raises(BadFile) as caught:
        load(folder / "config.yaml", before=before)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_what_has_not_changed_stays_the_same_object(folder: Path) -> None:
    first = load(folder / "config.yaml")
    edit(folder, "a.yaml", "A server", "Another")
    second = again(folder, first)
    assert second.policies["two"] is first.policies["two"]
    assert second.policies["one"] is not first.policies["one"]
    assert second.policies["one"].title == "Another"
    edit(folder, "config.yaml", "127.0.0.1:2", "127.0.0.1:3")  # another home
    assert again(folder, second).policies["two"] is not second.policies["two"]


def test_every_fault_of_every_file_at_once(folder: Path) -> None:
    edit(folder, "config.yaml", "listen:", "lisen:")
    edit(folder, "a.yaml", "kinds", "kins")
    edit(folder, "b.yaml", "{id}/i.m3u8", "{what}/i.m3u8")
    found = faults(folder)
    assert found[0].startswith("config.yaml:1:1: lisen: unknown key")
    assert any(fault.startswith("a.yaml:3:1: ") for fault in found)
    assert any(fault.startswith("b.yaml:3:") for fault in found)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("data_dir: elsewhere", "config.yaml:6:11: data_dir"),
        ("store: redis://127.0.0.1:1", "config.yaml:6:8: store"),
        ("admin_listen: 127.0.0.1:9", "config.yaml:6:15: admin_listen"),
        ("manage: {listen: '127.0.0.1:9', url: 'http://127.0.0.1:9'}", "config.yaml:6:9: manage"),
    ],
)
def test_what_a_running_gateway_cannot_change_is_a_fault_at_its_place(folder: Path, line: str, named: str) -> None:
    before = load(folder / "config.yaml")
    with (folder / "config.yaml").open("a") as file:
        file.write(f"{line}\n")
    assert faults(folder, before) == [f"{named}: a change of it needs a restart; until then nothing here is in force"]
    load(folder / "config.yaml")  # at a start it is fine


def test_secrets_need_a_restart(folder: Path) -> None:
    before = load(folder / "config.yaml")
    key = folder / "key"
    key.write_text("k" * 40)
    key.chmod(0o600)
    with (folder / "config.yaml").open("a") as file:
        file.write("secrets: ['file:key']\n")
    assert "secrets: a change of it needs a restart" in faults(folder, before)[0]


def test_a_managing_host_name_and_all_else_may_change(folder: Path) -> None:
    before = load(folder / "config.yaml")
    with (folder / "config.yaml").open("a") as file:
        file.write("manage: http://manage.localhost:8080\nsession: {leave_after: 1m}\nprefixes: {link: /guest}\n")
    edit(folder, "config.yaml", "name: one", "name: uno")
    assert again(folder, before).config.manage is not None


def test_another_process_makes_the_same_of_what_was_read(folder: Path) -> None:
    first = load(folder / "config.yaml")
    text = first.files.text()
    for name in ("config.yaml", "a.yaml", "b.yaml"):
        os.unlink(folder / name)
    second = load(folder / "config.yaml", files=Files.of_text(text))
    assert second.config == first.config
    assert second.files == first.files


PORTS = POLICY.replace('["GET /hls/{id}/i.m3u8"]', '["GET /hls/{id}/i.m3u8", {request: "POST /whep/{id}", at: webrtc}]')


def test_an_address_that_a_policy_names_and_config_lacks_is_a_fault_that_names_both_places(folder: Path) -> None:
    (folder / "a.yaml").write_text(PORTS)
    (fault,) = faults(folder)
    assert fault.startswith("config.yaml:4:27: servers[0].upstream: the policy ./a.yaml says at: webrtc (a.yaml:3:")
    edit(folder, "config.yaml", '"http://127.0.0.1:1"', '{main: "http://127.0.0.1:1", webrct: "http://127.0.0.1:3"}')
    (fault,) = faults(folder)
    assert "(did you mean webrct?)" in fault
    edit(folder, "config.yaml", "webrct", "webrtc")
    first = load(folder / "config.yaml")
    assert first.warnings == ()
    assert first.policies["one"].home == ("http://127.0.0.1:1", "http://127.0.0.1:3")
    edit(folder, "config.yaml", ', webrtc: "http://127.0.0.1:3"', "")
    assert len(faults(folder, first)) == 1, "also while a gateway runs"


def test_an_address_that_nothing_asks_for_is_warned_of_and_so_is_one_on_another_host(folder: Path) -> None:
    edit(folder, "config.yaml", '"http://127.0.0.1:1"', '{main: "http://127.0.0.1:1", api: "http://api.lan"}')
    (warning,) = load(folder / "config.yaml").warnings
    assert str(warning).replace(f"{folder}/", "") == (
        "config.yaml:4:56: servers[0].upstream.api: no rule of the policy ./a.yaml says at: api"
    )
    (folder / "a.yaml").write_text(PORTS.replace("webrtc", "api") + "upstream: {basic: 'user:password'}\n")
    (warning,) = load(folder / "config.yaml").warnings
    assert "api.lan is another host than that of main, and gets the policy's credentials as well" in warning.what


@pytest.mark.parametrize("name", ["gateway", "Gateway-Framed", "__Host-gateway", "__Host-Http-gateway-guest", "tv-x"])
def test_a_cookie_of_ours_is_no_guests(folder: Path, name: str) -> None:
    (folder / "a.yaml").write_text(POLICY + f"cookies: [session, {{{name}: guest}}]\n")
    edit(folder, "config.yaml", "servers:", "session: {cookie: tv}\nservers:")
    assert any(f"cookies: {name} is a name of the gateway's own" in fault for fault in faults(folder))
    (folder / "a.yaml").write_text(POLICY + "cookies: [gateway, {gatewayed: guest}, {television: guest}]\n")
    load(folder / "config.yaml")
