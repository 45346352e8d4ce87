"""A theme's folder: what stands in for ours, and that nothing in it is without effect or leads elsewhere."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import config, files
from gateway.errors import BadFile
from gateway.files import Files, reading
from gateway.web.static_door import StaticDoor
from gateway.web.templates import guests_templates
from gateway.web.theme import Theme, load_theme
from gateway.web.theme_folder import MAX_FILE, MAX_TEMPLATE

PAGE = {"Accept": "text/html"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("templates", "static"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    return tmp_path / "mine"


def load(folder: Path) -> Theme:
    return load_theme(config.Theme(folder=folder))


def faults(folder: Path) -> list[str]:
    with pytest.raises(BadFile) as caught:
        load(folder)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def template(folder: Path, text: str, name: str = "leave.html") -> None:
    (folder / "templates" / name).write_text(text)


async def shown(stage, folder: Path, **more: object) -> str:
    pages = stage.pages.dressed(load(folder))

    async def door(visit):
        return pages.respond(visit.request, "leave.html", step="ask", **more)

    stage.door = door
    async with stage.client.get("/x", headers=PAGE) as answer:
        assert answer.status == 200
        return await answer.text()


# --- templates ------------------------------------------------------------------------------------


async def test_a_template_stands_in_for_ours_or_changes_a_part_of_it(stage, folder):
    template(folder, '{% extends "shipped/leave.html" %}{% block foot %}<p>{{ site }}</p>{% endblock %}')
    page = await shown(stage, folder, site="<b>A & B</b>")
    assert "<p>&lt;b&gt;A &amp; B&lt;/b&gt;</p>" in page, "escaped without asking for it"
    assert "You’ll be forgotten on this device" in page
    template(folder, '{% include "_mine.html" %}{{ t("leave.submit") }}')
    template(folder, "Bye, {{ site }}. ", "_mine.html")
    assert await shown(stage, folder, site="Cinema") == "Bye, Cinema. Leave"


async def test_every_template_of_ours_is_a_good_one_of_a_theme(stage, folder):
    """Whoever copies one and changes a word is not told off."""
    ours = Path(stage.pages.environment.loader.searchpath[0])
    for name in guests_templates():
        template(folder, (ours / name).read_text(), name)
    assert set(load(folder).templates) == set(guests_templates())
    for name in guests_templates():
        if "extends" in (ours / name).read_text():
            template(
                folder, f'{{% extends "shipped/{name}" %}}{{% block content %}}{{{{ super() }}}}!{{% endblock %}}', name
            )
    assert "!" in await shown(stage, folder)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\n{% if %}", "leave.html:2:1: Expected an expression"),
        ("{% block a %}", "leave.html:1:1: Unexpected end of template"),
        ("\n\n{{ step|upsidedown }}", "leave.html:3:1: No filter named 'upsidedown'"),
        ("{% if step is weird %}{% endif %}", "leave.html:1:1: there is no test weird"),
        ("{% if step %}{{ step|uper }}{% endif %}", "leave.html:1:1: there is no filter uper (did you mean upper?)"),
        ("\n{{ stpe }}", "leave.html:2:1: unknown name stpe (did you mean step?)"),
        ("{{ posted.name }}", "leave.html:1:1: unknown name posted"),
        ("{{ t('leave.titel') }}", "leave.html:1:1: there is no text leave.titel"),
        ("{% extends 'bse.html' %}", "leave.html:1:1: there is no template bse.html (did you mean base.html?)"),
        ("{% extends 'manage_base.html' %}", "leave.html:1:1: there is no template manage_base.html"),
        ("{% extends 'shipped/manage_base.html' %}", "leave.html:1:1: there is no template shipped/manage_base.html"),
        ("{% include '../../config.yaml' %}", "leave.html:1:1: there is no template ../../config.yaml"),
        ("{% include '/etc/passwd' ignore missing %}", "leave.html:1:1: there is no template /etc/passwd"),
        ("{% extends step %}", "leave.html:1:1: the name of another template must be written out"),
        ("{% include ['base.html'] %}", "leave.html:1:1: the name of another template must be written out"),
        ("{% extends 'leave.html' %}", "leave.html:1:1: a template can't be made of itself; ours is shipped/leave"),
        ("{{ site|safe }}", "leave.html:1:1: safe is for texts that stand in the template"),
        ("{{ [site]|map('safe')|join }}", "leave.html:1:1: safe is for texts that stand in the template"),
        ("{% autoescape false %}{{ site }}{% endautoescape %}", "leave.html:1:1: escaping can't be turned off"),
        ("{{ " + "(" * 5_000 + ")" * 5_000 + " }}", "leave.html:1:1: can't be compiled: RecursionError"),
    ],
)  # fmt: skip
def test_a_template_that_is_wrong_is_named_with_its_line(folder, text, fault):
    template(folder, text)
    assert any(found.startswith(f"templates/{fault}") for found in faults(folder)), faults(folder)


@pytest.mark.parametrize(
    "text",
    [
        "{{ theme.nothing }}",
        "{{ 1 // 0 }}",
        "{{ step.nothing.more }}",
        "{{ t('page.title') }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ t.__self__ }}",
        "{{ static.__self__.environment }}",
        "{% for one in range(999999999) %}x{% endfor %}",
        '{% include "_a.html" %}',
    ],
)
async def test_what_breaks_while_a_page_is_shown_is_in_the_log_and_the_guest_sees_ours(stage, folder, caplog, text):
    template(folder, text)
    template(folder, '{% include "_b.html" %}', "_a.html")
    template(folder, '{% include "_a.html" %}', "_b.html")
    page = await shown(stage, folder)
    assert "You’ll be forgotten on this device" in page
    assert "Traceback" not in page
    assert "jinja" not in page
    async with stage.client.get("/x", headers=PAGE) as answer:
        assert "You’ll be forgotten" in await answer.text()
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "leave.html can't be shown, ours is shown instead" in record.message, (
        "and once, however often it is asked for"
    )


# --- files ----------------------------------------------------------------------------------------


async def test_files_stand_in_for_ours_or_beside_them(stage, folder):
    (folder / "static" / "icon.svg").write_text("<svg id='mine'/>")
    (folder / "static" / "hall.png").write_bytes(b"\x89PNG")
    (folder / "static" / "Mine-Bold.woff2").write_bytes(b"wOF2")
    plain = stage.pages
    stage.pages = pages = plain.dressed(load(folder))
    assert pages.static("icon.svg") != plain.static("icon.svg")
    stage.door = StaticDoor().static
    for name, content_type in (
        ("icon.svg", "image/svg+xml"),
        ("hall.png", "image/png"),
        ("Mine-Bold.woff2", "font/woff2"),
    ):
        async with stage.client.get(pages.static(name)) as answer:
            assert (answer.status, answer.content_type) == (200, content_type)
            assert await answer.read() == (folder / "static" / name).read_bytes()
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert "immutable" in answer.headers["Cache-Control"]
    async with stage.client.get(pages.static("guest.css")) as answer:
        assert answer.status == 200


async def test_fonts_may_be_loaded_where_there_are_some(stage, folder):
    async def door(visit):
        return visit.pages.respond(visit.request, "leave.html", step="ask")

    (folder / "static" / "hall.png").write_bytes(b"\x89PNG")
    for name, allowed in (("hall.png", False), ("Mine.woff2", True)):
        (folder / "static" / name).write_bytes(b"x")
        stage.pages, stage.door = stage.pages.dressed(load(folder)), door
        async with stage.client.get("/x", headers=PAGE) as answer:
            assert ("font-src 'self'" in answer.headers["Content-Security-Policy"]) == allowed


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("templates/entri.html", b"", "stands in for no page (did you mean entry.html?); a part of your own is _"),
        ("templates/manage_base.html", b"", "managers' pages have no theme"),
        ("templates/notes.txt", b"", "stands in for no page"),
        ("templates/leave.html", b"\xff", "not UTF-8: invalid start byte at byte 0"),
        ("templates/leave.html", b"x" * (MAX_TEMPLATE + 1), "is larger than 100000 bytes"),
        ("static/manage.css", b"", "managers' pages have no theme"),
        ("static/entry.js", b"", "a theme holds no scripts"),
        ("static/mine.js", b"", "a theme holds no scripts"),
        ("static/guets.css", b"", "stands in for none of our style sheets (did you mean guest.css?); see theme.css"),
        ("static/page.html", b"", "must be a plain name that ends in one of .css, .svg,"),
        ("static/a b.png", b"", "must be a plain name that ends in one of .css, .svg,"),
        ("static/a%2fb.png", b"", "must be a plain name that ends in one of .css, .svg,"),
        ("static/huge.png", b"x" * (MAX_FILE + 1), "is larger than 1000000 bytes"),
    ],
)  # fmt: skip
def test_nothing_in_the_folder_is_without_effect(folder, name, content, fault):
    (folder / name).write_bytes(content)
    assert faults(folder)[0].startswith(f"{name}:1:1: {fault}")


def test_no_link_leads_out_of_the_folder(folder, tmp_path):
    (tmp_path / "secret.png").write_text("the key")
    (folder / "static" / "a.png").symlink_to(tmp_path / "secret.png")
    (folder / "static" / "b.png").symlink_to("../../secret.png")
    (folder / "static" / "c.png").symlink_to("nothing.png")
    os.mkfifo(folder / "static" / "d.png")
    (folder / "static" / "e.png").mkdir()
    (folder / "templates" / "leave.html").symlink_to("/etc/passwd")
    assert faults(folder) == [
        "templates/leave.html:1:1: leads out of the theme's folder",
        "static/a.png:1:1: leads out of the theme's folder",
        "static/b.png:1:1: leads out of the theme's folder",
        "static/c.png:1:1: is no file",
        "static/d.png:1:1: is no file",
        "static/e.png:1:1: is a folder; files lie beside each other",
    ]
    other = tmp_path / "other"
    other.mkdir()
    (other / "static").symlink_to(tmp_path)
    assert faults(other) == ["static:1:1: leads out of the theme's folder"]


def test_links_within_the_folder_are_how_container_platforms_mount_it(folder):
    (folder / "..data").mkdir()
    (folder / "..data" / "hall.png").write_bytes(b"x")
    (folder / "static" / "hall.png").symlink_to("../..data/hall.png")
    assert list(load(folder).statics) == ["hall.png"]


def test_an_empty_folder_is_somebodys_mistake(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("")
    (only,) = faults(tmp_path / "mine")
    assert only.endswith("mine:1:1: holds neither templates nor static")


def test_too_many_or_too_much_in_all(folder):
    for number in range(files.MOST_NAMES + 5):
        (folder / "static" / f"{number}.png").write_bytes(b"")
    assert faults(folder) == ["static:1:1: holds more than 200 files"]
    for number in range(files.MOST_NAMES + 5):
        (folder / "static" / f"{number}.png").unlink()
    for number in range(9):
        (folder / "static" / f"{number}.png").write_bytes(b"x" * 900_000)
    assert faults(folder) == ["static:1:1: is larger than 8000000 bytes in all"]


def test_another_process_sees_the_same_folder_and_a_new_name_is_seen(folder):
    (folder / "static" / "hall.png").write_bytes(b"x")
    with reading(Files()) as seen:
        before = load(folder)
    (folder / "static" / "more.png").write_bytes(b"y")
    with reading(Files.of_text(seen.text())) as there:
        assert load(folder) == before
    assert there == seen
    with reading(Files(before=seen)) as again:
        assert set(load(folder).statics) == {"hall.png", "more.png"}
    changed = {name for name, stamp in again.stamps().items() if seen.stamps().get(name) != stamp}
    assert f"{folder}/static/" in changed, "so that whoever follows the files comes to look"


def test_a_theme_is_a_value(folder):
    assert replace(load(folder), name="x").name == "x"
