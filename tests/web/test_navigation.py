from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.web.navigation import ahead_of_time, for_service_worker, not_opened


def headers(*pairs):
    return CIMultiDictProxy(CIMultiDict(pairs))


@pytest.mark.parametrize(
    "pairs",
    [
        (),
        (("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "navigate")),
        (("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-User", "?1")),
        (("Sec-Purpose", "prefetch"),),
    ],
)
def test_somebody_opened_it(pairs):
    assert not_opened(headers(*pairs)) is None


@pytest.mark.parametrize(
    "pairs",
    [
        (("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Dest", "empty")),
        (("Sec-Fetch-Dest", ""),),
        (("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Mode", "cors")),
    ],
)
def test_nobody_opened_it(pairs):
    assert not_opened(headers(*pairs))


@pytest.mark.parametrize("dest", ["iframe", "document", "frame", "object", "embed", "empty", "script", ""])
def test_in_a_frame_only_where_somebody_may_frame_and_in_no_other_part_of_a_page(dest):
    said = headers(("Sec-Fetch-Dest", dest), ("Sec-Fetch-Mode", "navigate"))
    assert (not_opened(said, framed=True) is None) is (dest in ("iframe", "document"))
    assert (not_opened(said) is None) is (dest == "document")


def test_ahead_of_time():
    for pairs in (
        (("sec-purpose", "Prefetch;prerender"),),
        (("Purpose", "x"), ("purpose", "prefetch")),
        (("X-Purpose", "preview"),),
    ):
        assert ahead_of_time(headers(*pairs))
    assert ahead_of_time(headers(("X-Moz", "something else"), ("Sec-Fetch-Dest", "empty"))) is None


@pytest.mark.parametrize(
    ("pair", "refused"),
    [
        (("Service-Worker", "script"), True),
        (("service-worker", "x, Script"), True),
        (("Sec-Fetch-Dest", "serviceworker"), True),
        (("Sec-Fetch-Dest", "script"), False),
        (("Sec-Fetch-Dest", "worker"), False),
        (("Service-Worker", "scripts"), False),
    ],
)
def test_service_workers(pair, refused):
    assert for_service_worker(headers(pair)) is refused
