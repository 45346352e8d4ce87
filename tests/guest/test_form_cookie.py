from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiohttp import web
from multidict import CIMultiDict

from gateway.config import Origin
from gateway.guest.form_cookie import new_form_cookie, sent_form_cookie, set_form_cookie
from gateway.web.embedding import Embedding

PLAIN, SECURE = Origin("http", "127.0.0.1", 8080), Origin("https", "guest.example.org", 443)
VALUE = "abcdefghijkLMNOPQRS012"


def asking(*pairs):
    return SimpleNamespace(headers=CIMultiDict(pairs))


def sent(public, *headers):
    request = SimpleNamespace(headers=CIMultiDict([("Cookie", header) for header in headers]))
    return sent_form_cookie(request, public, Embedding())


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([f"gateway-form={VALUE}"], VALUE),
        ([f"a=b; gateway-form={VALUE};c=d"], VALUE),
        (["a=b", f"gateway-form={VALUE}"], VALUE),
        ([], None),
        ([f"gateway-form={VALUE}; gateway-form={VALUE}"], None),
        ([f"gateway-form={VALUE}", f"gateway-form={VALUE}"], None),
        ([f"gateway-form={VALUE}x"], None),
        ([f'gateway-form="{VALUE[2:]}"'], None),
        ([f"Gateway-Form={VALUE}"], None),
        ([f"\u2000gateway-form={VALUE}"], None),
        (["gateway-form"], None),
    ],
)
def test_only_one_well_formed_value_counts(headers, found):
    assert sent(PLAIN, *headers) == found


def test_on_https_the_name_keeps_other_hosts_out():
    assert sent(SECURE, f"__Host-Http-gateway-form={VALUE}") == VALUE
    assert sent(SECURE, f"gateway-form={VALUE}") is None


def test_it_ends_with_the_browser_and_scripts_cannot_read_it():
    for public, line in (
        (PLAIN, f"gateway-form={VALUE}; Path=/; HttpOnly; SameSite=Lax"),
        (SECURE, f"__Host-Http-gateway-form={VALUE}; Path=/; HttpOnly; SameSite=Lax; Secure"),
    ):
        response = web.Response()
        set_form_cookie(asking(), response, VALUE, public, Embedding())
        assert response.headers.getall("Set-Cookie") == [line]


def test_a_new_one_is_well_formed_and_new():
    one, other = new_form_cookie(), new_form_cookie()
    assert one != other
    assert sent(PLAIN, f"gateway-form={one}") == one


def test_a_form_in_a_frame_is_bound_to_a_cookie_of_frames():
    lms, response = Embedding((Origin("https", "lms.example.edu", 443),)), web.Response()
    set_form_cookie(asking(("Sec-Fetch-Dest", "iframe")), response, VALUE, SECURE, lms)
    assert response.headers.getall("Set-Cookie") == [
        f"__Host-Http-gateway-form-framed={VALUE}; Path=/; HttpOnly; SameSite=None; Secure; Partitioned"
    ]
    framed = ("Cookie", f"__Host-Http-gateway-form-framed={VALUE}; __Host-Http-gateway-form={VALUE[::-1]}")
    assert sent_form_cookie(asking(("Sec-Fetch-Dest", "iframe"), framed), SECURE, lms) == VALUE
    for headers in ((("Sec-Fetch-Dest", "document"), framed), (framed,)):
        assert sent_form_cookie(asking(*headers), SECURE, lms) == VALUE[::-1]
    assert sent_form_cookie(asking(("Sec-Fetch-Dest", "iframe"), framed), SECURE, Embedding()) == VALUE[::-1]
