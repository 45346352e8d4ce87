"""Themes of a running gateway: each server its own, changes as a whole or not at all, managers' pages untouched."""

from __future__ import annotations

import asyncio
import re
from contextlib import closing
from pathlib import Path

import pytest

from gateway.app import bind, open_gateway, serve_gateway
from gateway.config_file import load_config
from gateway.errors import BadFile
from gateway.loading import load
from tests.running import Answer, ask, free_port
from tests.system.processes import served
from tests.system.stage import Media, until, write_config

SLACK = 8.0
HTML = "Accept: text/html\r\n"
ENTRY = '{% extends "shipped/message.html" %}{% block foot %}<p>By the village</p>{% endblock %}'


async def page(port: int, path: str, host: str | None = None) -> Answer:
    return await ask(port, f"GET {path}", headers=HTML, host=host)


def theme(folder: Path, template: str = ENTRY) -> None:
    (folder / "mine" / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "mine" / "templates" / "message.html").write_text(template)
    (folder / "own.css").write_text("h1 { letter-spacing: 0 }")


async def test_each_server_has_its_own_look_and_managers_have_ours(tmp_path: Path) -> None:
    theme(tmp_path)
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    port, managing = free_port(), free_port()
    (tmp_path / "policy.yaml").write_text(
        'server: A server\nitem: {id: "[a-z]{3}"}\n'
        'kinds: {video: {player: {src: "/hls/{id}/i.m3u8"}, allow: ["GET /hls/{id}/i.m3u8"]}}\n'
    )
    (tmp_path / "config.yaml").write_text(
        f"""listen: 127.0.0.1:{port}
public_url: http://127.0.0.1:{port}
manage: {{listen: '127.0.0.1:{managing}', url: 'http://127.0.0.1:{managing}'}}
data_dir: data
theme: {{name: Everybody, css: own.css, footer: [{{text: Imprint <b>, url: "https://example.org/?a=1&b=2"}}],
        logo: logo.svg, logo_alt: A <tower>, notice: "Doors at six.\\n<i>No</i> recording."}}
servers:
  - {{name: one, upstream: "http://127.0.0.1:1", policy: ./policy.yaml, public_host: "one.localhost:{port}",
     theme: {{name: One, folder: mine, css: '', scheme: dark, logo_alt: '', notice: '',
             colours: {{accent: '#fc8', background: '#000', text: '#fff'}}}}}}
  - {{name: two, upstream: "http://127.0.0.1:2", policy: ./policy.yaml, public_host: "two.localhost:{port}"}}
"""
    )
    config = load_config(tmp_path / "config.yaml", need_servers=True)
    sockets = bind(config)
    with closing(sockets):
        async with open_gateway(config) as gateway, serve_gateway(gateway, sockets, patience=0.5):
            one, two = [(await page(port, "/x", f"{name}.localhost:{port}")).body.decode() for name in ("one", "two")]
            assert "By the village" in one
            assert 'content="dark"' in one
            assert "own.css" not in one
            assert "One</bdi>" in one
            assert "By the village" not in two
            assert 'content="light dark"' in two
            assert "Everybody</bdi>" in two
            link = (
                '<a href="https://example.org/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">'
                "<bdi>Imprint &lt;b&gt;<"
            )
            assert link in one
            assert link in two
            assert re.search(r'<img class="logo" src="/_gateway/theme/logo\?v=[0-9a-f]+" alt="A &lt;tower&gt;">', two)
            assert re.search(r'<img class="logo" src="/_gateway/theme/logo\?v=[0-9a-f]+" alt="">', one)
            assert "Doors at six.\n&lt;i&gt;No&lt;/i&gt; recording." in two
            assert "Doors at six" not in one
            for name, text, sheet, says in (
                ("one", one, "colours", b"--ground: #000000"),
                ("two", two, "own", b"letter"),
            ):
                address = re.search(rf'href="(/_gateway/static/[0-9a-f]+/theme/{sheet}.css)"', text)
                assert address
                found = await page(port, address[1], f"{name}.localhost:{port}")
                assert (found.status, found.headers["content-type"]) == (200, "text/css; charset=utf-8")
                assert says in found.body
                assert "immutable" in found.headers["cache-control"]
            answer = await page(managing, "/_gateway/nothing")
            assert answer.status == 404
            assert b"By the village" not in answer.body
            (logo,) = re.findall(r'"(/_gateway/theme/[^"]+)"', answer.body.decode())
            found = await page(managing, logo)
            assert (found.status, found.headers["content-type"]) == (200, "image/svg+xml")
            assert b"Everybody" in answer.body


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_theme_is_followed_and_a_broken_one_changes_nothing(tmp_path: Path, media: Media, workers: int) -> None:
    theme(tmp_path)
    port = write_config(tmp_path, media)
    with (tmp_path / "config.yaml").open("a") as file:
        file.write("theme: {folder: mine, css: own.css}\n")
    async with served(tmp_path, port, workers=workers) as gateway:

        async def says(text: str) -> bool:
            return all([text in (await page(port, "/x")).body.decode() for _ in range(6)])

        assert await says("By the village")
        (tmp_path / "mine" / "templates" / "message.html").write_text(ENTRY.replace("village", "town"))
        await until("the change is seen", lambda: says("By the town"), SLACK)

        for broken, why in (
            ("{% if %}", "message.html:1:1: Expected an expression"),
            ("{{ nothing }}", "message.html:1:1: unknown name nothing"),
            ("{{ site|safe }}", "message.html:1:1: safe is for texts"),
        ):
            (tmp_path / "mine" / "templates" / "message.html").write_text(broken)

            async def told(why: str = why) -> bool:
                return why in gateway.said

            await until(why, told, SLACK)
            assert await says("By the town"), "the one before stays in force"
        assert (await page(port, "/_gateway/health/ready")).status == 200
        assert (await page(port, "/x")).status == 403

        (tmp_path / "mine" / "templates" / "message.html").write_text(ENTRY)
        (tmp_path / "mine" / "templates" / "_new.html").write_text("A new part")
        await until("good again", lambda: says("By the village"), SLACK)
        (tmp_path / "mine" / "templates" / "new.html").write_text("")
        await asyncio.sleep(0)

        async def new_name() -> bool:
            return "new.html:1:1: stands in for no page" in gateway.said

        await until("a new file is seen", new_name, SLACK)


def test_what_is_wrong_with_each_theme_is_said_once_and_at_its_place(tmp_path: Path) -> None:
    theme(tmp_path)
    (tmp_path / "policy.yaml").write_text(
        'server: A server\nitem: {id: "[a-z]{3}"}\n'
        'kinds: {video: {player: {src: "/hls/{id}/i.m3u8"}, allow: ["GET /hls/{id}/i.m3u8"]}}\n'
    )
    config = """public_url: http://127.0.0.1:8080
theme: {css: %s, folder: mine}
servers:
  - {name: one, upstream: "http://127.0.0.1:1", policy: ./policy.yaml, public_host: one.localhost, theme: {logo: %s}}
  - {name: two, upstream: "http://127.0.0.1:2", policy: ./policy.yaml, public_host: two.localhost}
"""

    def faults(css: str, logo: str) -> list[str]:
        (tmp_path / "config.yaml").write_text(config % (css, logo))
        try:
            load(tmp_path / "config.yaml")
        except BadFile as error:
            return [str(fault).replace(f"{tmp_path}/", "") for fault in error.faults]
        return []

    (tmp_path / "logo.svg").write_text("<svg/>")
    assert faults("own.css", "logo.svg") == []
    assert faults("own.css", "own.css") == [
        "config.yaml:4:114: servers[0].theme.logo: must end in one of .png, .svg, .jpg, .jpeg, .webp"
    ]
    assert faults("policy.yaml", "logo.svg") == ["config.yaml:2:14: theme.css: must end in .css"]
    theme(tmp_path, "{% nothing %}")
    assert faults("own.css", "logo.svg") == ["mine/templates/message.html:1:1: Encountered unknown tag 'nothing'."]
