"""compose.yaml: its shape, the config.yaml it mounts, and its store's command and health check as they stand there."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from redis import AuthenticationError, Redis
from redis.exceptions import ConnectionError as NotThere

from gateway.cli import main
from gateway.cli.check import examine
from gateway.config_file import load_config
from gateway.store.embedded import find_binary
from tests.running import free_port
from tests.system_parts import find, missing, need

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


@pytest.mark.parametrize("name", list(SERVICES))
def test_each_container_can_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "network_mode", "devices"} & service.keys()
    assert int(service["user"].partition(":")[0]) > 0
    assert {"mem_limit", "pids_limit", "restart", "stop_grace_period"} <= service.keys()
    # Nothing of the machine is mounted but files of this folder, and nothing is open but to the machine itself.
    for volume in service["volumes"]:
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or (source.startswith("./") and volume.endswith(":ro"))
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_everything_that_is_named_is_there() -> None:
    for service in SERVICES.values():
        assert set(service["secrets"]) <= COMPOSE["secrets"].keys()
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert set(service.get("depends_on", {})) <= SERVICES.keys()
    assert COMPOSE["networks"]["store"] == {"internal": True}
    assert SERVICES["store"]["networks"] == ["store"]
    head = (DEPLOY / "compose.yaml").read_text().partition("services:")[0]
    for secret in COMPOSE["secrets"]:
        assert f"> secrets/{secret}" in head, "how it is made"
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    assert "\nHEALTHCHECK " in dockerfile, "the gateway's is the image's"
    assert f"--uid {SERVICES['gateway']['user'].partition(':')[0]} " in dockerfile
    assert SERVICES["store"]["healthcheck"]["test"]


def test_compose_itself_reads_it() -> None:
    """By whichever of the two programs is there; neither needs a daemon for it."""
    words = ["docker", "compose"]
    if not shutil.which("docker") or subprocess.run([*words, "version"], capture_output=True).returncode:
        words = [str(need("docker compose"))]
    done = subprocess.run(
        [*words, "-f", DEPLOY / "compose.yaml", "config", "--quiet"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """What the head of compose.yaml makes."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in ("session_key", "store_password"):
        (folder / name).write_text(CliRunner().invoke(main, ["secret"]).stdout)
    password = (folder / "store_password").read_text().strip()
    (folder / "store_url").write_text(f"redis://:{password}@store:6379/0\n")
    for secret in folder.iterdir():
        secret.chmod(0o400)
    assert {secret.name for secret in folder.iterdir()} == COMPOSE["secrets"].keys()
    return folder


def test_the_config_that_is_mounted_is_good(tmp_path: Path, secrets: Path) -> None:
    assert "./compose.config.yaml:/data/config.yaml:ro" in SERVICES["gateway"]["volumes"]
    text = (DEPLOY / "compose.config.yaml").read_text()
    assert text.count("file:/run/secrets/") == len(SERVICES["gateway"]["secrets"])
    place = tmp_path / "config.yaml"
    place.write_text(text.replace("/run/secrets", str(secrets)))
    findings = examine(place)
    assert (findings.errors, findings.warnings) == ([], [])
    config = load_config(place)
    # Where the other file says that it listens, and from where its front proxy will come.
    assert SERVICES["gateway"]["ports"] == [f"127.0.0.1:8080:{config.listen.port}"]
    [address] = COMPOSE["networks"]["front"]["ipam"]["config"]
    assert config.trusted_proxies == (address["gateway"],)


@pytest.fixture
def store(tmp_path: Path, secrets: Path) -> Iterator[tuple[int, dict[str, str], subprocess.Popen[bytes]]]:
    """The command of the service `store` as it stands there; only the port and the places of files are ours."""
    if find("redis-server") is None or not shutil.which("redis-cli"):
        missing("redis-cli is not installed")
    port = free_port()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in (
        ("valkey-server", f'exec {find_binary()} "$@" --port {port} --bind 127.0.0.1'),
        ("valkey-cli", f'exec redis-cli -p {port} "$@"'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "data").mkdir()
    environ = {"PATH": f"{programs}:{os.environ['PATH']}"}
    shell, dash, script = SERVICES["store"]["command"]
    script = (
        script.replace("$$", "$").replace("/run/secrets", str(secrets)).replace("dir /data", f"dir {tmp_path}/data")
    )
    process = subprocess.Popen(
        [shell, dash, script], env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=tmp_path
    )
    try:
        yield port, environ, process
    finally:
        process.terminate()
        process.wait(10)


def test_the_store_as_the_file_starts_it(
    tmp_path: Path, secrets: Path, store: tuple[int, dict[str, str], subprocess.Popen[bytes]]
) -> None:
    port, environ, process = store
    kind, check = SERVICES["store"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    check = check.replace("$$", "$").replace("/run/secrets", str(secrets))

    def healthy() -> bool:
        return subprocess.run(["/bin/sh", "-c", check], env=environ, capture_output=True).returncode == 0

    deadline = time.monotonic() + 20
    while not healthy():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    password = (secrets / "store_password").read_text().strip()
    url = (secrets / "store_url").read_text().strip().replace("store:6379", f"127.0.0.1:{port}")
    with Redis.from_url(url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.set("link", "kept")
    with Redis(port=port) as stranger, pytest.raises((AuthenticationError, NotThere), match=r"(?i)authenticat"):
        stranger.get("link")
    # What `ps` shows to everybody on the machine. The shell has become the server: signals reach it.
    command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert b"valkey-server" in command
    assert password.encode() not in command
    process.terminate()
    assert process.wait(10) == 0
    assert not healthy()
    assert (tmp_path / "data" / "appendonlydir").is_dir()
