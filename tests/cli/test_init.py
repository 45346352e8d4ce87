"""`gateway init` writes a file that works, for its owner alone, and over nobody's work."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from gateway.cli.init import SAMPLE_SHA256
from gateway.config_file import load_config

ASKED = ("--upstream", "http://127.0.0.1:8096", "--policy", "hls")
SAMPLE = Path(__file__).parents[2] / "config.yaml"
SCRIPT = Path(__file__).parents[2] / "gw"


def test_the_file_has_one_server_and_one_manager(run, deployment: Path) -> None:
    found = run("init", *ASKED, "--public-url", "https://guest.example.org", "--config", "new.yaml", "--manager", "Al")
    assert found.exit_code == 0, found.output
    path = deployment / "new.yaml"
    assert path.stat().st_mode & 0o777 == 0o600
    config = load_config(path, {}, need_servers=True)
    assert (config.servers[0].name, config.servers[0].policy) == ("media", "hls")
    assert str(config.listen) == "127.0.0.1:8080"
    said = dict(line.split() for line in found.stdout.splitlines())
    (manager,) = config.managers
    assert (manager.name, manager.may) == ("Al", ("media:*",))
    assert manager.password is not None
    Argon2id.verify_phc_encoded(said["password"].encode(), manager.password)
    assert manager.token == f"sha256:{hashlib.sha256(said['token'].encode()).hexdigest()}"
    assert said["password"] not in path.read_text()
    assert f"next: {SCRIPT} serve --config new.yaml, then {SCRIPT} link create" in found.stderr


def test_the_file_passes_check(run) -> None:
    run("init", *ASKED, "--public-url", "http://127.0.0.1:9000", "--config", "new.yaml")
    assert run("check", "--config", "new.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("public", "listen"),
    [
        ("https://guest.example.org", "127.0.0.1:8080"),
        ("http://127.0.0.1:9000", "127.0.0.1:9000"),
        ("http://tv.localhost:9000", "127.0.0.1:9000"),
        ("http://[::1]:9000", "[::1]:9000"),
        ("http://192.168.1.5:8081", "0.0.0.0:8081"),
    ],
)
def test_it_listens_where_guests_come_in(run, deployment: Path, public: str, listen: str) -> None:
    assert run("init", *ASKED, "--public-url", public, "--config", "new.yaml").exit_code == 0
    assert str(load_config(deployment / "new.yaml").listen) == listen


def test_an_own_policy_is_found_from_another_folder(run, deployment: Path) -> None:
    (deployment / "etc").mkdir()
    found = run(
        "init", "--upstream", "http://127.0.0.1:1", "--policy", "./policy.yaml", "--public-url", "http://127.0.0.1:9",
        "--config", "etc/new.yaml", "--name", "no",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    (server,) = load_config(deployment / "etc" / "new.yaml").servers
    assert (server.name, server.policy) == ("no", "./../policy.yaml")
    assert server.policy_path.samefile(deployment / "policy.yaml")


def test_an_existing_file_is_not_overwritten(run, deployment: Path) -> None:
    before = (deployment / "config.yaml").read_text()
    found = run("init", *ASKED, "--public-url", "https://guest.example.org")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "config.yaml exists and is not overwritten" in found.stderr
    assert (deployment / "config.yaml").read_text() == before
    assert sorted(path.name for path in deployment.iterdir()) == ["config.yaml", "policy.yaml"]


def test_the_untouched_sample_is_replaced(run, deployment: Path) -> None:
    assert hashlib.sha256(SAMPLE.read_bytes()).hexdigest() == SAMPLE_SHA256, "config.yaml was changed: adapt init.py"
    (deployment / "config.yaml").write_bytes(SAMPLE.read_bytes())
    assert run("init", *ASKED, "--public-url", "https://guest.example.org").exit_code == 0
    assert (deployment / "config.yaml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("option", "value", "what"),
    [
        ("--upstream", "127.0.0.1:8096", "--upstream: must be a URL such as http://127.0.0.1:8096"),
        ("--policy", "hsl", "--policy: no policy hsl is shipped (did you mean hls?)"),
        ("--public-url", "guest.example.org", "--public-url: must be a URL such as"),
        ("--name", "TV", "--name: must be small letters, digits and -"),
        ("--manager", "a:b", "--manager: must be 1 to 100 characters"),
    ],
)
def test_wrong_values_are_usage(run, deployment: Path, option: str, value: str, what: str) -> None:
    good = {"--upstream": "http://127.0.0.1:8096", "--policy": "hls", "--public-url": "https://guest.example.org"}
    given = [word for pair in {**good, option: value}.items() for word in pair]
    found = run("init", *given, "--config", "new.yaml")
    assert (found.exit_code, found.stdout) == (2, "")
    assert what in found.stderr
    assert not (deployment / "new.yaml").exists()
