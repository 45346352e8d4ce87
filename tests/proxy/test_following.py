"""The three fates of an address, whichever way it was read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.links.followed import unseal
from tests.followings import GRANT, KEYS, following

POLICY = """
server: Test server
item: {id: "[a-z]{3,9}"}
patterns: {n: "[0-9]{1,3}"}
kinds:
  video:
    open: /page/{id}
    allow:
      - page GET /page/{id}
      - GET /v/{id}/{n}.ts
      - GET /q/{id}?id={id}
      - GET /n/{id}/1.ts?t={n}
      - POST /v/{id}/a.ts
      - request: GET /v/{id}/master.m3u8
        follow: {as: hls, to: ["/v/{id}/**", "/n/{id}/{n}.ts", "/p/{id}?id={id}&*", "https://cdn.test/v/*"]}
origins: ["https://cdn.test"]
"""
FOLDERS = [
    "", "sub/", "./", "/v/abc/", "/n/abc/", "/p/", "/v/xyz/", "../", "../abc/", "%2e/", "s%75b/", "é/", "//cdn.test/v/",
    "https://cdn.test/v/", "https://cdn.test:443/v/", "https://evil.test/", "http://127.0.0.1:8096/v/abc/",
]  # fmt: skip
NAMES = st.one_of(
    st.text("ab1.%?é/ &=-:\\#", max_size=12),
    st.sampled_from(["1.ts", "a.ts", "a.m3u8", "a.MPD", "abc", "x" * 81]),
)
QUERIES = st.sampled_from(
    ["", "?", "?t=1", "?id=abc", "?id=xyz", "?ID=abc", "?t=%26id%3Dxyz", "?t=a#b", "?a;b", "?%zz"]
)


@given(st.sampled_from(FOLDERS), NAMES, QUERIES)
def test_how_a_place_is_written_depends_on_the_place_alone(folder: str, name: str, query: str) -> None:
    """However many folders an answer has named before, and whichever way was taken."""
    quick, slow = following(POLICY, "/v/abc/master.m3u8"), following(POLICY, "/v/abc/master.m3u8")
    slow._beside = lambda written: None  # type: ignore[method-assign]
    found = quick.address(folder + name + query, "file")
    assert found == slow.address(folder + name + query, "file") == quick.address(folder + name + query, "file")
    if found is not None and found.startswith("/_gateway/s/"):
        place = unseal(KEYS, GRANT, found.removeprefix("/_gateway/s/").split("/")).place
        assert place.startswith(("/v/abc/", "/n/abc/", "/p/abc", "https://cdn.test/v/"))
        assert "xyz" not in place


TEXTS = st.builds(lambda folder, name, query: folder + name + query, st.sampled_from(FOLDERS), NAMES, QUERIES)


@given(st.lists(TEXTS, max_size=6))
def test_many_files_are_written_as_each_alone(texts: list[str]) -> None:
    one, other = following(POLICY, "/v/abc/master.m3u8"), following(POLICY, "/v/abc/master.m3u8")
    assert one.files(texts + texts) == [other.address(text, "file") for text in texts + texts]


def test_more_folders_and_queries_than_are_kept_change_nothing() -> None:
    names = [f"f{n}/a.ts?t={n}" for n in range(200)]
    one = following(POLICY, "/v/abc/master.m3u8")
    assert [one.address(name, "file") for name in names] == [
        following(POLICY, "/v/abc/master.m3u8").address(name, "file") for name in reversed(names)
    ][::-1]


def test_what_is_sealed_fits_into_a_request() -> None:
    one = following(POLICY, "/v/abc/master.m3u8")
    for text in ("a" * 80 + ".ts?t=" + "x" * 4_000, "a/" * 2_000 + "a.ts?t=" + "x" * 3_000, "a.ts?t=" + "x" * 4_000):
        found = one.address(text, "file")
        assert found is None or len(found) < 7_000
