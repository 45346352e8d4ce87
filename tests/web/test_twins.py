from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.web.twins import MOST, forget_twins, twins

OURS = ("gateway", "gateway-form")


def sent(*lines):
    return twins(make_mocked_request("GET", "/", headers=CIMultiDict([("Cookie", line) for line in lines])), OURS)


def forgotten(host, path):
    response = web.Response()
    forget_twins(response, ["gateway"], host, path)
    lines = response.headers.getall("Set-Cookie", [])
    assert all(line.startswith("gateway=; Path=") and "Max-Age=0" in line for line in lines)
    return [line.removeprefix("gateway=; ").partition("; Max-Age")[0] for line in lines]


def test_only_names_of_ours_that_come_twice():
    assert sent() == []
    assert sent("gateway=a; gateway-form=b; other=c; other=d") == []
    assert sent("gateway=a;gateway=b") == ["gateway"]
    assert sent("gateway=a", "x=y; gateway") == ["gateway"]
    assert sent("gateway-form=a; gateway=b; gateway-form=c; gateway=d") == ["gateway", "gateway-form"]


def test_every_place_it_can_have_come_from_and_never_our_own():
    places = forgotten("guest.example.org", "/media/abc")
    assert places[:3] == ["Path=/media", "Path=/media/", "Path=/media/abc"]
    for domain in ("guest.example.org", "example.org"):
        for path in ("/", "/media", "/media/", "/media/abc"):
            assert f"Path={path}; Domain={domain}" in places
    assert "Path=/" not in places
    assert not [place for place in places if place.endswith("Domain=org")]
    assert len(places) == len(set(places)) == 11


def test_a_frames_cookie_from_before_the_browser_kept_them_apart_is_told_to_go():
    response = web.Response()
    forget_twins(response, ["__Host-gateway-framed"], "127.0.0.1", "/")
    (line,) = response.headers.getall("Set-Cookie")
    assert line.startswith("__Host-gateway-framed=; Path=/; HttpOnly; SameSite=None; Secure; Max-Age=0;")


def test_a_host_without_a_domain_has_none():
    for host in ("127.0.0.1", "[::1]", "localhost"):
        assert forgotten(host, "/a/") == ["Path=/a", "Path=/a/"]
    assert forgotten("127.0.0.1", "/") == []


def test_a_long_path_does_not_make_the_answer_long():
    assert len(forgotten("a.b.c.d.example.org", "/x" * 500)) == MOST
