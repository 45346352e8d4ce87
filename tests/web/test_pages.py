"""What every page of ours carries, and that the templates and the catalogue belong together."""

from __future__ import annotations

import re
from pathlib import Path

import gateway
from gateway.web.i18n import Catalogues
from gateway.web.pages import PLAYER_POLICY, content_policy

ROOT = Path(gateway.__file__).parent


async def test_headers_of_our_pages(stage):
    async def door(visit):
        return visit.pages.respond(visit.request, "leave.html", site="A & B", step="ask")

    stage.door = door
    async with stage.client.get("/x") as answer:
        page = await answer.text()
    assert "A &amp; B" in page
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    for name, value in {
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Server": "gateway",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex",
    }.items():
        assert answer.headers[name] == value


def test_the_player_may_run_our_scripts_and_nothing_else():
    policy = content_policy(PLAYER_POLICY)
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "data:" not in policy
    assert "http" not in policy


def test_no_template_holds_inline_scripts_styles_or_foreign_addresses():
    for path in ROOT.glob("templates/*.html"):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|https?://|//[a-z]", text), path.name
        for tag in re.findall(r"<script[^>]*>", text):
            assert "src=" in tag, path.name


def test_every_text_that_is_asked_for_is_in_the_catalogue_and_the_other_way_round():
    locale = Catalogues.load().locales["en"]
    keys = set(locale.texts)
    asked = set()
    for path in [*ROOT.glob("templates/*.html"), *ROOT.glob("**/*.py")]:
        asked |= set(re.findall(r"""\bt\(\s*['"]([a-z_.0-9]+)['"]""", path.read_text()))
    for path in ROOT.glob("static/*.js"):
        text = path.read_text()
        page = "room" if path.name.startswith("room") else "player"
        asked |= {f"{page}.{key}" for key in re.findall(r"""words\("([a-z_.]+)\"""", text)}
    plain = {key for key in asked if not key.endswith(".")}
    unknown = {key for key in plain if key not in keys and f"{key}.other" not in keys}
    assert not unknown
    # Keys that are put together at run time: reasons' pages, plurals, errors, the play button's faces.
    made = (
        "message.",
        "format.",
        "player.error.",
        "room.error.",
        "entry.error.",
        "entry.errors.",
        "entry.purpose.told.",
        "manage.",
    )
    faces = {"player.play", "player.pause", "player.replay", "player.mute", "player.unmute"}
    faces |= {"player.fullscreen", "player.fullscreen.leave", "player.inset.leave", "player.live.go"}
    faces |= {f"room.{key}" for key in ("retry", "here_instead", "screen", "you")}
    faces |= {f"room.{what}.{state}" for what in ("microphone", "camera") for state in ("on", "off")}
    faces |= {"entry.not_started", "entry.not_live"}  # what a guest waits for
    asked |= {f"{key}.{form}" for key in plain for form in ("one", "two", "few", "many", "other")}
    unused = {key for key in keys if key not in asked and not key.startswith(made) and key not in faces}
    assert not unused


def test_styles_use_logical_properties_so_that_every_direction_works():
    physical = re.compile(
        r"(?:^|[\s;{])(?:margin|padding|border|inset)?-?(?:left|right)\s*:|text-align:\s*(?:left|right)"
    )
    for path in ROOT.glob("static/*.css"):
        assert not physical.search(path.read_text()), path.name
