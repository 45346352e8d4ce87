"""Shipped files and the logo: a closed table, long caching, correct types."""

from __future__ import annotations

import gzip

import pytest

from gateway import config
from gateway.web.pages import plain_pages
from gateway.web.static_door import StaticDoor
from gateway.web.statics import FOLDER, Statics
from gateway.web.theme import load_theme

VERSION = plain_pages().statics.version


@pytest.fixture
def served(stage):
    stage.door = StaticDoor().static
    return stage


async def test_a_file_of_this_version_may_be_kept_for_ever(served):
    async with served.client.get(f"/_gateway/static/{VERSION}/guest.css") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/css"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await answer.read() == (FOLDER / "guest.css").read_bytes()


async def test_a_file_of_another_version_is_asked_for_again(served):
    async with served.client.get("/_gateway/static/000000000000/player.js") as answer:
        assert answer.content_type == "text/javascript"
        assert answer.headers["Cache-Control"] == "no-cache"
        tag = answer.headers["ETag"]
    for sent in (tag, f'"other", W/{tag}', "*"):
        async with served.client.get(
            "/_gateway/static/000000000000/player.js", headers={"If-None-Match": sent}
        ) as answer:
            assert answer.status == 304
            assert await answer.read() == b""


async def test_packed_where_the_browser_takes_it(served):
    path = f"/_gateway/static/{VERSION}/guest.css"
    async with served.client.get(path, headers={"Accept-Encoding": "br, gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await answer.read()) == (FOLDER / "guest.css").read_bytes()
    async with served.client.get(path, headers={"Accept-Encoding": "gzip;q=0"}) as answer:
        assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    "name",
    ["", "x", "guest.css", f"{VERSION}/", f"{VERSION}/nothing.css", f"{VERSION}/guest.css/", f"{VERSION}/vendor",
     f"{VERSION}/%67uest%2Ecss%20", f"{VERSION}/vendor/hls.js.version"],
)  # fmt: skip
async def test_what_is_not_in_the_table_is_not_there(served, name):
    async with served.client.get(f"/_gateway/static/{name}") as answer:
        assert answer.status == 404


async def test_files_are_only_read(served):
    async with served.client.post(f"/_gateway/static/{VERSION}/guest.css") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"


async def test_a_logo_that_is_a_document_can_do_nothing(stage, tmp_path):
    path = tmp_path / "logo.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    stage.pages = pages = stage.pages.dressed(load_theme(config.Theme(logo=path)))
    stage.door = StaticDoor().logo
    async with stage.client.get(pages.logo_address) as answer:
        assert answer.status == 200
        assert answer.content_type == "image/svg+xml"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "immutable" in answer.headers["Cache-Control"]


async def test_without_a_logo_there_is_none(stage):
    stage.door = StaticDoor().logo
    async with stage.client.get("/_gateway/theme/logo") as answer:
        assert answer.status == 404


def test_any_changed_file_changes_the_version(tmp_path):
    (tmp_path / "a.css").write_text("a")
    before = Statics.load(tmp_path)
    (tmp_path / "a.css").write_text("b")
    assert Statics.load(tmp_path).version != before.version
    assert before.library("hls") is before.library("file") is None
