"""What a theme is made of: pictures, style sheets, colours, and that what is wrong is named at its place."""

from __future__ import annotations

import pytest

from gateway import config
from gateway.colours import Colours
from gateway.errors import BadFile
from gateway.web.theme import MAX_CSS, MAX_LOGO, load_theme, style_sheet
from gateway.yaml_source import Fault

RED = Colours("#a01020", "#ffffff", "#101010")
BLUE = Colours("#8fb1ff", "#000000", "#eeeeee")


def test_a_theme_is_read_at_start(tmp_path):
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    theme = load_theme(config.Theme(name="Cinema", notice="Hush", logo=tmp_path / "logo.png"))
    assert (theme.name, theme.notice) == ("Cinema", "Hush")
    assert theme.logo is not None
    assert theme.logo.content_type == "image/png"
    assert (theme.styles, theme.statics, theme.templates) == ((), {}, {}), "and nothing else is ours to load"


@pytest.mark.parametrize(
    ("key", "name", "content", "what"),
    [
        ("logo", "logo.html", b"<p>", "must end in one of"),
        ("logo", "missing.png", None, "can't be read"),
        ("logo", "huge.png", b"x" * (MAX_LOGO + 1), "larger than"),
        ("css", "own.txt", b"", "must end in .css"),
        ("css", "missing.css", None, "can't be read"),
        ("css", "huge.css", b"x" * (MAX_CSS + 1), "larger than"),
        ("css", "latin.css", b"a{content:'\xe4'}", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_at_the_key(tmp_path, key, name, content, what):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile, match=what) as caught:
        load_theme(config.Theme(**{key: tmp_path / name}), lambda key, what: Fault("c.yaml", 7, 9, f"{key}: {what}"))
    assert str(caught.value).startswith(f"c.yaml:7:9: {key}: ")


def test_own_css_comes_last_and_its_address_changes_with_it(tmp_path, stage):
    path = tmp_path / "own.css"
    path.write_text("h1 { color: red }")
    first = stage.pages.dressed(load_theme(config.Theme(css=path, colours=config.ThemeColours(RED, None))))
    assert first.theme.styles == ("theme/colours.css", "theme/own.css")
    assert first.statics.files["theme/own.css"].body == path.read_bytes()
    path.write_text("h1 { color: blue }")
    second = stage.pages.dressed(load_theme(config.Theme(css=path)))
    assert len({page.static("theme/own.css") for page in (stage.pages, first, second)}) == 3


@pytest.mark.parametrize(
    ("scheme", "dark", "accents"),
    [
        ("auto", BLUE, ["#a01020", "#8fb1ff"]),
        ("light", BLUE, ["#a01020"]),
        ("dark", BLUE, ["#8fb1ff"]),
        ("dark", None, ["#a01020"]),
    ],
)
def test_the_colours_of_each_scheme(scheme, dark, accents):
    sheet = style_sheet(config.Theme(scheme=scheme, colours=config.ThemeColours(RED, dark)))
    assert [line.split(": ")[1].strip(";") for line in sheet.splitlines() if "--accent:" in line] == accents
    assert ("prefers-color-scheme: dark" in sheet) == (scheme == "auto")


def test_without_colours_there_is_no_sheet_of_them():
    assert style_sheet(config.Theme(scheme="dark")) == ""


def test_managers_get_the_name_and_the_logo_and_no_more(tmp_path):
    (tmp_path / "own.css").write_text("")
    (tmp_path / "logo.svg").write_text("<svg/>")
    theme = load_theme(
        config.Theme(name="Cinema", notice="Hush", logo=tmp_path / "logo.svg", css=tmp_path / "own.css", scheme="dark")
    ).for_managers
    assert (theme.name, theme.notice, theme.styles, theme.statics, theme.scheme) == ("Cinema", "", (), {}, "auto")
    assert theme.logo is not None
