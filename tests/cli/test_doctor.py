"""`gateway doctor` says what runs, what is wrong, and changes nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from redis import Redis

from tests.cli.conftest import POLICY
from tests.running import free_port, running_gateway


class _Media(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401 if self.path.startswith("/hls/own") else 200)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def media(deployment: Path) -> Iterator[int]:
    """A media server that the deployment's config names."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Media) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        config = deployment / "config.yaml"
        config.write_text(config.read_text().replace("127.0.0.1:9\n", f"127.0.0.1:{port}\n"))
        yield port
        server.shutdown()
        thread.join()


def states(out: str) -> dict[str, str]:
    return {check["name"]: check["state"] for check in json.loads(out)["checks"]}


def test_a_good_deployment_that_has_never_run(run, deployment: Path, media: int) -> None:
    found = run("doctor", "--json")
    assert found.exit_code == 0, found.output
    said = states(found.stdout)
    assert said["HTTP parser"] == said["store binary"] == said["server tv"] == "ok"
    assert said["data_dir"] == said["store"] == said["public_url"] == "note"
    assert not (deployment / "data").exists(), "looking must change nothing"


def test_after_the_first_start(run, deployment: Path, media: int) -> None:
    assert run("link", "list").exit_code == 0
    found = run("doctor")
    assert found.exit_code == 0, found.output
    assert "starts and answers (no gateway is running), version" in found.stdout
    assert found.stdout.endswith("no problems\n")
    (deployment / "data").chmod(0o755)
    found = run("doctor")
    assert found.exit_code == 1
    assert "problem  data_dir" in found.stdout
    assert "-> chmod 700" in found.stdout


def test_a_media_server_that_is_down(run) -> None:
    found = run("doctor")
    assert found.exit_code == 1
    assert "problem  server tv" in found.stdout
    assert "http://127.0.0.1:9 can't be reached" in found.stdout


def test_a_broken_config_is_a_problem(run, deployment: Path) -> None:
    (deployment / "config.yaml").write_text("lisen: x\n")
    found = run("doctor", "--json")
    assert found.exit_code == 1
    what = [check["what"] for check in json.loads(found.stdout)["checks"] if check["state"] == "problem"]
    assert what[:2] == [
        "config.yaml:1:1: lisen: unknown key (did you mean listen?)",
        "config.yaml:1:1: public_url: is missing",
    ]


def test_a_store_that_does_not_answer(run, deployment: Path, media: int) -> None:
    with (deployment / "config.yaml").open("a") as config:
        config.write("store: redis://:geheim@127.0.0.1:9\n")
    found = run("doctor")
    assert found.exit_code == 1
    assert "redis://127.0.0.1:9 does not answer" in found.stdout
    assert "geheim" not in found.stdout


@pytest.mark.parametrize(("item", "state", "status"), [("abc", "note", 200), ("own", "ok", 401)])
def test_what_a_stranger_gets_around_the_gateway(run, media: int, item: str, state: str, status: int) -> None:
    found = run("doctor", "--item", item, "--json")
    (check,) = [one for one in json.loads(found.stdout)["checks"] if one["name"] == f"item {item}"]
    assert (check["state"], f"answers {status} without credentials" in check["what"]) == (state, True)


@pytest.mark.parametrize(
    ("item", "shown"), [("own", "/thumb/own.jpg answers 200"), ("abc", "/hls/abc/index.m3u8 answers 200")]
)
def test_where_the_stream_is_guarded_the_picture_may_not_be(
    run, media: int, deployment: Path, item: str, shown: str
) -> None:
    """As at Jellyfin, which guards its playlists and gives files and pictures to everybody."""
    policy = deployment / "policy.yaml"
    text = POLICY.replace('index.m3u8"}', 'index.m3u8", poster: "/thumb/{id}.jpg"}')
    policy.write_text(text.replace("      - WS", "      - GET /thumb/{id}.jpg\n      - WS"))
    found = run("doctor", "--item", item, "--json")
    (check,) = [one for one in json.loads(found.stdout)["checks"] if one["name"] == f"item {item}"]
    assert (check["state"], f"{shown} without credentials" in check["what"]) == ("note", True)


def test_an_item_that_the_server_does_not_tell_of_is_a_problem(run, media: int, deployment: Path) -> None:
    """With a wrong token no link could be made: that is not well."""
    resolve = '  resolve: [{request: "GET /hls/own/index.m3u8?of={id}"}]\n'
    text = POLICY.replace("patterns:", f"{resolve}patterns:").partition("upstream:")[0]
    (deployment / "policy.yaml").write_text(text)
    found = run("doctor", "--item", "abc")
    assert found.exit_code == 1, found.output
    assert "can't be asked for: resolve: answered 401 (it does not take the credentials" in found.stdout
    assert "takes the credentials that the policy names" in found.stdout


async def test_beside_a_running_gateway(tmp_path: Path, run) -> None:
    async with running_gateway(tmp_path, POLICY, free_port()):
        found = await asyncio.to_thread(run, "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(found.stdout)["checks"]}
    assert checks["public_url"]["state"] == "ok"
    assert checks["store"]["what"].startswith("embedded answers, version")


def test_a_store_that_evicts_is_a_problem(run, deployment: Path, store_server: Path) -> None:
    with (deployment / "config.yaml").open("a") as config:
        config.write(f"store: unix://{store_server}\n")
    with Redis(unix_socket_path=str(store_server)) as client:
        client.flushall()
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            (deployment / "data").mkdir(mode=0o700)
            found = json.loads(run("doctor", "--json").stdout)
            served = run("doctor")
        finally:
            client.config_set("maxmemory-policy", "noeviction")
            client.flushall()
    (memory,) = [check for check in found["checks"] if check["name"] == "store memory"]
    assert memory["state"] == "problem"
    assert "allkeys-lru" in memory["what"]
    assert "noeviction" in memory["todo"]
    assert served.exit_code == 1


def test_it_tries_to_sign_in_where_the_policy_does(run, deployment: Path, media: int, monkeypatch) -> None:
    def do_post(self: BaseHTTPRequestHandler) -> None:
        body = b'{"token": "a-good-token"}'
        self.send_response(200 if self.path.startswith("/auth?") else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    monkeypatch.setattr(_Media, "do_POST", do_post, raising=False)
    path = next(one for one in deployment.glob("*.yaml") if one.name != "config.yaml")
    text = path.read_text()
    assert text.count("upstream:\n") == 1
    login = 'upstream:\n  login: {request: POST /auth, json: {pw: "hunter2-hunter2"}, secrets: {token: $.token}}\n'
    path.write_text(text.replace("upstream:\n", login))
    found = run("doctor")
    assert "the gateway can sign in there (login)" in found.stdout
    path.write_text(text.replace("upstream:\n", login.replace("/auth", "/elsewhere")))
    found = run("doctor")
    assert "login: answered 403: guests get 502 for what needs it" in found.stdout
    assert "hunter2" not in found.stdout
    assert found.exit_code == 1
