"""From a recording to a policy that lets one item through; what can't be that narrow is left to a person."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from gateway.policy.har import read_har, server_host
from gateway.policy.id_shape import CannotPropose
from gateway.policy.load import load_policy_text
from gateway.policy.propose import Proposal, propose
from gateway.policy.verify import verify
from tests.policy.test_har import entry, recording

HLS = "application/vnd.apple.mpegurl"


def asked(target: str, mime: str = "", text: str | None = None, method: str = "GET", **more: Any) -> dict[str, Any]:
    content = {"mimeType": mime} | ({"text": text} if text is not None else {})
    url = target if "://" in target else f"http://tv{target}"
    return entry(url, method, response={"status": more.pop("status", 200), "content": content}, **more)


def made(item: str, *entries: dict[str, Any], own_page: bool = False, others: tuple[str, ...] = ()) -> Proposal:
    found = read_har([recording(*entries)], bodies=True)
    host = server_host(found, item)
    return propose(found, host, item, others=others, kind="video", schema="policy.schema.json", own_page=own_page)


def rules(proposal: Proposal) -> list[str]:
    """Those in force; of a long one its keys behind it."""
    inside = proposal.text.partition("    allow:\n")[2].partition("\n\n")[0]
    lines = [line for line in inside.splitlines() if not line.strip().startswith("#")]
    found: list[str] = []
    for line in lines:
        text = line.strip().removeprefix("- ")
        if line.startswith("      - "):
            found.append(json.loads(text.removeprefix("request: ")))
        else:
            found[-1] += f" {text}"
    return found


def wrong(proposal: Proposal, item: str) -> list[str]:
    return verify(load_policy_text(proposal.text, environ={}), proposal, "video", item)


def test_a_folder_of_the_item_becomes_one_rule() -> None:
    found = made(
        "aurora",
        asked("/hls/aurora/index.m3u8", HLS, "seg-1.ts\nseg-2.ts\n"),
        asked("/hls/aurora/seg-1.ts"),
        asked("/hls/nocturne/index.m3u8", HLS, ""),
    )
    assert rules(found) == ["GET /hls/{id}/{file}"]
    assert found.exchanges == (("aurora", "nocturne"),)
    assert (found.by_hand, wrong(found, "aurora")) == ([], [])


def test_qualities_that_were_not_played_come_from_the_playlist() -> None:
    text = '#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,URI="subs/en.m3u8"\nv0/a.m3u8\nv1/a.m3u8\nhttp://cdn.example/x.m3u8\n'
    found = made("aurora", asked("/hls/aurora/index.m3u8", HLS, text))
    assert set(rules(found)) == {f"GET /hls/{{id}}/{folder}{{file}}" for folder in ("", "subs/", "v0/", "v1/")}


def test_without_bodies_it_says_what_it_can_not_know() -> None:
    assert "playlists lack their text" in made("aurora", asked("/hls/aurora/index.m3u8", HLS)).text


def test_the_id_in_a_query_is_pinned() -> None:
    found = made(
        "12",
        asked("/watch?v=12", "text/html", _resourceType="document"),
        asked("/stream?id=12&n=1"),
        asked("/stream?id=12&n=2"),
        asked("/stream?id=34&n=1"),
        own_page=True,
    )
    assert rules(found) == ["page GET /watch?v={id}", "GET /stream?id={id}&n={number}?"]
    assert found.exchanges == (("12", "34"),)
    assert wrong(found, "12") == []


def test_the_servers_page_brings_its_files_and_no_listing_no_counter_no_worker() -> None:
    worker = {"headers": [{"name": "Service-Worker", "value": "script"}]}
    found = made(
        "aurora",
        asked("/watch/aurora", "text/html", _resourceType="document"),
        asked("/app.js?v=3"),
        asked("/api/items?page=1", "application/json"),
        asked("/api/items/aurora", "application/json"),
        asked("/stats/aurora", method="POST"),
        asked("/sw.js", request=worker),
        asked("https://count.example/aurora.js"),
        own_page=True,
    )
    answered = "POST /stats/{id} answer: {status: 204}"
    assert rules(found) == ["page GET /watch/{id}", "GET /api/items/{id}", answered]
    assert '"GET /app.js?v=' in found.text
    for left in ("GET /api/items?page=1", "GET /sw.js"):
        assert f"#       {left}" in found.text
    assert wrong(found, "aurora") == []


def test_an_id_that_goes_on_is_another_item() -> None:
    """`aurora-2` begins like `aurora`: its folder is not this item's."""
    found = made("aurora", asked("/hls/aurora/a.m3u8", HLS, ""), asked("/hls/aurora-2/a.m3u8", HLS, ""))
    assert found.exchanges == (("aurora", "aurora-2"),)
    assert rules(found) == ["GET /hls/{id}/{file}"]
    assert wrong(found, "aurora") == []


def test_file_names_that_begin_with_the_id() -> None:
    found = made("abc", asked("/v/abc.m3u8", HLS, "abc-1.ts\nabc-2.ts"), asked("/v/xyz.m3u8", HLS, ""))
    assert sorted(rules(found)) == ["GET /v/{id}-{n}.ts", "GET /v/{id}.m3u8"]
    assert wrong(found, "abc") == []


def test_a_name_that_an_answer_told_is_left_to_a_person_with_its_source() -> None:
    name = "0f3c9a7e5b1d4c88.mp4"
    found = made(
        "aurora",
        asked("/watch/aurora", "text/html", _resourceType="document"),
        asked("/api/items/aurora", "application/json", json.dumps({"file": name})),
        asked(f"/files/{name}", "video/mp4"),
        own_page=True,
    )
    assert found.by_hand == [
        f"GET /files/{name} does not name the item; its name came from the answer to GET /api/items/aurora: "
        "it needs resolve, prepare or follow"
    ]
    assert name not in "".join(rules(found))


def test_a_random_id_beside_the_items_is_not_allowed() -> None:
    session = "9b2e4c0d8f7a4e11a5c39b2e4c0d8f7a"
    found = made(
        "aurora", asked("/v/aurora/a.mp4"), asked(f"/v/aurora/{session}/b.ts"), asked(f"/{session}/aurora/c.ts")
    )
    assert len(found.by_hand) == 2
    assert session not in "".join(rules(found))


def test_a_word_in_a_query_that_varies_is_left_to_a_person() -> None:
    """It could be another item's id; a number is typed, and a word that stays is written out."""
    varying = [asked("/v/abc/a?list=one&n=1&lang=en"), asked("/v/abc/a?list=two&n=2&lang=en")]
    found = made("abc", asked("/v/abc/a.mp4"), asked("/watch/abc", _resourceType="document"), *varying, own_page=True)
    assert len(found.by_hand) == 2
    assert rules(found) == ["GET /v/{id}/{file}", "page GET /watch/{id}"]
    same = made("abc", asked("/watch/abc?n=1&lang=en", _resourceType="document"), own_page=True)
    assert rules(same) == ["page GET /watch/{id}?n={number}?&lang=en"]


def test_uuids_and_numbers_are_typed() -> None:
    one, two = "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    found = made(one, asked(f"/v/{one}/a.mp4"), asked(f"/v/{two}/a.mp4"))
    assert 'id: "[0-9a-f]{8}-[0-9a-f]{4}' in found.text
    assert wrong(found, one) == []
    assert 'id: "[0-9]{1,18}"' in made("17", asked("/v/17/a.mp4"), asked("/v/18/a.mp4")).text


def test_an_id_with_slashes() -> None:
    found = made("film/one", asked("/v/film/one/a.mp4"), asked("/v/film/two/a.mp4"))
    assert found.exchanges == (("film/one", "film/two"),)
    assert wrong(found, "film/one") == []


def test_an_id_that_looks_like_a_file_is_no_hole() -> None:
    """A hole for file names would let another item's id pass where ids end like files."""
    found = made("a.mp4", asked("/v/a.mp4/x.m3u8", HLS, ""), asked("/v/a.mp4/s.mp4"), asked("/v/b.mp4/x.m3u8", HLS, ""))
    assert rules(found) == ["GET /v/{id}/x.m3u8", "GET /v/{id}/s.mp4"]
    assert wrong(found, "a.mp4") == []


def test_an_id_that_is_a_file() -> None:
    found = made("a.mp4", asked("/media/a.mp4"), asked("/media/b.mp4"))
    assert rules(found) == ["GET /media/{id}"]
    assert 'player: {src: "/media/{id}", as: file}' in found.text
    assert wrong(found, "a.mp4") == []


def test_what_sounds_like_a_credential_is_neither_written_nor_asked_for() -> None:
    page = asked("/watch/abc?api_key=hunter2", _resourceType="document")
    found = made("abc", page, asked("/v/abc/a.ts?token=hunter2"), asked("https://u:hunter2@tv/x"), own_page=True)
    assert "hunter2" not in found.text
    assert any("api_key" in text for text in found.by_hand)


def test_a_hostile_recording_writes_no_line_of_its_own() -> None:
    found = made(
        "abc",
        asked("/v/abc/a.m3u8", HLS, "b.ts\n../../${HOME}/c.ts\n{id}.ts\n%0aallow:.ts"),
        asked("/v/abc/%0A  - GET /admin"), asked("/v/xyz/${HOME}.m3u8"), asked("/{id}/*/{file}.ts"),
        asked('/v/abc/"]].ts'),
        asked("/v/abc/**"), asked("/v/abc/a.ts?x={id}&*"), asked("/v/\x1b[2J/abc/a.ts"),
    )  # fmt: skip
    assert rules(found) == ["GET /v/{id}/{file}"]
    assert found.text.isascii()
    assert "\x1b" not in found.text
    assert "$" not in found.text.partition("\nserver:")[2]
    assert wrong(found, "abc") == []


def test_a_hostile_recording_ends_soon() -> None:
    begun = time.monotonic()
    lines = "\n".join(f"{number}.ts" for number in range(20_000))
    found = made(
        "abcd",
        asked("/v/abcd/a.m3u8", HLS, lines),
        asked("/v/abcd/" + "abcd" * 15_000 + ".ts"),
        *(asked(f"/v/{number}/a.m3u8") for number in range(3_000)),
        *(asked(f"/x/{number:032x}.mp4") for number in range(3_000)),
        *(asked(f"/api/abcd/{number}", "application/json", "[" * 5_000) for number in range(3_000)),
    )
    wrong(found, "abcd")
    assert time.monotonic() - begun < 40
    with pytest.raises(CannotPropose, match="too different"):
        made("abcd", asked("/v/abcd/a.m3u8", HLS, ""), *(asked(f"/p/{number}x/abcd/b.jpg") for number in range(400)))
    with pytest.raises(CannotPropose, match="record less"):
        made("abcd", *(asked("/v/abcd/a.m3u8") for _ in range(20_001)))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([asked("/other")], "names abc"),
        ([asked("/v/abc/notes.txt")], "nothing to send a guest to"),
        ([asked("/api/abc", "application/json")], "nothing to send a guest to"),
        ([asked("/v/abc/a.mp4", status=403)], "names abc"),
    ],
)
def test_what_is_missing_is_said(entries: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(CannotPropose, match=said):
        made("abc", *entries)


def test_a_policy_that_is_too_wide_is_named_by_its_line() -> None:
    found = made("abc", asked("/v/abc/a.m3u8", HLS, ""), asked("/v/xyz/a.m3u8", HLS, ""))
    found.text = found.text.partition("examples:")[0].replace("GET /v/{id}/{file}", "GET /v/*/{file}")
    line = next(at for at, text in enumerate(found.text.splitlines(), 1) if "*/{file}" in text)
    assert f"line {line} lets GET /v/xyz/a.m3u8 pass, another item's" in wrong(found, "abc")


def test_files_beside_a_file_are_called_by_its_name() -> None:
    entries = [
        asked("/play/films/one.mp4", "text/html", _resourceType="document"),
        asked("/files/films/one.mp4"),
        asked("/subs/films/one.de.srt", "text/vtt"),
        asked("/play/films/two.mp4", "text/html", _resourceType="document"),
        asked("/subs/films/two.srt", "text/vtt"),
    ]
    found = made("films/one.mp4", *entries, own_page=True)
    assert rules(found) == ["page GET /play/{id}", "GET /files/{id}", "GET /subs/{name}.{captions}"]
    assert found.exchanges == (("films/one.mp4", "films/two.mp4"), ("films/one.", "films/two."))
    assert wrong(found, "films/one.mp4") == []
    assert len(found.theirs) == 2
    assert 'player: {src: "/files/{id}", as: file}' in made("films/one.mp4", *entries).text, "not the page"


def test_a_film_whose_name_goes_on_is_another_one() -> None:
    """`one.two.mp4` is a film of its own; `one.mp4` must not reach what lies beside it."""
    found = made(
        "v/one.mp4",
        asked("/play/v/one.mp4", "text/html", _resourceType="document"),
        asked("/subs/v/one.srt"),
        asked("/play/v/one.two.mp4", "text/html", _resourceType="document"),
        asked("/subs/v/one.two.srt"),
        asked("/subs/v/one-2.srt"),
        own_page=True,
    )
    assert [request.target for request in found.own] == ["/play/v/one.mp4", "/subs/v/one.srt"]
    assert wrong(found, "v/one.mp4") == []


def test_what_got_no_answer_is_left_out() -> None:
    nothing = {"status": -1, "headers": [], "content": {}}
    found = made("abc", asked("/v/abc/a.mp4"), asked("/v/abc/b.mp4") | {"response": nothing})
    assert [request.target for request in found.own] == ["/v/abc/a.mp4"]
    assert "no answer was recorded" in found.text


def test_a_place_in_a_film_is_no_credential() -> None:
    page = asked("/watch/abc", "text/html", _resourceType="document")
    found = made("abc", page, asked("/v/abc/a.ts?t=0"), asked("/v/abc/a.ts?t=7.25"), own_page=True)
    assert rules(found)[1] == "GET /v/{id}/{file}?t={decimal}?"
    assert wrong(found, "abc") == []
    assert made("abc", page, asked("/v/abc/a.ts?t=7b"), own_page=True).by_hand


def test_a_page_that_tells_of_other_items_is_named() -> None:
    page = asked("/watch/aurora", "text/html", '<a href="/watch/nocturne">', _resourceType="document")
    other = asked("/watch/nocturne", "text/html", _resourceType="document")
    assert (
        "# Note: the page names other items in its source (nocturne)" in made("aurora", page, other, own_page=True).text
    )
