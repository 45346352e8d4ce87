"""Name and address on the guest's own device: who is remembered, who is not, who can read it, how it goes."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict

from gateway.config import Origin
from gateway.guest.remembered import KEPT, Remembered, forget
from gateway.links.keys import Keys

HTTP, HTTPS = Origin("http", "127.0.0.1", 8080), Origin("https", "guest.example.org", 443)
NOW = 1_795_000_000_000


def device(secret: bytes = b"k" * 32, now: int = NOW) -> Remembered:
    return Remembered(Keys.derive([secret]).device_fernets, lambda: now)


def cookie(name: str, email: str = "zoe@example.org", public: Origin = HTTP) -> str:
    response = web.Response()
    device().write(response, name, email, public)
    return response.headers["Set-Cookie"]


def asking(*pairs: str) -> Any:
    return SimpleNamespace(headers=CIMultiDict([("Cookie", pair) for pair in pairs]))


@pytest.mark.parametrize("name", ["Zoë", "נועה כהן", "𝒵" * 100, '"; Path=/x'])
def test_what_was_kept_is_read_again(name: str) -> None:
    pair = cookie(name).partition(";")[0]
    assert device().read(asking(f"a=b; {pair}; c=d"), HTTP) == (name, "zoe@example.org")
    assert len(pair) < 1_500


def test_no_script_and_no_other_host_reads_or_plants_it() -> None:
    line = cookie("Zoë", public=HTTPS)
    assert re.match(r"__Host-Http-gateway-guest=[A-Za-z0-9_-]+; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=", line)
    assert "Zo" not in line
    assert "zoe" not in line
    assert "Domain" not in line


def test_what_is_not_ours_fills_in_nothing() -> None:
    pair = cookie("Zoë").partition(";")[0]
    good = asking(pair)
    assert device(b"x" * 32).read(good, HTTP) is None, "another deployment's"
    assert device(now=NOW + (KEPT + 1) * 1000).read(good, HTTP) is None, "too old"
    assert device().read(asking(pair, pair), HTTP) is None, "two of one name: one was planted"
    assert device().read(asking(pair[:-3]), HTTP) is None
    assert device().read(asking("gateway-guest=" + "A" * 5_000), HTTP) is None
    assert device().read(asking("gateway-guest=é"), HTTP) is None
    assert device().read(asking(), HTTP) is None


def test_a_session_is_no_remembered_guest() -> None:
    keys = Keys.derive([b"k" * 32])
    sealed = keys.session_fernets.encrypt_at_time(b'{"name": "a", "email": "b"}', NOW // 1000).decode().rstrip("=")
    assert device().read(asking(f"gateway-guest={sealed}"), HTTP) is None


def test_what_is_no_name_is_not_kept() -> None:
    response = web.Response()
    device().write(response, "\x00", "zoe@example.org", HTTP)
    device().write(response, "Zoë", "no address", HTTP)
    assert "Set-Cookie" not in response.headers


def test_forgetting_repeats_every_attribute() -> None:
    """Chromium keeps a `__Host-` cookie that is deleted without Secure."""
    response = web.Response()
    forget(response, HTTPS)
    (line,) = response.headers.getall("Set-Cookie")
    assert line.startswith("__Host-Http-gateway-guest=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0;")
