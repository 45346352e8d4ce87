"""Manifests: each address is judged, all else stays, and no player puts one together itself."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rewrite.addresses import NotFollowed
from gateway.rewrite.dash import joined, rewritten
from gateway.rewrite.markup import Element, parse, written
from tests.followings import Told

NAMESPACES = (
    'xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:cenc="urn:mpeg:cenc:2013"'
)


def address(text: str, sort: str) -> str | None:
    """What lies in `v/` or on cdn.test may be reached."""
    head = {"file": "/S/", "template": "/T/", "again": "/A/"}[sort]
    return head + text.replace("://", ".") if re.fullmatch(r"(/?v/|https://cdn\.test/v/)[^.][^ ]*", text) else None


def rewrite(inside: str) -> str:
    text = f"<MPD {NAMESPACES}>{inside}</MPD>"
    return "".join(rewritten(parse(text.encode()), Told(address)))


def in_set(inside: str, *, base: str = "") -> str:
    return rewrite(f"{base}<Period><AdaptationSet>{inside}</AdaptationSet></Period>")


def attribute(text: str, name: str) -> list[str]:
    return re.findall(rf' {name}="([^"]*)"', text)


class TestTemplates:
    def test_a_template_of_an_adaptation_set_is_written_into_each_representation(self) -> None:
        found = in_set(
            '<SegmentTemplate timescale="10" media="v/$RepresentationID$/$Number%05d$.m4s"'
            ' initialization="v/$Bandwidth$.mp4">'
            '<SegmentTimeline><S t="0" d="4" r="9"/></SegmentTimeline></SegmentTemplate>'
            '<Representation id="a" bandwidth="10"/><Representation id="b" bandwidth="20"/>'
        )
        assert attribute(found, "media") == ["/T/v/a/$Number%05d$.m4s", "/T/v/b/$Number%05d$.m4s"]
        assert attribute(found, "initialization") == ["/S/v/10.mp4", "/S/v/20.mp4"]
        assert found.count("<SegmentTimeline>") == 1
        assert attribute(found, "timescale") == ["10"]

    def test_bases_of_all_levels_are_put_together(self) -> None:
        found = rewrite(
            "<BaseURL>https://cdn.test/v/</BaseURL><Period><BaseURL>p/</BaseURL><AdaptationSet>"
            '<SegmentTemplate media="$Time$.m4s"/><Representation id="1"><BaseURL>r/</BaseURL></Representation>'
            '<Representation id="2"><BaseURL>/v/own/</BaseURL></Representation>'
            '<Representation id="3"><BaseURL>../x/</BaseURL></Representation>'
            "</AdaptationSet></Period>"
        )
        assert attribute(found, "media") == [
            "/T/https.cdn.test/v/p/r/$Time$.m4s", "/T/https.cdn.test/v/own/$Time$.m4s",
            "/T/https.cdn.test/v/x/$Time$.m4s",
        ]  # fmt: skip
        assert "BaseURL" not in found

    def test_the_first_base_that_may_be_reached_is_used(self) -> None:
        bases = "<BaseURL>https://evil.test/v/</BaseURL><BaseURL>https://cdn.test/v/</BaseURL>"
        found = in_set('<SegmentTemplate media="$Number$.m4s"/><Representation id="1"/>', base=bases)
        assert attribute(found, "media") == ["/T/https.cdn.test/v/$Number$.m4s"]

    @pytest.mark.parametrize(
        "media",
        [
            "https://evil.test/$Number$.m4s", "//evil.test/$Number$.m4s", "x/$Number$.m4s", "file:///etc/$Number$",
            "v/$Number.m4s", "v/$Other$.m4s", "v/$Number%5x$.m4s", "v/$Number%0999d$.m4s", "v/$RepresentationID%05d$",
        ],
    )  # fmt: skip
    def test_a_representation_that_may_not_be_reached_goes(self, media: str) -> None:
        kept = '<SegmentTemplate media="v/$Number$.m4s"/>'
        found = in_set(
            f'<Representation id="1"><SegmentTemplate media="{media}"/></Representation>'
            f'<Representation id="2">{kept}</Representation>'
        )
        assert attribute(found, "id") == ["2"]
        assert "evil" not in found
        gone = in_set(f'<Representation id="1"><SegmentTemplate media="{media}"/></Representation>')
        assert "AdaptationSet" not in gone

    @pytest.mark.parametrize("name", ["//evil.test/x", "https://evil.test/", "../../x", "a$Number$"])
    def test_an_id_is_a_value_and_no_template(self, name: str) -> None:
        found = in_set(f'<SegmentTemplate media="$RepresentationID$/$Number$.m4s"/><Representation id="{name}"/>')
        assert "Representation" not in found

    def test_an_initialization_elsewhere_takes_the_representation_along(self) -> None:
        found = in_set(
            '<SegmentTemplate media="v/$Number$.m4s" initialization="https://evil.test/i"/><Representation id="1"/>'
        )
        assert "Representation" not in found


class TestOtherSegments:
    def test_a_file_at_the_base(self) -> None:
        found = in_set(
            '<Representation id="1"><BaseURL>v/a.mp4</BaseURL><SegmentBase indexRange="1-2">'
            '<Initialization range="0-1"/></SegmentBase></Representation>'
            '<Representation id="2"><BaseURL>https://evil.test/a.mp4</BaseURL><SegmentBase/></Representation>'
            '<Representation id="3"><BaseURL>x.mp4</BaseURL></Representation><Representation id="4"/>'
        )
        assert attribute(found, "id") == ["1"]
        assert re.findall("<BaseURL>([^<]*)</BaseURL><SegmentBase", found) == ["/S/v/a.mp4"]
        assert (attribute(found, "range"), attribute(found, "indexRange")) == (["0-1"], ["1-2"])

    def test_lists(self) -> None:
        found = in_set(
            '<Representation id="1"><SegmentList duration="4"><Initialization sourceURL="v/i.mp4"/>'
            '<SegmentURL media="v/1.m4s" mediaRange="5-9"/><SegmentURL media="v/2.m4s"/></SegmentList></Representation>'
            '<Representation id="2"><BaseURL>v/whole.mp4</BaseURL><SegmentList><SegmentURL mediaRange="5-9"/>'
            '</SegmentList></Representation><Representation id="3"><SegmentList><SegmentURL media="v/1.m4s"/>'
            '<SegmentURL media="https://evil.test/2.m4s"/></SegmentList></Representation>'
            '<Representation id="4"><SegmentList/></Representation>'
        )
        assert attribute(found, "id") == ["1", "2"]
        assert attribute(found, "media") == ["/S/v/1.m4s", "/S/v/2.m4s"]
        assert attribute(found, "sourceURL") == ["/S/v/i.mp4"]
        assert attribute(found, "mediaRange") == ["5-9", "5-9"]
        assert "<BaseURL>/S/v/whole.mp4</BaseURL>" in found

    def test_a_list_of_a_level_above(self) -> None:
        found = in_set(
            '<SegmentList duration="4"><SegmentURL media="1.m4s"/></SegmentList>'
            '<Representation id="1"><BaseURL>v/a/</BaseURL></Representation>'
            '<Representation id="2"><BaseURL>v/b/</BaseURL></Representation>'
        )
        assert attribute(found, "media") == ["/S/v/a/1.m4s", "/S/v/b/1.m4s"]


@pytest.mark.parametrize(
    "gone",
    [
        "<PatchLocation>v/p.mpd</PatchLocation>", "<ContentSteering>https://evil.test/</ContentSteering>",
        '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="https://evil.test/"/>',
        '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-head:2014" value="/time"/>',
        '<Metrics metrics="x"><Reporting schemeIdUri="urn:dvb" reportingUrl="https://evil.test/"/></Metrics>',
        '<Supplemental><up:UrlQueryInfo xmlns:up="urn:y" queryTemplate="a"/></Supplemental>',
        '<Other>see https://evil.test/</Other>', '<Other><Deep>//evil.test/</Deep></Other>', "<Location>x</Location>",
        "<Location>https://evil.test/m.mpd</Location>", "<dvb:BaseURL xmlns:dvb='urn:x'>https://evil.test/</dvb:BaseURL>",
        '<EventStream schemeIdUri="urn:mpeg:dash:event:callback:2015"><Event>https://evil.test/</Event></EventStream>',
        '<Period xlink:href="https://evil.test/p.xml" xlink:actuate="onLoad"/>',
        '<Period><AdaptationSet x:href="https://evil.test/" xmlns:x="http://www.w3.org/1999/xlink"/></Period>',
        '<ContentProtection><dashif:Laurl xmlns:dashif="urn:z">https://evil.test/</dashif:Laurl></ContentProtection>',
        '<ContentProtection><cenc:pssh>aAB0AHQAcAA6AC8ALwBlAHYAaQBsAA==</cenc:pssh></ContentProtection>',
        '<ContentProtection schemeIdUri="urn:x"><mspr:pro xmlns:mspr="urn:z">AAAA</mspr:pro></ContentProtection>',
        '<ContentProtection><ms:laurl xmlns:ms="urn:z" licenseUrl="https://evil.test/"/></ContentProtection>',
        '<Other any="https://evil.test/"/>', '<Other any="ht&#10;tps:evil.test/"/>', '<Other any="\\\\evil.test"/>',
    ],
)  # fmt: skip
def test_what_has_something_else_loaded_goes(gone: str) -> None:
    found = rewrite(f"{gone}<Period id='p'/>")
    for word in ("evil", "PatchLocation", "Location", "UTCTiming", "Metrics", "UrlQueryInfo", "pssh", "pro>", "href="):
        assert word not in found
    assert 'id="p"' in found


@pytest.mark.parametrize(
    "kept",
    [
        '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="2026-01-01T00:00:00Z"/>',
        '<Other a="b">text</Other>',
        '<Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>',
        '<a:Other xmlns:a="http://example.org/ns" a:b="c/d"/>',
        '<EventStream schemeIdUri="urn:scte"><Event id="1">see https://scte.test/</Event></EventStream>',
        '<SupplementalProperty schemeIdUri="http://dashif.org/guidelines/x" value="1"/>',
        '<Title>A &lt; B &amp; "C"</Title>',
        '<ContentProtection schemeIdUri="urn:x"><cenc:pssh>AAAANHBzc2gBAAAAEHfvrQ==</cenc:pssh></ContentProtection>',
        '<InbandEventStream schemeIdUri="urn:mpeg:dash:event:2012" value="1"/>',
    ],
)  # fmt: skip
def test_what_is_not_known_stays(kept: str) -> None:
    assert kept in rewrite(kept)


def test_a_location_is_where_the_same_manifest_is_asked_for_again() -> None:
    assert "<Location>/A/v/m.mpd?t=1&amp;u=2</Location>" in rewrite("<Location> v/m.mpd?t=1&amp;u=2 </Location>")


def test_when_segments_come_about_is_still_said() -> None:
    found = in_set(
        '<Representation id="1"><BaseURL availabilityTimeOffset="3" byteRange="x">v/</BaseURL>'
        '<SegmentTemplate media="$Number$.m4s"/></Representation>'
    )
    assert '<BaseURL availabilityTimeOffset="3">./</BaseURL>' in found


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'<!DOCTYPE MPD SYSTEM "file:///etc/passwd"><MPD/>', "document type"),
        (b'<!DOCTYPE MPD [<!ENTITY x "y">]><MPD>&x;</MPD>', "document type"),
        (b"<?evil x?><MPD/>", "processing instruction"),
        (b'<?xml-stylesheet href="https://evil.test/"?><MPD/>', "processing instruction"),
        (b"<MPD>&x;</MPD>", "not XML"),
        (b'<?xml version="1.0" encoding="utf-16"?><MPD/>', "not UTF-8"),
        (b'<?xml version="1.0" encoding="latin-1"?><MPD/>', "not UTF-8"),
        ('<?xml version="1.0" encoding="utf-16"?><MPD/>'.encode("utf-16"), "not UTF-8"),
        (b"<MPD a='\xff'/>", "not UTF-8"),
        (b"<MPD>" + b"<a>" * 50 + b"</a>" * 50 + b"</MPD>", "deep"),
        (b"<MPD>" + b"<a/>" * 200_001 + b"</MPD>", "elements"),
        (b"<MPD a='1' a='2'/>", "not XML"),
        (b"<MPD a='" + b"x" * 70_000 + b"'/>", "attributes"),
        (b"<MPD " + b"".join(b"a%d='' " % number for number in range(300)) + b"/>", "attributes"),
        (b"<MPD>" + b"a " * 3_000_000 + b"</MPD>", "text"),
        (b"<MPD/><MPD/>", "not XML"),
        (b"", "not XML"),
        (b"#EXTM3U", "not XML"),
        (b"<html/>", "no MPD"),
        (b"<MPD><Period><Period/></Period></MPD>", "where none may stand"),
        (b"<MPD><Period><SegmentTemplate/><SegmentTemplate/></Period></MPD>", "two SegmentTemplate"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(NotFollowed, match=why):
        list(rewritten(parse(body), Told(address)))


def test_a_small_manifest_does_not_become_a_large_one() -> None:
    many = "<Representation/>" * 60_000
    with pytest.raises(NotFollowed, match="room"):
        in_set(f'<SegmentTemplate media="v/{"x" * 3_000}$Number$"/>{many}')
    with pytest.raises(NotFollowed, match="addresses"):
        in_set(f"<BaseURL>v/a</BaseURL><SegmentList>{'<SegmentURL/>' * 1_000}</SegmentList>{many[:17_000]}")


@pytest.mark.parametrize(
    ("base", "reference", "wanted"),
    [
        ("", "a", "a"), ("", "../a", "../a"), ("x/y", "a", "x/a"), ("x/", "", "x/"), ("/x/y", "a", "/x/a"),
        ("https://c.test/x/y?z", "a", "https://c.test/x/a"), ("https://c.test", "a", "https://c.test/a"),
        ("https://c.test/x/y/", "../a", "https://c.test/x/a"), ("https://c.test/x", "../../a", "https://c.test/../../a"),
        ("https://c.test/x", "/a", "https://c.test/a"), ("//c.test/x/", "a", "//c.test/x/a"), ("x", "//c/a", "//c/a"),
        ("https://c.test/x/", "https://d.test/a", "https://d.test/a"), ("x/", "?t=1", "x/?t=1"),
    ],
)  # fmt: skip
def test_joined(base: str, reference: str, wanted: str) -> None:
    assert joined(base, reference) == wanted


WORDS = st.sampled_from(
    ["https://evil.test/", "//evil.test/x", "v/a", "$Number$", "$RepresentationID$", "\\\\evil.test", "http:evil.test",
     "v/$Time$.m4s", "data:evil.test", "a", "", "../", "/v/x", "https://cdn.test/v/"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["BaseURL", "SegmentTemplate", "SegmentList", "SegmentURL", "Initialization", "Representation", "AdaptationSet",
     "Period", "Location", "SegmentBase", "x:BaseURL", "Other", "ContentProtection", "UTCTiming", "xlink:y"]
)  # fmt: skip
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ["media", "index", "initialization", "sourceURL", "id", "xlink:href", "href", "other", "bandwidth"]
    ),
    st.lists(WORDS, min_size=1, max_size=3).map("".join),
    max_size=3,
)
TREES = st.recursive(
    st.builds(Element, NAMES, ATTRIBUTES, st.lists(WORDS, max_size=1)),
    lambda inside: st.builds(Element, NAMES, ATTRIBUTES, st.lists(inside, max_size=4)),
    max_leaves=20,
)


@given(st.lists(TREES, max_size=3), st.booleans())
def test_no_foreign_address_survives(inside: list[Element], nested: bool) -> None:
    root = Element("MPD", {}, list(inside))
    if nested:
        root = Element("MPD", {}, [Element("Period", {}, [Element("AdaptationSet", {}, list(inside))])])
    text = "".join(written(root))
    text = text.replace("<MPD", f"<MPD {NAMESPACES} xmlns:x='urn:x'", 1)
    try:
        found = "".join(rewritten(parse(text.encode()), Told(address)))
    except NotFollowed:
        return
    todo = [parse(found.encode())]
    while todo:
        one = todo.pop()
        todo += one.elements()
        for value in (one.text, *(one.attributes[name] for name in one.attributes if not name.startswith("xmlns"))):
            assert re.match("/[STA]/", value) or not re.search(r"\bhttps?:|\bdata:|[\\/]\s*[\\/]", value), found
