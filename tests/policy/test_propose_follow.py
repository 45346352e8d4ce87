"""Files that only a list names: the proposal follows the list where the recording shows it, and nowhere else."""

from __future__ import annotations

import json
import time

from tests.policy.test_propose import HLS, asked, made, rules, wrong

DASH = "application/dash+xml"
ONE, TWO = "9b2e4c0d8f7a4e11a5c3", "77aa4c0d8f7a4e11a5c3"
MANIFEST = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{base}</BaseURL><AdaptationSet>
<SegmentTemplate initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number%05d$.m4s"/>
<Representation id="v0" bandwidth="1"/><Representation id="v1" bandwidth="2"/></AdaptationSet></Period></MPD>"""


def test_segments_in_a_folder_of_random_name_are_followed_from_the_playlist() -> None:
    found = made(
        "aurora",
        asked("/v/aurora/a.m3u8", HLS, f"/pool/{ONE}/low.m3u8\n/pool/{ONE}/high.m3u8"),
        asked(f"/pool/{ONE}/low.m3u8", HLS, "1.ts\n2.ts\n"),
        asked(f"/pool/{ONE}/1.ts"),
        asked("/v/nocturne/a.m3u8", HLS, f"/pool/{TWO}/low.m3u8"),
        asked(f"/pool/{TWO}/low.m3u8", HLS, "1.ts\n"),
        asked(f"/pool/{TWO}/1.ts"),
    )
    assert rules(found) == ['GET /v/{id}/{hls} follow: {as: hls, to: ["/pool/**"]}']
    assert (found.by_hand, wrong(found, "aurora")) == ([], [])
    names = ("low.m3u8", "high.m3u8", "1.ts", "2.ts")
    assert {one.target for one in found.followed} == {f"/pool/{ONE}/{name}" for name in names}
    assert f"/pool/{TWO}/1.ts" in [one.target for one in found.theirs]
    assert ONE not in "".join(rules(found))


def test_segments_on_another_host_get_origins() -> None:
    cdn = "https://cdn.example.net"
    found = made(
        "aurora",
        asked("https://tv/v/aurora/a.m3u8", HLS, f"{cdn}/v/aurora/1.ts?sig=hunter2\nb.ts"),
        asked("https://tv/v/aurora/b.ts"),
        asked(f"{cdn}/v/aurora/1.ts?sig=hunter2"),
    )
    follow = 'follow: {as: hls, to: ["https://cdn.example.net/v/{id}/**"]}'
    assert rules(found) == [f"GET /v/{{id}}/{{hls}} {follow}", "GET /v/{id}/{file}"]
    assert 'origins: ["https://cdn.example.net"]' in found.text
    assert (found.by_hand, wrong(found, "aurora")) == ([], [])
    assert "hunter2" not in found.text


def test_a_host_without_https_can_be_no_origin() -> None:
    found = made(
        "aurora", asked("/v/aurora/a.m3u8", HLS, "http://cdn.example/s/1.ts"), asked("http://cdn.example/s/1.ts")
    )
    assert len(found.by_hand) == 1
    assert "without https" in found.by_hand[0]
    assert "follow:" not in "".join(rules(found))


def test_a_manifests_numbers_are_followed_and_its_other_qualities_known() -> None:
    found = made(
        "aurora",
        asked("/v/aurora/a.mpd", DASH, MANIFEST.format(base=f"/pool/{ONE}/")),
        asked(f"/pool/{ONE}/v0/init.mp4"),
        asked(f"/pool/{ONE}/v0/00007.m4s"),
    )
    assert rules(found) == ['GET /v/{id}/{dash} follow: {as: dash, to: ["/pool/**"]}']
    assert wrong(found, "aurora") == []
    inside = made(
        "aurora", asked("/v/aurora/a.mpd", DASH, MANIFEST.format(base="x/")), asked("/v/aurora/x/v0/00001.m4s")
    )
    assert set(rules(inside)) == {f"GET /v/{{id}}/{folder}{{file}}" for folder in ("", "x/v0/", "x/v1/")}
    assert wrong(inside, "aurora") == []


def test_without_texts_the_order_is_a_guess_and_a_comment() -> None:
    found = made("aurora", asked("/v/aurora/a.m3u8", HLS), asked("/pool/x/1.ts"), asked("/v/nocturne/a.m3u8", HLS))
    assert rules(found) == ["GET /v/{id}/{file}"]
    assert '#     follow: {as: hls, to: ["/pool/x/**"]}' in found.text
    assert len(found.by_hand) == 1, "it is not verified"


def test_a_json_answer_is_followed_if_it_names_nothing_else_there() -> None:
    page = asked("/watch/aurora", "text/html", _resourceType="document")

    def told(*names: str) -> list[dict[str, object]]:
        return [
            page,
            asked("/api/items/aurora", "application/json", json.dumps({"files": names, "title": "/ the end"})),
            asked(f"/files/{ONE}.mp4", "video/mp4"),
        ]

    found = made("aurora", *told(f"/files/{ONE}.mp4"), own_page=True)
    assert rules(found)[1] == 'GET /api/items/{id} follow: {as: json, to: ["/files/**"]}'
    assert (found.by_hand, wrong(found, "aurora")) == ([], [])
    related = made("aurora", *told(f"/files/{ONE}.mp4", f"/files/{TWO}.mp4"), own_page=True)
    assert "follow" not in "".join(rules(related))
    assert any("other items' files too?" in text for text in related.by_hand)


def test_files_at_the_very_top_are_left_to_a_person() -> None:
    found = made("aurora", asked("/v/aurora/a.m3u8", HLS, f"/{ONE}/1.ts"), asked(f"/{ONE}/1.ts"))
    assert any("too many folders" in text for text in found.by_hand)
    assert rules(found) == ["GET /v/{id}/{file}"]


def test_hostile_manifests_name_nothing() -> None:
    entity = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + MANIFEST.format(base="&a;")
    for text in (entity, "<MPD" * 10_000, "<a>" * 100_000, "\0", MANIFEST.format(base="http://[")):
        found = made("aurora", asked("/v/aurora/a.mpd", DASH, text))
        assert rules(found) == ["GET /v/{id}/{file}"], text[:50]
        assert wrong(found, "aurora") == []


def test_a_hostile_recording_ends_soon() -> None:
    begun = time.monotonic()
    templates = "".join(f'<Representation id="r{number}x" bandwidth="1"/>' for number in range(3000))
    manifest = MANIFEST.format(base="/pool/").replace('<Representation id="v0" bandwidth="1"/>', templates)
    found = made(
        "aurora",
        *(asked(f"/v/aurora/{number}.mpd", DASH, manifest) for number in range(50)),
        *(asked(f"/pool/r{number}x/7.m4s") for number in range(5000)),
        *(asked(f"/pool/r{number}y/7.m4s") for number in range(5000)),
    )
    assert any("too many folders" in text for text in found.by_hand)
    assert time.monotonic() - begun < 40
