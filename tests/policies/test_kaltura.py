"""policies/kaltura.yaml in front of a stand-in for Kaltura that was written from its source before the policy, with its
CDN on another port.

Two readers of one path, assets whose ids look like entries', faults that are kept for everybody, and sessions (KS)
that open more than one entry: a guest gets an exact path, addresses that are his alone, and no KS.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.chromium import chromium
from tests.policies.watching import seek, two_guests_one_removed, until, value, watch
from tests.policies.wire import Stage, anywhere, between, ignores_what_a_guest_says_of_itself
from tests.running import Answer, ask, enter
from tests.servers.asked import Asked
from tests.servers.asking import ask as direct
from tests.servers.asking import stamped
from tests.servers.fake_kaltura import FRONT, FakeKaltura
from tests.servers.kaltura_cdn import page_addresses
from tests.servers.kaltura_library import Entry

SPACE = "https://video.example.edu"
CAPTIONS = "/api_v3/index.php/service/caption_captionasset/action"


def manifest(entry: str) -> str:
    return f"/p/101/sp/10100/playManifest/entryId/{entry}/protocol/https/format/applehttp/a.m3u8"


def picture(entry: str) -> str:
    return f"/p/101/thumbnail/entry_id/{entry}/width/640"


@dataclass
class Kaltura:
    fake: FakeKaltura
    stage: Stage

    async def come(self, entry: Entry) -> str:
        cookie, answer = await enter(self.stage.guest.port, await self.stage.gateway.make_link(entry.id))
        assert answer.status == 303
        return cookie

    async def get(self, cookie: str, target: str, headers: str = "") -> Answer:
        return await ask(self.stage.guest.port, f"GET {target}", cookie=cookie, headers=headers)

    def keeps(self, *more: str) -> None:
        """No session that was ever made, no secret, no address of the server or its CDN reaches a guest."""
        library, port = self.fake.library, self.stage.server.port
        sessions = {ks for one in self.fake.asked for ks in sent_ks(one)}
        assert len(sessions) > 1
        self.stage.keeps(
            *sessions, library.app_token, library.app_token_id, library.admin_secret, library.user_secret,
            f"127.0.0.1:{port}", f"localhost:{port}", self.fake.cdn_url.removeprefix("http://"), FRONT, *more,
        )  # fmt: skip


def sent_ks(asked: Asked) -> list[str]:
    """Sessions that came along with a request."""
    found = re.findall(r"[?&]ks=([^&]+)", asked.target) + re.findall(rb'"ks": ?"([^"]+)"', asked.body)
    found += [asked.header("X-Kaltura-Ks") or ""]
    return [one if isinstance(one, str) else one.decode() for one in found if one]


@asynccontextmanager
async def kaltura_behind(
    folder: Path, clips: Path, environment: pytest.MonkeyPatch, hls: Literal["manifest", "redirect"] = "manifest"
) -> AsyncIterator[Kaltura]:
    fake = FakeKaltura(folder / "kaltura", clips, hls=hls)
    async with fake.running() as url:
        environment.setenv("KALTURA_PARTNER", "101")
        environment.setenv("KALTURA_TOKEN_ID", fake.library.app_token_id)
        environment.setenv("KALTURA_TOKEN", fake.library.app_token)
        environment.setenv("KALTURA_CDN", fake.cdn_url)
        # The server names itself by its own port, guests reach it by the line's.
        known = f"    also_known_as: [{url}]\n"
        async with between(folder, "kaltura", int(url.rpartition(":")[2]), server_extra=known) as stage:
            yield Kaltura(fake, stage)


@pytest.fixture
async def kaltura(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kaltura]:
    async with kaltura_behind(tmp_path, clips, monkeypatch) as running:
        yield running


async def made(kaltura: Kaltura, item: str) -> str | None:
    gateway = kaltura.stage.gateway
    try:
        link = await gateway.make_link(item)
    except LookupError:
        return None
    found = (await gateway.link(link)).link.item
    await gateway.delete(link)
    return found


async def test_what_owners_paste(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    film = library.film.id
    addresses = page_addresses(film, 101, space=SPACE, kaltura="https://kaltura.example.edu")
    assert len(addresses) > 9
    said = [film, *addresses.values(), f"https://kaltura.example.edu{manifest(film)}"]
    said.append(f"https://kmc.kaltura.com/index.php/kmcng/content/entries/entry/{film}/metadata")
    assert {one: await made(kaltura, one) for one in said} == dict.fromkeys(said, film)
    # An ended live stream is its recording.
    assert await made(kaltura, library.live.id) == library.recording.id
    asset = library.film.flavors[0].id
    refused = [
        library.gone.id, asset, library.film.captions[0].id, "1_zzzzzzzz", film.upper() + "A",
        f"{film},{library.other.id}",
        f"{film}/e/{library.other.id}", f"{film}&entry_id={library.other.id}", "", "course-1", f"{SPACE}/",
        f"{SPACE}/playlist/dedicated/1234/{film}/{library.other.id}", f"{SPACE}/channel/Lectures/1234",
        f"{SPACE}/category/x/1",
        f"https://kaltura.example.edu/p/101/embedPlaykitJs/uiconf_id/1?entry_id={film}&entry_id={library.other.id}",
        f"https://kaltura.example.edu/p/101/embedPlaykitJs/uiconf_id/1?playlist_id={film}",
        f"https://campus.example.edu/lti/launch?source=https%3A%2F%2Fx.example%2Fother%2F{film}",
    ]  # fmt: skip
    assert {one: await made(kaltura, one) for one in refused} == dict.fromkeys(refused)


async def test_an_entry_that_is_converted_has_not_begun(kaltura: Kaltura) -> None:
    entry = kaltura.fake.library.unready
    link = await kaltura.stage.gateway.make_link(entry.id)
    _, answer = await enter(kaltura.stage.guest.port, link)
    assert answer.status != 303
    entry.status = 2
    _, answer = await enter(kaltura.stage.guest.port, link)
    assert answer.status == 303


async def test_a_wrong_token_is_a_server_in_trouble_and_is_not_said(
    kaltura: Kaltura, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither to whoever makes a link, nor to a guest, nor in the log; nor is a session."""
    library, gateway = kaltura.fake.library, kaltura.stage.gateway
    link, token = await gateway.make_link(library.film.id), library.app_token
    library.app_token = "another one, made since"
    with pytest.raises(LookupError) as refused:
        await gateway.make_link(library.other.id)
    assert "gone" not in str(refused.value).lower()
    _, answer = await enter(kaltura.stage.guest.port, link)
    assert answer.status != 303
    said = "".join(capfd.readouterr()) + str(refused.value) + answer.body.decode()
    sessions = {ks for one in kaltura.fake.asked for ks in sent_ks(one)}
    assert sessions
    for secret in (token, *sessions):
        assert secret not in said


async def test_a_manifest_that_names_others_leads_nowhere(kaltura: Kaltura, monkeypatch: pytest.MonkeyPatch) -> None:
    library, fake = kaltura.fake.library, kaltura.fake
    a, b, flavor = library.film.id, library.other.id, library.other.flavors[0].id
    at = f"{fake.cdn_url}/hls/p/101/sp/10100/serveFlavor"
    hostile = [
        f"{at}/entryId/{b}/flavorId/{flavor}/name/a.mp4/index.m3u8", f"{at}/flavorId/{flavor}/name/a.mp4/index.m3u8",
        f"{at}/entryId/{a}/../{b}/flavorId/{flavor}/name/a.mp4/index.m3u8", f"{at}/entryId/{a}%2f..%2f{b}/x.m3u8",
        f"{fake.second_cdn}/hls/p/101/sp/10100/serveFlavor/entryId/{a}/x.m3u8", f"{fake.cdn_url}/pd/{a}/x.m3u8",
        f"{fake.url}{manifest(b)}", f"/s{manifest(a)}", f"{fake.url}/api_v3/service/session/action/get?ks=x",
        f"{CAPTIONS}/serveWebVTT/captionAssetId/{library.other.captions[0].id}/segmentDuration/300/a.m3u8",
        f"{manifest(a)}?ks=x", "file:///etc/passwd", "http://127.0.0.1:9/x.m3u8", "https://elsewhere.example/x.m3u8",
        "../x.m3u8", "x.m3u8", f"//{fake.cdn_url.partition('//')[2]}/hls/entryId/{a}/x.m3u8",
    ]  # fmt: skip
    plain = fake._manifest
    monkeypatch.setattr(
        fake, "_manifest",
        lambda *said: plain(*said) + "".join(f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{one}\n" for one in hostile),
    )  # fmt: skip
    cookie = await kaltura.come(library.film)
    listed = (await kaltura.get(cookie, manifest(a))).body.decode()
    assert len(named_in(listed)) == 4  # two qualities, two captions
    assert "BANDWIDTH=1\n" not in listed
    kaltura.keeps("elsewhere.example", b)


def named_in(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return lines + re.findall(r'URI="([^"]+)"', text)


@pytest.mark.parametrize(("which", "hls"), [("film", "manifest"), ("secret", "manifest"), ("secret", "redirect")])
async def test_all_of_one_entry_arrives(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, which: str, hls: Literal["manifest", "redirect"]
) -> None:
    """Also of one whose access control wants a session; also where the manifest is a redirect to the CDN."""
    async with kaltura_behind(tmp_path, clips, monkeypatch, hls) as kaltura:
        entry: Entry = getattr(kaltura.fake.library, which)
        cookie = await kaltura.come(entry)
        first = await kaltura.get(cookie, manifest(entry.id))
        if hls == "redirect":
            assert first.status in (302, 307)
            assert first.headers["location"].startswith("/_gateway/s/")
            first = await kaltura.get(cookie, first.headers["location"])
        assert first.status == 200
        found = []
        for name in named_in(first.body.decode()):
            listed = await kaltura.get(cookie, name)
            assert listed.status == 200, name
            for part in named_in(listed.body.decode()):
                whole = part if part.startswith("/") else name.rpartition("/")[0] + "/" + part
                answer = await kaltura.get(cookie, whole)
                assert answer.status == 200, whole
                found.append((part.rpartition(".")[2], stamped(answer.body)))
        assert found.count(("ts", entry.id)) == 8
        assert found.count(("vtt", entry.id)) == (2 if hls == "manifest" else 0)
        assert len(set(found)) == (2 if hls == "manifest" else 1)
        assert stamped((await kaltura.get(cookie, picture(entry.id))).body) == entry.id
        # The CDN hears nothing of sessions, guests and the gateway.
        for asked in kaltura.fake.cdn.asked:
            names = {name.lower() for name, _ in asked.headers}
            assert names.isdisjoint({"x-kaltura-ks", "cookie", "authorization", "referer", "x-forwarded-for"})
            assert "ks" not in asked.target.partition("?")[2]
        kaltura.keeps()


async def test_each_guest_has_a_session_for_this_entry_alone(kaltura: Kaltura) -> None:
    library = kaltura.fake.library
    for entry in (library.film, library.film, library.other):
        cookie = await kaltura.come(entry)
        assert (await kaltura.get(cookie, manifest(entry.id))).status == 200
    given = [one.header("X-Kaltura-Ks") or "" for one in kaltura.fake.asked if "playManifest" in one.target]
    assert len(set(given)) == 3
    for ks, entry in zip(given, (library.film, library.film, library.other), strict=True):
        session = library.read(ks)
        assert session is not None
        assert [one for one in session.privileges.split(",") if "view" in one] == [f"sview:{entry.id}"]
        assert not session.admin


async def test_a_session_is_not_ended_as_that_would_end_all(kaltura: Kaltura) -> None:
    """`session.end` takes all sessions of an application token along, for a day."""
    library = kaltura.fake.library
    mine, theirs = (
        library.sign(privileges=f"sessionid:{library.app_token_id},sview:{one.id}")
        for one in (library.film, library.other)
    )
    await direct(kaltura.fake.url, f"/api_v3/service/session/action/end?ks={mine}", method="POST")
    assert library.read(theirs) is None
    library.ended.clear()
    cookie = await kaltura.come(library.film)
    before = len(kaltura.fake.asked)
    await ask(kaltura.stage.guest.port, "POST /_gateway/leave", cookie=cookie)
    assert not [one for one in kaltura.fake.asked[before:] if "/end" in one.target]


async def test_what_kaltura_would_give_is_never_asked_of_it(kaltura: Kaltura) -> None:
    library, cdn = kaltura.fake.library, kaltura.fake.cdn_url
    film, other, secret = library.film, library.other, library.secret
    a, b, ks = film.id, other.id, library.sign(privileges=f"sview:{film.id}")
    flavor, foreign, caption = film.flavors[0].id, secret.captions[0].id, other.captions[0].id
    cookie = await kaltura.come(film)
    at, end = "/p/101/sp/10100/playManifest", "protocol/https/format/applehttp/a.m3u8"
    given = [
        manifest(b), f"{at}/entryId/{a}/e/{b}/{end}", f"{at}/e/{a}/entryId/{b}/{end}", f"{at}/e/{b}/{end}",
        f"{at}/e/{a}/{end}",
        f"{at}/entryId/{a}/entryId/{b}/{end}", f"{at}/entryId/{a}/{end}?entryId={b}", f"{at}/{end}?entryId={b}",
        f"{at}/entryId/{a}/flavorIds/{flavor}/{end}", f"{at}/entryId/{a}/flavorIds/{foreign}/format/url/a.mp4",
        f"{at}/entryId/{a}/fs/{foreign}/format/url/a.mp4", f"{at}/entryId/{a}/fi/{foreign}/format/download/a.mp4",
        f"{at}/entryId/{a}/sequence/{b}/{end}", f"{at}/entryId/{a}/{end}?sequence={b}",
        f"{at}/entryId/{a}/format/download/a.mp4",
        f"{at}/entryId/{a}/ks/{ks}/{end}", f"{at}/entryId/{a}/{end}?ks={ks}",
        f"{at}/entryId/{a}/cdnHost/localhost/{end}",
        f"{at}/entryId/{a}/ch/{kaltura.fake.second_cdn.removeprefix('http://')}/{end}", f"{at}//entryId//{a}/{end}",
        f"{at}/entryId/index.php/{b}/{end}", f"/s{manifest(a)}", f"/p/101/playManifest/entryId/{a}/{end}",
        f"/p/9/playManifest/entryId/{a}/{end}",
        f"/index.php/extwidget/playManifest/entryId/{a}/{end}", f"/x/..{manifest(a)}", f"{manifest(a)}/swfparams/x",
        f"{manifest(a)}/e/{b}",
        f"/p/101/%70layManifest/entryId/{b}/{end}", f"{at}/entryId/{a}/{end}/",
        f"{at}/entryId/{a}/format/mpegdash/a.mpd",
        f"/p/101/thumbnail/entry_id/{a}/width/1&entry_id={b}", f"/p/101/thumbnail/entry_id/{a}/width/1%26entry_id={b}",
        f"/p/101/thumbnail/entry_id/{a}/entry_id/{b}",
        f"/p/101/thumbnail/entry_id/{a}/flavor_id/{secret.flavors[0].id}", f"{picture(a)}/entry_id/{b}",
        f"{picture(a)}?flavor_id={secret.flavors[0].id}", f"/p/101/thumbnail/entry_id/{a}/width/9999",
        f"{picture(a)}/vid_slices/3/vid_slice/1",
        f"{CAPTIONS}/serveWebVTT/captionAssetId/{caption}/segmentDuration/300/a.m3u8",
        f"{CAPTIONS}/serve/captionAssetId/{caption}",
        f"{CAPTIONS}/serveWebVTT/captionAssetId/{caption}/segmentIndex/-1/version/11/captions.vtt",
        f"/api_v3/index.php?service=caption_captionasset&action=serve&captionAssetId={caption}",
        f"/p/101/sp/10100/serveFlavor/entryId/{a}/flavorId/{flavor}/name/a.mp4",
        f"/p/101/sp/10100/serveFlavor/flavorId/{secret.flavors[0].id}",
        f"/x/y/serveFlavor/flavorId/{secret.flavors[0].id}/name/a.mp4", f"/p/101/sp/10100/raw/entry_id/{a}",
        f"/p/101/sp/10100/download/entry_id/{b}",
        f"/downloadUrl/entry_id/{a}", "/tiny/abcd", f"/p/101/embedPlaykitJs/uiconf_id/1?iframeembed=true&entry_id={a}",
        "/p/101/embedPlaykitJs/uiconf_id/1?iframeembed=true&external_source=alert(1)",
        f"/index.php/extwidget/preview/partner_id/101/uiconf_id/1/entry_id/{a}",
        "/api_v3/service/session/action/startWidgetSession?widgetId=_101&format=1", "/api_v3/index.php",
        "/api/service/session",
    ]  # fmt: skip
    loose = [(target, (await direct(kaltura.fake.url, target)).status) for target in given]
    assert [one for one in loose if one[1] not in (200, 301, 302)] == [("/downloadUrl/entry_id/" + a, 404)]
    await kaltura.stage.refuses(cookie, *(f"GET {target}" for target in given))
    asked = len(kaltura.fake.cdn.asked)
    for path in (f"/hls/p/101/sp/10100/serveFlavor/entryId/{a}/flavorId/{flavor}/name/a.mp4/index.m3u8",):
        assert (await direct(cdn, path)).status == 200
        await kaltura.stage.refuses(cookie, f"GET {path}", f"GET {cdn}{path}", f"GET /_gateway/s/x{path}")
    assert len(kaltura.fake.cdn.asked) == asked + 1


async def test_nothing_else_arrives(kaltura: Kaltura) -> None:
    library, stage = kaltura.fake.library, kaltura.stage
    film, other = library.film, library.other
    cookie = await kaltura.come(film)
    vtt = f"{CAPTIONS}/serveWebVTT/captionAssetId/{{}}/segmentDuration/300/segmentIndex/1.vtt"
    await stage.refuses(cookie, *anywhere(manifest(film.id), manifest(other.id)))
    await stage.refuses(cookie, *anywhere(picture(film.id), picture(other.id)))
    await stage.refuses(cookie, *anywhere(vtt.format(film.captions[0].id), vtt.format(other.captions[0].id)))
    head = "Host: HOST\r\nCookie: COOKIE\r\nConnection: close\r\n"
    form = f"{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 18\r\n\r\nentryId={other.id}"
    many = b'{"1":{"service":"baseEntry","action":"list"}}'
    json = f"{head}Content-Type: application/json\r\nContent-Length: {len(many)}\r\n\r\n".encode() + many
    await stage.refuses(
        cookie,
        f"POST {manifest(film.id)} HTTP/1.1\r\n{form}".encode(), f"GET {manifest(film.id)} HTTP/1.1\r\n{form}".encode(),
        f"POST {picture(film.id)} HTTP/1.1\r\n{form}".encode(),
        b"POST /api_v3/service/multirequest HTTP/1.1\r\n" + json,
        b"POST /api_v3/service/baseEntry/action/list HTTP/1.1\r\n" + json,
        b"POST /api_v3/index.php HTTP/1.1\r\n" + json,
        f"POST {vtt.format(film.captions[0].id)} HTTP/1.1\r\n{form}".encode(),
        f"GET {vtt.format(film.captions[0].id)}?captionAssetId={other.captions[0].id}",
        f"GET {vtt.format(film.captions[0].id)}?ks=x&service=baseEntry", f"GET {vtt.format(film.flavors[0].id)}",
        f"GET {vtt.format(film.captions[0].id).replace('_captionasset', '_captionAsset')}",
        f"GET {vtt.format(film.captions[0].id)}/captionAssetId/{other.captions[0].id}",
        f"GET {manifest(film.id).upper()}",
        f"GET {manifest(film.id).replace('https', 'http')}", "GET /kmc", "GET /admin_console", "GET /lib/x.js",
        "GET /kwidget/wid/_101",
        f"GET {manifest(film.id)}?x=1", f"GET {manifest(film.id)}?ks=x", f"GET {manifest(film.id)}&e={other.id}",
        f"GET {manifest(film.id)},{other.id}",
    )  # fmt: skip
    await ignores_what_a_guest_says_of_itself(stage, cookie, manifest(film.id))
    before = len(stage.server.there)
    said = (
        "X-Kaltura-Ks: intruder\r\nX-Kaltura-Partner: intruder\r\nX-Forwarded-Host: intruder\r\nX-KALTURA: intruder\r\n"
    )
    assert (await kaltura.get(cookie, manifest(film.id), said)).status == 200
    # A KS that a guest says of captions is dropped, and ours sent.
    assert (await kaltura.get(cookie, f"{vtt.format(film.captions[0].id)}?ks=intruder")).status == 200
    sent = bytes(stage.server.there[before:]).lower()
    assert b"intruder" not in sent
    assert sent.count(b"x-kaltura-ks") == 1
    kaltura.keeps()


@pytest.mark.browser
@pytest.mark.parametrize("which", ["film", "secret"])
async def test_a_browser_plays_with_captions_another_quality_and_a_jump(kaltura: Kaltura, which: str) -> None:
    entry: Entry = getattr(kaltura.fake.library, which)
    async with chromium() as browser:
        page = await browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        link = await kaltura.stage.gateway.make_link(entry.id)
        await watch(page, link)
        await page.get_by_role("button", name="Captions").click()
        await page.get_by_role("menuitemradio", name="de").click()
        await until(page, "[...v.textTracks].find(t => t.mode == 'showing')?.cues?.length > 0")
        assert "Sekunde" in str(await value(page, "[...v.textTracks].find(t => t.mode == 'showing').cues[0].text"))
        for height in (180, 90):
            await page.get_by_role("button", name="Quality").click()
            await page.get_by_role("menuitemradio", name=f"{height}p", exact=True).click()
            await until(page, f"v.videoHeight == {height}")
        await seek(page, 5)
        assert faults == []
        if which == "film":
            await two_guests_one_removed(kaltura.stage, browser, page, link, entry.id)
    kaltura.keeps()
