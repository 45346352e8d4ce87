from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.config import Origin
from gateway.web.same_origin import foreign

OURS = Origin("https", "guest.example.org", 443)
SITE, ORIGIN = "Sec-Fetch-Site", "Origin"


def judged(*pairs, accept_null=False):
    return foreign(CIMultiDictProxy(CIMultiDict(pairs)), OURS, accept_null=accept_null)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(ORIGIN, "https://guest.example.org")],
        [(SITE, "same-origin")],
        [(SITE, "same-origin"), (ORIGIN, "https://guest.example.org")],
        [(SITE, "same-origin"), (ORIGIN, "null")],
    ],
)
def test_ours(pairs):
    assert judged(*pairs) is None


@pytest.mark.parametrize(
    "pairs",
    [
        [(ORIGIN, "https://evil.example")],
        [(ORIGIN, "http://guest.example.org")],
        [(ORIGIN, "https://guest.example.org:8443")],
        [(ORIGIN, "https://guest.example.org.evil.example")],
        [(ORIGIN, "")],
        [(ORIGIN, "null")],
        [(SITE, "cross-site")],
        [(SITE, "same-site")],
        [(SITE, "none")],
        [(SITE, "same-origin"), (ORIGIN, "https://evil.example")],
        [(SITE, "cross-site"), (ORIGIN, "https://guest.example.org")],
        [(SITE, "same-origin"), (SITE, "cross-site")],
        [(ORIGIN, "https://guest.example.org"), (ORIGIN, "https://evil.example")],
    ],
)
def test_not_ours(pairs):
    assert judged(*pairs) is not None


def test_the_entry_form_may_post_null_but_not_across_sites():
    assert judged((ORIGIN, "null"), accept_null=True) is None
    assert judged((ORIGIN, "null"), (SITE, "cross-site"), accept_null=True) is not None
    assert judged((ORIGIN, "https://evil.example"), accept_null=True) is not None
