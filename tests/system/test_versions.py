"""A gateway on a store in which a later version has written: 503 and a clear word, never a guess."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from gateway.errors import StoreTooNew
from gateway.links.records import SCHEMA
from gateway.store import names
from tests.running import Running, free_port
from tests.system.processes import ROOT
from tests.system.stage import ITEM, PAGE, STREAM, Guest, Media, clicks, path_of, records, running_worker, write_config


async def marked(running: Running, pattern: str, version: int) -> None:
    """Records of one kind, as if written by this version."""

    async def write(client: object) -> None:
        for key in await client.keys(pattern):  # type: ignore[attr-defined]
            await client.hset(key, "v", str(version))  # type: ignore[attr-defined]

    await records(running).store.run(write)


async def said_by(folder: Path, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *words, "--config", str(folder / "config.yaml"),
        cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, said.decode()


@pytest.mark.parametrize("kind", ["item", "link:*", "guest:*", "grant:*"])
async def test_a_newer_record_is_a_503_and_changes_nothing(tmp_path: Path, media: Media, kind: str) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path) as running, running_worker(tmp_path, free_port()) as other:
        link = await running.make_link(ITEM, clicks=9)
        guest = await Guest(running.port).enter(link)
        elsewhere = Guest(other.port, guest.host, dict(guest.jar))
        stranger = Guest(running.port)
        form = await stranger.form(link)
        async with guest.streaming() as stream:
            await marked(running, f"gw:{{*}}:{kind}", SCHEMA + 1)
            for answer in (
                await guest.get(PAGE),
                await guest.get(path_of(link)),
                await elsewhere.get(STREAM),
                await elsewhere.get(PAGE),
                await elsewhere.get(path_of(link)),
            ):
                assert answer.status == 503, answer
                assert "retry-after" in answer.headers
            closed = kind in ("item", "link:*")
            assert (await stranger.post(link, form)).status == (503 if closed else 303)
            if not closed:
                assert (await guest.leave()).status == 503
            assert await stream.flows()
            assert await guest.status(STREAM) == 200  # known from before: needs no store
        await marked(running, f"gw:{{*}}:{kind}", SCHEMA)
        assert await guest.status(PAGE) == 200
        assert await elsewhere.status(STREAM) == 200
        assert await clicks(running, link) == (1 if closed else 2)


async def test_a_newer_form_is_a_503(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    async with running_worker(tmp_path) as running:
        link = await running.make_link(ITEM, clicks=9)
        guest = Guest(running.port)
        form = await guest.form(link)
        assert (await guest.post(link, form)).status == 303
        await marked(running, "gw:{*}:form:*", SCHEMA + 1)
        assert (await guest.post(link, form)).status == 503
        assert await clicks(running, link) == 1


async def test_commands_and_serve_say_so(tmp_path: Path, media: Media) -> None:
    write_config(tmp_path, media)
    file = str(tmp_path / "links.backup")
    async with running_worker(tmp_path) as running:
        await running.make_link(ITEM)
        assert (await said_by(tmp_path, "backup", file))[0] == 0
        await marked(running, "gw:{*}:link:*", SCHEMA + 1)
        for words in (("link", "list"), ("backup", file), ("restore", file, "--replace")):
            code, said = await said_by(tmp_path, *words)
            assert (code, "written by a later version" in said) == (1, True), said
        await marked(running, "gw:{*}:link:*", SCHEMA)
        await marked(running, names.META, SCHEMA + 1)
        for words in (("link", "list"), ("restore", file)):
            code, said = await said_by(tmp_path, *words)
            assert code == 1
            assert "the store was written by a later version" in said
            assert f"schema {SCHEMA + 1}, this one knows {SCHEMA}" in said
        code, said = await said_by(tmp_path, "doctor")
        assert "run the version that wrote it, or a later one" in said
    code, said = await said_by(tmp_path, "serve")
    assert code == 1
    assert "the store was written by a later version" in said
    with pytest.raises(StoreTooNew):
        async with running_worker(tmp_path):
            pass
