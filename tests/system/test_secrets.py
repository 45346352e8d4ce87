"""What must not be told: tokens, sessions, names and addresses in no log, the server's credential to nobody."""

from __future__ import annotations

import html
import json
import sys
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.running import free_port, raw
from tests.system.processes import make_link, served
from tests.system.stage import (
    CREDENTIAL,
    ITEM,
    PAGE,
    STREAM,
    Guest,
    Media,
    form_id,
    path_of,
    write_config,
)

NAME, EMAIL = "Zebulon Quartermain", "zebulon.quartermain@example.org"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_whole_visit_leaves_no_secret_in_logs_numbers_or_answers(
    tmp_path: Path, media: Media, form: str
) -> None:
    admin = free_port()
    port = write_config(tmp_path, media, extra=f"log: {{format: {form}}}\nadmin_listen: 127.0.0.1:{admin}\n")
    async with served(tmp_path, port, workers=1) as gateway:
        link = (await make_link(tmp_path))["url"]
        token = link.rpartition("/")[2]
        guest = Guest(port)
        first = await guest.form(link)
        again = await guest.post(link, first, name=NAME, email="zebulon.quartermain@")
        assert again.status == 422
        assert (await guest.post(link, form_id(again), name=NAME, email=EMAIL)).status == 303
        session, form_cookie = guest.jar["gateway"], guest.jar["gateway-form"]
        async with guest.streaming() as stream, guest.talking():
            assert await stream.flows()
        for path in (PAGE, STREAM, "/media/xyz789", "/", path_of(link), "/_gateway/leave", f"/hls/{ITEM}/echo.txt"):
            await guest.get(path)
            await guest.get(path, page=False)
        assert guest.seen[-1].status == 502  # it would have shown the credential
        # Where people and programs put secrets by mistake.
        for target in (
            f"{path_of(link)}/", f"{path_of(link)}/x", f"{path_of(link)}?x={token}", f"{STREAM}?t={session}",
            f"/G/{token}",
            f"/g/x/../{token}", f"//g/{token}", f"/%67/{token}", f"/g/{token}%zz",
            f"/media/?name={quote(NAME)}&email={EMAIL}",
            f"http://127.0.0.1:{port}{path_of(link)}", f"/g/{token}#x",
            f"/x?link=http://127.0.0.1:{port}{path_of(link)}",
        ):  # fmt: skip
            await guest.get(target)
        await guest.ask(f"GET {STREAM}", headers=f"Referer: {link}\r\nUser-Agent: {token}\r\nX-Name: {NAME}\r\n")
        await raw(port, f"GET /g/{token} HTTP/1.1\r\nBroken {session}\r\n\r\n".encode())
        await raw(port, f"GET /g/{token} HTTP/7\r\n\r\n".encode())
        media.mode = "gone"
        await guest.get(PAGE)
        media.mode = "ok"
        await guest.get(path_of(link))
        await guest.leave()
        await media.stop()
        await guest.get(STREAM)
        numbers = (await raw(admin, b"GET /_gateway/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).decode()
        assert await gateway.stop() == 0

    said = gateway.said + numbers
    assert said.count(STREAM) > 3  # it is the log
    if form == "json":
        lines = [json.loads(line) for line in gateway.said.splitlines() if line.startswith("{")]
        assert len(lines) > 30
    for secret in (token, session, form_cookie, *spellings(NAME), *spellings(EMAIL), "uartermain", CREDENTIAL):
        assert secret.lower() not in said.lower(), secret
    for answer in guest.seen:
        body = answer.body.decode()
        heads = "\n".join(f"{name}: {value}" for name, value in answer.headers.items() if name != "set-cookie")
        for secret in (token, session, form_cookie, *spellings(CREDENTIAL)):
            assert secret not in heads + body, (secret, answer)
        assert answer.status == 422 or NAME not in heads + body
    # The store keeps the token's fingerprint, and the token itself only under a key that is not there.
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert token.encode() not in kept
    assert NAME.encode() in kept


def spellings(text: str) -> set[str]:
    return {text, quote(text), html.escape(text), json.dumps(text)[1:-1], b64encode(text.encode()).decode().rstrip("=")}
