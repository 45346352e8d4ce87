# ruff: noqa: E501  # lists of addresses are read best side by side
"""A media server that means ill, and a guest who bends what it names: nobody gets past the one item, nor at a secret.

Everything that a player could find is asked for, from playlists that name whatever there is, and each address once more
in hundreds of other spellings. Judged is what arrives at the media server and at the other origin, and each byte that
leaves towards the guest.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.running import Answer, Running, ask, enter, running_gateway
from tests.wire import Call, WireServer

POLICY = """
server: Hostile
item: {id: "[a-z]{3,9}"}
patterns: {file: "[A-Za-z0-9_-]+[.](m3u8|ts|json|vtt)"}
kinds:
  video:
    player: {src: "/v/{id}/master.m3u8"}
    prepare:
      - {request: "POST /play/{id}", vars: {media: $.media}}
    allow:
      - request: GET /v/{id}/master.m3u8
        follow: {as: hls, to: ["/v/{id}/**", "http://127.0.0.1:%CDN%/c/{id}/**"]}
      - request: GET /j/{id}/list.json
        follow: {as: json, to: ["/v/{id}/**"]}
      - GET {media}
      - GET /free/{id}/{file}
      - page GET /page/{id}
origins: ["http://127.0.0.1:%CDN%"]
cookies: [sid, {theme: guest}]
guest_access: {cast: 1h}
upstream:
  headers: {Authorization: "Bearer {login.token}"}
  query: {api_key: "operators-own-key"}
  login: {request: POST /auth, json: {user: robot, pw: "operators-password"}, secrets: {token: $.token}}
"""
TOKEN, KEPT = "token-of-the-sign-in", "value-of-the-kept-cookie"
SECRETS = (TOKEN, KEPT, "operators-own-key", "operators-password")
SIGNED = re.compile(r"/_gateway/s/[^\s\"<>,]+")
MINE, OTHER = "aurora", "nocturne"


@dataclass
class Stage:
    gateway: Running
    media: WireServer
    cdn: WireServer
    named: list[str] = field(default_factory=list)
    where: str = ""

    async def get(self, url: str, *, cookie: str = "", method: str = "GET", headers: str = "", at: str = "") -> Answer:
        said = f"X-Forwarded-For: {at}\r\n" if at else ""
        answer = await ask(self.gateway.port, f"{method} {url}", cookie=cookie, headers=said + headers)
        text = (str(answer.headers) + str(answer.set_cookies)).encode() + answer.body
        for secret in (*SECRETS, f"127.0.0.1:{self.media.port}", f"127.0.0.1:{self.cdn.port}"):
            assert secret.encode() not in text, (method, url, secret, text)
        return answer

    def outside(self) -> list[str]:
        """What arrived anywhere that is not of the one item."""
        found = []
        for call in self.media.calls:
            path = call.target.partition("?")[0]
            inside = re.fullmatch(rf"/(v|free|j|page|play)/{MINE}(/[A-Za-z0-9_.${{}}-]+)*", path) or path == "/auth"
            if not inside or "nocturne" in call.target:
                found.append(call.line)
        for call in self.cdn.calls:
            if not re.fullmatch(rf"/(c/{MINE}/[A-Za-z0-9_./${{}}-]+|signed/{MINE}[.]mp4)([?].*)?", call.target):
                found.append(call.line)
            names = {name.lower() for name, _ in call.headers}
            assert not names & {"authorization", "cookie", "x-forwarded-for", "x-forwarded-host", "referer"}, call.head
            assert b"api_key" not in call.head
        return found

    def forget(self) -> None:
        self.media.calls.clear()
        self.cdn.calls.clear()


@asynccontextmanager
async def staged(tmp_path: Path, extra: str = "trusted_proxies: [127.0.0.1]\n") -> AsyncIterator[Stage]:
    stage: Stage

    async def media(call: Call) -> None:
        if call.line.startswith("HEAD "):
            await call.answer(headers="Content-Type: video/mp2t\r\nSet-Cookie: gateway=planted\r\n")
            return
        length = int(call.header("Content-Length") or 0)
        if length:
            await call.reader.readexactly(length)
        path = call.target.partition("?")[0]
        cookies = (
            f"Set-Cookie: sid={KEPT}; Path=/\r\nSet-Cookie: gateway=planted; Path=/\r\nSet-Cookie: theme=a,b\r\n"
            "Set-Cookie: theme=dark; Domain=example.org; Path=/_gateway\r\nAccess-Control-Allow-Origin: *\r\n"
            "Access-Control-Allow-Credentials: true\r\nService-Worker-Allowed: /\r\n"
        )
        if path == "/auth":
            await call.answer(json.dumps({"token": TOKEN}).encode(), headers="Content-Type: application/json\r\n")
        elif path.startswith("/play/"):
            url = f"http://127.0.0.1:{stage.cdn.port}/signed/{path[6:]}.mp4?sig=abc"
            await call.answer(json.dumps({"media": url}).encode(), headers="Content-Type: application/json\r\n")
        elif stage.where and path.endswith(".ts"):
            await call.answer(status="302 Found", headers=f"Location: {stage.where}\r\n{cookies}")
        elif path.endswith(".m3u8"):
            lines = ["#EXTM3U", *(f"#EXTINF:1\n{one}" for one in stage.named)]
            lines += [f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{n}",URI="{one}"' for n, one in enumerate(stage.named)]
            body = "\n".join(lines).encode()
            await call.answer(body, headers=f"Content-Type: application/vnd.apple.mpegurl\r\n{cookies}")
        elif path.endswith(".json"):
            body = json.dumps({"a": stage.named}).encode()
            await call.answer(body, headers=f"Content-Type: application/json\r\n{cookies}")
        else:
            await call.answer(b"media", headers=f"Content-Type: video/mp2t\r\n{cookies}")

    async def cdn(call: Call) -> None:
        if stage.where:
            await call.answer(status="302 Found", headers=f"Location: {stage.where}\r\n")
        elif call.line.startswith("HEAD "):
            await call.answer(headers="Content-Type: video/mp2t\r\n")
        else:
            await call.answer(b"media", headers="Content-Type: video/mp2t\r\nAccess-Control-Allow-Origin: *\r\n")

    async with WireServer(media) as one, WireServer(cdn) as two:
        policy = POLICY.replace("%CDN%", str(two.port))
        async with running_gateway(tmp_path, policy, one.port, extra=extra) as gateway:
            stage = Stage(gateway, one, two)
            yield stage


async def admitted(stage: Stage, item: str) -> tuple[str, str]:
    """The cookie, and the address without one."""
    cookie, answer = await enter(stage.gateway.port, await stage.gateway.make_link(item))
    page = await stage.get(answer.headers["location"], cookie=cookie, headers="Accept: text/html\r\n")
    found = re.search(rf'value="http://127\.0\.0\.1:{stage.gateway.port}(/_gateway/s/[^"]+)"', page.body.decode())
    assert found, page.body.decode()
    return cookie, found[1]


def hostile(stage: Stage, theirs: str) -> list[str]:
    """`theirs`: a signed URL of another guest."""
    own, behind, cdn = (f"http://127.0.0.1:{port}" for port in (stage.gateway.port, stage.media.port, stage.cdn.port))
    other = f"/v/{OTHER}/0.ts"
    found = [
        "/_gateway/leave", "/_gateway/health/ready", "/_gateway/auth/v/x", "/_gateway/metrics", "/g/abc", theirs, own + theirs,
        "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1/", "http://[::1]/", "http://localhost/x.ts",
        "file:///etc/passwd", "ftp://127.0.0.1/x.ts", "gopher://127.0.0.1:6379/_INFO", "data:video/mp2t;base64,AAAA",
        "javascript:alert(1)", "//169.254.169.254/x.ts", "\\\\169.254.169.254\\x.ts", "/\\169.254.169.254/x.ts",
        "http:169.254.169.254/x.ts", "http:/169.254.169.254/x.ts", "https://127.0.0.1.nip.io/x.ts",
        other, f"../{OTHER}/0.ts", f"/v/{MINE}/../{OTHER}/0.ts", f"/v/{MINE}/%2e%2e/{OTHER}/0.ts", f"x/../../{OTHER}/0.ts",
        f"/v/{MINE}/..%2f{OTHER}/0.ts", f"/v/{MINE}/..;/{OTHER}/0.ts", f"/v/{MINE}//{OTHER}/0.ts", f"/v/{MINE}/%252e%252e/{OTHER}.ts",
        f"/v/{MINE}/..\\{OTHER}\\0.ts", f"/v/{MINE}/．．/{OTHER}/0.ts", f"/v/{MINE}/%c0%ae%c0%ae/{OTHER}/0.ts",
        behind + other, own + other, f"{behind}/admin", f"{own}/_gateway/leave", f"//127.0.0.1:{stage.media.port}/admin",
        f"{cdn}/c/{OTHER}/0.ts", f"{cdn}/admin", f"{cdn}/c/{MINE}/../{OTHER}/0.ts", f"{cdn}@169.254.169.254/c/{MINE}/0.ts",
        f"http://x@127.0.0.1:{stage.cdn.port}/c/{MINE}/0.ts", f"{cdn}.evil.example/c/{MINE}/0.ts", f"{cdn}/c/{MINE}/0.ts#@x",
        f"{cdn}/c/{MINE}/0.ts?api_key=operators-own-key", f"{cdn}/c/{MINE}/{TOKEN}.ts", f"{cdn}/c/{MINE}/0.ts?c={KEPT}",
        f"/v/{MINE}/0.ts?api_key=operators-own-key", f"/v/{MINE}/{TOKEN}.ts", "{$x}", f"/v/{MINE}/{{$x}}.ts",
        f"HTTP://127.0.0.1:{stage.media.port}/ADMIN", f"http://127.1:{stage.media.port}/admin", f"http://0x7f000001:{stage.media.port}/x",
        f"/v/{MINE}/a b.ts", f"/v/{MINE}/a%0d%0aX: y.ts", f"/v/{MINE}/a%00.ts", f"/v/{MINE.upper()}/0.ts",
    ]  # fmt: skip
    good = [f"/v/{MINE}/0.ts", "1.ts", f"{cdn}/c/{MINE}/2.ts?t=1", f"{behind}/v/{MINE}/3.ts", f"/free/{MINE}/4.ts"]
    return found + good


async def test_a_playlist_that_names_whatever_there_is_leads_nowhere_else(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        cookie, cast = await admitted(stage, MINE)
        _, theirs = await admitted(stage, OTHER)
        stage.named = hostile(stage, theirs)
        stage.forget()
        asked = 0
        for begin, who in ((f"/v/{MINE}/master.m3u8", cookie), (cast, ""), (f"/j/{MINE}/list.json", cookie)):
            stage.named = [one for one in hostile(stage, theirs) if not any(secret in one for secret in SECRETS)]
            first = await stage.get(begin, cookie=who, at="198.51.100.1")
            assert first.status == 200, first
            named = re.findall(r'/[^\s"<>,]*', first.body.decode())
            assert sum("/_gateway/s/" in one for one in named) >= 2, named
            for url in dict.fromkeys(named):
                if not url.startswith("//") and url not in ("/_gateway/leave",):
                    for method in ("GET", "HEAD"):
                        asked += 1
                        if theirs not in url:  # whoever holds another's address has been given it
                            await stage.get(url, cookie=who, method=method, at="198.51.100.1")
        assert asked > 20
        assert stage.outside() == []
        # And with the secrets in it: nothing of them leaves, whatever becomes of the rest.
        stage.named = hostile(stage, theirs)
        for begin, who in ((f"/v/{MINE}/master.m3u8", cookie), (cast, ""), (f"/j/{MINE}/list.json", cookie)):
            await stage.get(begin, cookie=who, at="198.51.100.1")


async def test_a_redirect_leads_nowhere_else(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        cookie, cast = await admitted(stage, MINE)
        _, theirs = await admitted(stage, OTHER)
        targets = hostile(stage, theirs)
        stage.named = [f"/v/{MINE}/0.ts", f"http://127.0.0.1:{stage.cdn.port}/c/{MINE}/2.ts", f"/free/{MINE}/4.ts"]
        urls = []
        for begin, who in ((f"/v/{MINE}/master.m3u8", cookie), (cast, "")):
            body = (await stage.get(begin, cookie=who, at="198.51.100.1")).body.decode()
            urls += [(url, who) for url in re.findall(r"^/.*$", body, re.M)]
        assert len(urls) >= 6
        stage.forget()
        led = 0
        for where in targets:
            stage.where = where
            for url, who in urls:
                answer = await stage.get(url, cookie=who, at="198.51.100.1")
                if answer.status == 302:
                    location = answer.headers["location"]
                    assert re.match("/(?!/)", location), location
                    assert not location.startswith("/_gateway/") or location.startswith("/_gateway/s/")
                    assert theirs not in location
                    led += 1
                    stage.where = ""
                    assert (await stage.get(location, cookie=who, at="198.51.100.1")).status in (200, 403)
                    stage.where = where
                else:
                    assert answer.status == 502, (where, answer)
        assert led
        assert stage.outside() == []


def spellings(url: str, other: str) -> list[str]:
    """`url` with each of its parts bent, and with parts of `other`, which is another guest's."""
    mine, theirs = url.split("/"), other.split("/")
    found = [
        f"{url}/",
        f"/{url}",
        url.upper(),
        f"{url}?",
        f"{url}?a=b",
        f"{url}?_HLS_msn=1&_HLS_msn=2",
        f"{url};x",
        f"{url}%00",
    ]
    found += [
        f"{url}#x",
        f"{url}?_HLS_msn={'9' * 20}",
        f"{url}?_HLS_skip=%59ES",
        f"http://127.0.0.1{url}",
        f"{url}?_method=POST",
    ]
    for at in range(2, len(mine)):
        part = mine[at]
        bent = [
            "", ".", "..", "%2e%2e", part + "=", part[:-1], part + part[-1:], part.swapcase(), part[::-1], f"{part};a=b", f"%20{part}",
            f"%{ord(part[0]):02x}{part[1:]}", part.replace(".", "%2e"), part.replace(".", ".."), f"{part}%2f", f"..%2f{part}",
            "\uff0e" + part, *([theirs[at]] if at < len(theirs) else []),
        ]  # fmt: skip
        bent += [part[:n] + ("A" if part[n] != "A" else "B") + part[n + 1 :] for n in range(0, len(part), 7)]
        found += ["/".join((*mine[:at], one, *mine[at + 1 :])) for one in bent]
        found.append("/".join((*mine[:at], part, *mine[at:])))
        found.append("/".join((*mine[:at], *mine[at + 1 :])))
    return [one for one in dict.fromkeys(found) if one != url]


async def test_a_signed_address_opens_in_its_own_spelling_alone(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        cookie, cast = await admitted(stage, MINE)
        stranger, theirs = await admitted(stage, OTHER)
        stage.named = [f"/v/{MINE}/0.ts", f"/v/{MINE}/sub/list.m3u8", f"/free/{MINE}/4.ts"]
        listed = (await stage.get(cast, at="198.51.100.1")).body.decode()
        assert "/free/" not in listed, "what a rule allows has an address without the cookie too"
        inside = SIGNED.findall(listed)
        stage.named = [one.replace(MINE, OTHER) for one in stage.named]
        others = SIGNED.findall((await stage.get(theirs, at="198.51.100.9")).body.decode())
        asked = opened = 0
        for url, other in ((cast, theirs), *zip(inside, others, strict=False)):
            for bent in spellings(url, other):
                stage.forget()
                asked += 1
                answer = await stage.get(bent.encode().decode("latin-1"), at="198.51.100.1")
                # An empty query is none, and an escape of a letter is that letter.
                if answer.status == 200:
                    opened += 1
                    assert stage.outside() == [], bent
                    assert bent == f"{url}?" or "%" in bent, bent
                else:
                    assert answer.status in (400, 403, 404, 502), (bent, answer)
                assert answer.status == 200 or "access-control-allow-origin" not in answer.headers, bent
            for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "CONNECT"):
                stage.forget()
                asked += 1
                assert (await stage.get(url, method=method, at="198.51.100.1")).status >= 400
                assert stage.media.calls == stage.cdn.calls == []
            upgrade = (
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            )
            assert (await stage.get(url, headers=upgrade, at="198.51.100.1")).status >= 400
        assert asked > 300
        # Without its ticket it is nobody's but the guest's own, with the cookie of another guest too.
        bare = "/_gateway/s/" + inside[0].split("/s/")[1].split("/", 1)[1]
        assert (await stage.get(bare, cookie=stranger)).status == 403
        assert (await stage.get(bare)).status == 403
        assert "access-control-allow-origin" not in (await stage.get(bare, cookie=cookie)).headers


async def test_no_answer_without_a_ticket_is_another_origins(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        cookie, cast = await admitted(stage, MINE)
        stage.named = [f"/v/{MINE}/0.ts"]
        for url in (
            f"/v/{MINE}/master.m3u8", f"/free/{MINE}/4.ts", f"/page/{MINE}", f"/j/{MINE}/list.json", "/", "/g/x", "/_gateway/leave",
            "/_gateway/s/x", "/_gateway/s/c.x.1.ff/x/y", "/_gateway/health/ready",
        ):  # fmt: skip
            for method in ("GET", "HEAD", "OPTIONS", "POST"):
                asks = "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n"
                answer = await stage.get(url, cookie=cookie, method=method, headers=asks, at="198.51.100.1")
                names = [name for name in answer.headers if name.startswith("access-control")]
                assert names == [], (method, url, names)
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = await stage.get(cast, cookie=cookie, method=method, headers="Origin: https://evil.example\r\n")
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in answer.headers
            assert answer.set_cookies == []


async def test_many_addresses_at_the_same_moment_are_two(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        _, cast = await admitted(stage, MINE)
        forms = [f"198.51.100.{n}" for n in range(1, 15)] + [f"2001:db8:{n:x}::1" for n in range(1, 10)]
        answers = await asyncio.gather(*(stage.get(cast, at=form) for form in forms))
        good = [form for form, answer in zip(forms, answers, strict=True) if answer.status == 200]
        assert len(good) == 2
        assert {answer.status for answer in answers} == {200, 403}
        one = good[0]
        if "." in one:
            spelled = [f"::ffff:{one}", f"[::ffff:{one}]:443", f"{one}:5000", f"203.0.113.7, {one}", f"unknown, {one}"]
            assert {(await stage.get(cast, at=form)).status for form in spelled} == {200}
        for other in ("203.0.113.9", f"{one}, 203.0.113.9", "2001:db8:ffff::1", "64:ff9b::c633:6401"):
            assert (await stage.get(cast, at=other)).status == 403, other


async def test_a_peer_that_is_not_trusted_has_one_address_whatever_it_says(tmp_path: Path) -> None:
    async with staged(tmp_path, extra="") as stage:
        _, cast = await admitted(stage, MINE)
        for n in range(1, 9):
            assert (await stage.get(cast, at=f"198.51.100.{n}")).status == 200
