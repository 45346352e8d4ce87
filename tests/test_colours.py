"""What can be read, and what is derived so that it can be."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway
from gateway.colours import (
    DARK,
    EDGE_RATIO,
    LIGHT,
    TEXT_RATIO,
    Colours,
    Palette,
    colour,
    contrast,
    for_the_dark,
    palette,
    too_faint,
)

STATIC = Path(gateway.__file__).parent / "static"
any_colour = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(("written", "read"), [("#2F5fd0", "#2f5fd0"), ("#fA0", "#ffaa00")])
def test_colours_are_hex(written: str, read: str) -> None:
    assert colour(written) == read


@pytest.mark.parametrize(
    "written",
    ["red", "#12", "#1234", "#2f5fd", "#2f5fd0aa", "2f5fd0", "#gggggg", "#2f5fd0;", "red;}body{display:none",
     "#fff}*{x:url(//e)", "rgb(0,0,0)", "#fff\n", "#１２３", "", None, 123456, True, ["#fff"]],
)  # fmt: skip
def test_what_is_no_colour(written: object) -> None:
    with pytest.raises(ValueError, match="must be a colour"):
        colour(written)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.478),
        ("#767676", "#ffffff", 4.542),
        ("#fff000", "#fff000", 1),
    ],
)
def test_contrast_is_the_ratio_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.001)


def test_what_is_too_faint_is_named_with_what_was_found_and_what_is_needed() -> None:
    found = dict(too_faint(Colours(accent="#777777", background="#ffffff", text="#1b2230")))
    assert found == {
        "accent": "#777777 on the background #ffffff has a contrast of 4.47:1; 4.5:1 is needed (WCAG 2.2 AA)"
    }
    found = dict(too_faint(Colours(accent="#8fb1ff", background="#12151c", text="#222222")))
    assert list(found) == ["text"]


def test_ours_can_be_read() -> None:
    assert [*too_faint(LIGHT), *too_faint(DARK)] == []


@given(any_colour, any_colour, any_colour)
def test_whatever_passes_gives_pages_on_which_everything_can_be_read(accent: str, background: str, text: str) -> None:
    given_ = Colours(accent, background, text)
    if list(too_faint(given_)):
        return
    _can_be_read(palette(given_))


@given(any_colour)
def test_an_accent_that_is_fine_in_the_light_is_made_so_in_the_dark(accent: str) -> None:
    dark = for_the_dark(Colours(accent, "#ffffff", "#000000"))
    assert list(too_faint(dark)) == []
    _can_be_read(palette(dark))


def _can_be_read(found: Palette) -> None:
    texts = (found.text, found.soft, found.accent, found.wrong)
    for one, ground in product(texts, (found.ground, found.card)):
        assert contrast(one, ground) >= TEXT_RATIO, (one, ground)
    for one in (found.text, found.wrong):
        assert contrast(one, found.wrong_ground) >= TEXT_RATIO
    for button in (found.accent, found.accent_strong):
        assert contrast(found.on_accent, button) >= TEXT_RATIO
    assert contrast(found.line, found.card) >= EDGE_RATIO


@pytest.mark.parametrize(("sheet", "of"), [("guest.css", LIGHT), ("dark.css", DARK)])
def test_our_style_sheets_hold_these_colours_and_can_be_read(sheet: str, of: Colours) -> None:
    root = re.search(r":root \{(.*?)\}", (STATIC / sheet).read_text(), re.S)
    assert root
    said = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", root[1]))
    assert (said["accent"], said["ground"], said["text"]) == (of.accent, of.background, of.text)
    _can_be_read(Palette(**{name.replace("-", "_"): value for name, value in said.items()}))
