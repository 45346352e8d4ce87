"""`webhooks:` of config.yaml: what is right, and what is named at its place without being repeated."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gateway.config import NoticeEvent
from gateway.config_file import load_config
from gateway.errors import BadFile
from tests.config.test_config_file import PUBLIC, SERVER, faults, load, write

HOOK = "webhooks:\n  - name: hook\n    url: https://hooks.example.org/x?key=private\n    secret: sixteen bytes ok\n"


def test_what_is_not_written(tmp_path: Path) -> None:
    (webhook,) = load(tmp_path, PUBLIC + SERVER + HOOK).webhooks
    assert (webhook.name, webhook.url) == ("hook", "https://hooks.example.org/x?key=private")
    assert webhook.secrets == (b"sixteen bytes ok",)
    assert webhook.events == frozenset(NoticeEvent)
    assert (webhook.servers, webhook.allow_internal, webhook.include_guests) == ((), False, False)
    assert load(tmp_path, PUBLIC + SERVER).webhooks == ()
    assert load(tmp_path, PUBLIC + SERVER + "webhooks: []").webhooks == ()


def test_what_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("an old secret of the file\n")
    (tmp_path / "old").chmod(0o600)
    (tmp_path / "url").write_text("http://10.0.0.5:8000/in\n")
    (tmp_path / "url").chmod(0o600)
    key = b"k" * 24
    text = (
        "webhooks:\n  - name: in-house\n    url: file:url\n"
        f"    secret: [whsec_{base64.b64encode(key).decode()}, file:old]\n"
        "    events: [guest_admitted, link_deleted]\n    servers: [tv]\n"
        "    allow_internal: true\n    include_guests: true\n"
    )
    (webhook,) = load(tmp_path, PUBLIC + SERVER + text).webhooks
    assert webhook.url == "http://10.0.0.5:8000/in"
    assert webhook.secrets == (key, b"an old secret of the file")
    assert webhook.events == {NoticeEvent.GUEST_ADMITTED, NoticeEvent.LINK_DELETED}
    assert (webhook.servers, webhook.allow_internal, webhook.include_guests) == (("tv",), True, True)
    hidden = repr(webhook)
    assert not [secret for secret in ("10.0.0.5", "old secret", "kkkk") if secret in hidden]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("url: http://hooks.example.org/", "must begin with https:// (http:// only with allow_internal: true)"),
        ("url: ftp://hooks.example.org/", "must begin with https://"),
        ("url: https://me:private@hooks.example.org/", "must hold no user name or password"),
        ("url: 'https://hooks.example.org/#private'", "must hold no #"),
        ("url: hooks.example.org", "must be a URL such as https://hooks.example.org/guests"),
        ("url: https:///private", "must be a URL such as https://hooks.example.org/guests"),
        ("url: 'https://hooks.example.org/private x'", "must be a URL such as https://hooks.example.org/guests"),
        ("url: https://127.0.0.1/private", "names an internal address; allow_internal: true lets notices go there"),
        ("url: 'https://[::ffff:8.8.8.8]/'", "names an internal address; allow_internal: true lets notices go there"),
        ("url: https://2130706433/private", "must be a URL such as https://hooks.example.org/guests"),
        ("url: https://127.1/private", "must be a URL such as https://hooks.example.org/guests"),
        ("secret: private", "has 7 bytes, at least 16 are needed (`gateway secret` makes one)"),
        ("secret: whsec_AAAA", "has 3 bytes, at least 16 are needed (`gateway secret` makes one)"),
        ("secret: whsec_private!", "must be base64 after whsec_"),
        ("secret: []", "is missing: file:PATH (`gateway secret` makes one)"),
        ("secret: 12", "must be text or file:PATH, not a number"),
        ("events: [guest_admited]", "no event guest_admited (did you mean guest_admitted?)"),
        ("servers: [tw]", "no server tw (known: tv)"),
        ("allow_internal: maybe", "must be true or false"),
        ("name: Hook", "must be small letters, digits and -, at most 40"),
        ("secrets: [x]", "unknown key (did you mean secret?)"),
    ],
)
def test_a_mistake_is_named_and_nothing_private_repeated(tmp_path: Path, line: str, fault: str) -> None:
    key = line.partition(":")[0]
    text = "".join(row for row in HOOK.splitlines(True) if not row.strip().removeprefix("- ").startswith(f"{key}:"))
    text = text if key != "name" else text.replace("    url", "  - url", 1)
    (found,) = faults(tmp_path, f"{PUBLIC}{SERVER}{text}    {line}\n")
    assert found.endswith(fault), found
    assert "private" not in found
    assert f"webhooks[0].{key}" in found


def test_names_are_taken_once_and_a_secret_has_at_most_one_before_it(tmp_path: Path) -> None:
    twice = HOOK + HOOK.removeprefix("webhooks:\n")
    assert [fault.partition(": ")[2] for fault in faults(tmp_path, PUBLIC + SERVER + twice)] == [
        "webhooks[1].name: hook is taken (the webhook on line 4)"
    ]
    three = HOOK.replace("sixteen bytes ok", "[the first of three, the second of three, the third of three]")
    assert "are more than 2" in faults(tmp_path, PUBLIC + SERVER + three)[0]
    many = "webhooks:\n" + "".join(HOOK.removeprefix("webhooks:\n").replace("hook\n", f"hook{n}\n") for n in range(51))
    assert faults(tmp_path, PUBLIC + SERVER + many) == ["4:3: webhooks: are more than 50"]


def test_a_secret_in_a_file_that_everybody_reads_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, PUBLIC + SERVER + HOOK, mode=0o644)
    with pytest.raises(BadFile, match=r"webhooks\[0\].secret: everybody can read this file"):
        load_config(path, {})
    path = write(tmp_path, PUBLIC + SERVER + HOOK.replace("sixteen bytes ok", "${HOOK}"), mode=0o644)
    assert load_config(path, {"HOOK": "sixteen bytes ok"}).webhooks[0].secrets == (b"sixteen bytes ok",)
