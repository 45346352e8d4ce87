"""policies/jellyfin.yaml with other credentials than its own, and cast to a television."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.access.issue import IssueRefused
from tests.policies.test_jellyfin import CUES, DOCS, Cinema, ended
from tests.policies.wire import between
from tests.running import ask, enter
from tests.servers.fake_jellyfin import FakeJellyfin
from tests.servers.films import Films
from tests.servers.jellyfin_library import Library, new_id

POLICY = Path(__file__).parents[2] / "policies" / "jellyfin.yaml"


@pytest.mark.parametrize("credential", ["key", "nobodys"])
async def test_an_api_key_or_a_wrong_token_makes_no_link(
    tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch, credential: str
) -> None:
    server = FakeJellyfin(Library.of(films))
    token = server.library.key if credential == "key" else new_id()
    monkeypatch.setenv("JELLYFIN_TOKEN", token)
    async with server.running() as url, between(tmp_path, "jellyfin", urlsplit(url).port or 0) as stage:
        with pytest.raises(LookupError) as refused:
            await stage.gateway.make_link(server.library["film"].id)
        assert token not in str(refused.value)
        assert "could not be asked" in str(refused.value), "trouble, and no lost film"


async def test_signing_in_as_documented(tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```yaml\n(upstream:\n.*?login:.*?)```", DOCS.read_text(), re.S)
    assert block is not None
    text = re.sub(r"^upstream:\n.*\n", lambda _: block[1], POLICY.read_text(), flags=re.M)
    server = FakeJellyfin(Library.of(films))
    account = server.library.users[0]
    monkeypatch.setenv("JELLYFIN_USER", account.name)
    monkeypatch.setenv("JELLYFIN_PASSWORD", account.password)
    server.library.sessions.clear()
    async with server.running() as url, between(tmp_path, text, urlsplit(url).port or 0) as stage:
        cinema = Cinema(stage, server, "")
        film = server.library["film"].id
        cookie, _ = await cinema.guest("film")
        (token,) = server.library.sessions
        master = await cinema.get(cookie, f"/Videos/{film}/master.m3u8")
        assert "ApiKey" not in master
        assert "WEBVTT" in await cinema.get(cookie, f"/Videos/{film}/{film}/Subtitles/2/stream.vtt?{CUES}")
        stage.keeps(token, account.password)


async def test_a_television_plays_the_guests_own_transcode(
    tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `cast` in a copy of the policy: no cookie, another player, and still one session and one transcode."""
    server = FakeJellyfin(Library.of(films))
    monkeypatch.setenv("JELLYFIN_TOKEN", server.library.token("guests"))
    text = POLICY.read_text().replace("  on_revoke: drain", "  on_revoke: drain\n  cast: 4h")
    async with server.running() as url, between(tmp_path, text, urlsplit(url).port or 0) as stage:
        cinema = Cinema(stage, server, server.library.token("guests"))
        cookie, answer = await enter(stage.guest.port, await stage.gateway.make_link(server.library["film"].id))
        page = await cinema.get(cookie, answer.headers["location"])
        left, found = [re.findall(r'value="http://[^/]+(/_gateway/s/[^"]+)"', page)[0]], set()
        while left:
            found.add(one := left.pop())
            answer = await ask(stage.guest.port, f"GET {one}", headers=f"User-Agent: TV {len(found)}\r\n")
            assert answer.status == 200, (one, answer)
            if one.partition("?")[0].endswith(".m3u8"):
                named = re.findall(r'/_gateway/s/[^\s"]+', answer.body.decode())
                left += [name for name in named if name not in found]
        endings = {one.partition("?")[0].rpartition("/")[2] for one in found}
        assert {"master.m3u8", "main.m3u8", "0.ts", "5.ts", "subtitles.m3u8", "stream.vtt"} <= endings
        (job,) = server.streams.jobs
        assert {one.header("user-agent") for one in server.asked if one.path.endswith(".ts")} == {"guest-gateway"}
        guests = await stage.gateway.desk.guests("tv", server.library["film"].id)
        assert not isinstance(guests, IssueRefused)
        await stage.gateway.desk.remove(guests[0].guest, erase=False)
        await ended(job)
        assert (await ask(stage.guest.port, f"GET {one}")).status == 403
        cinema.keeps()
