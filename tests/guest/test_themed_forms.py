"""A theme whose forms are older than what the gateway asks by now keeps nobody out."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.check import examine
from tests.cli.conftest import POLICY
from tests.guest.test_answers import GOOD, GUESTS, LATER, Browser
from tests.running import free_port, running_gateway

# As somebody wrote it when a form was name, address and a button.
OLD = """<title>Mine</title><form method="post"><input type="hidden" name="form" value="{{ form }}">
<input name="name" value="{{ posted.name }}"><input name='email' value="{{ posted.email }}"><button>In</button></form>
"""
WAITING = "<title>Mine</title><p>Please wait.</p>"


def theme(folder: Path, **templates: str) -> str:
    (folder / "mine" / "templates").mkdir(parents=True)
    for name, text in templates.items():
        (folder / "mine" / "templates" / f"{name}.html").write_text(text)
    return "theme: {folder: mine}\n"


async def test_an_old_form_is_shown_as_long_as_it_asks_for_everything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_gateway(tmp_path, POLICY, free_port(), extra=theme(tmp_path, entry=OLD)) as running:
        plain, pin = await running.make_link("abc"), await running.make_link("abc", pin="2468")
        browser = Browser(running.port, plain)
        assert b"<title>Mine</title>" in (await browser.get()).body
        assert (await browser.post({"name": "Ada", "email": "ada@example.org"})).status == 303

        browser = Browser(running.port, pin)
        page = (await browser.get()).body
        assert b"<title>Mine</title>" not in page
        assert b'name="pin"' in page
        await browser.get()
        assert (await browser.post({"name": "Ada", "email": "ada@example.org", "pin": "2468"})).status == 303
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "the theme's entry.html can't be shown, ours is shown instead: no field pin" in record.message


async def test_fields_and_consent_are_asked_for_whatever_the_theme_leaves_out(tmp_path: Path) -> None:
    extra = GUESTS + theme(tmp_path, entry=OLD, agree="<title>Mine</title>{{ form }}", entry_consent="<p>Yes?</p>")
    async with running_gateway(tmp_path, POLICY, free_port(), extra=extra) as running:
        browser = Browser(running.port, await running.make_link("abc"))
        page = (await browser.get()).body
        for name in (b"company", b"role", b"seat", b"news", b"consent"):
            assert b'name="' + name + b'"' in page
        assert (await browser.post(GOOD)).status == 303
        await running.reconfigure('version: "2026-11"', f'version: "{LATER}"')
        page = (await browser.get()).body
        assert b'name="consent"' in page
        assert (await browser.post({"agree": "1", "consent": LATER})).status == 303


async def test_who_waits_for_a_seat_keeps_their_words_whatever_the_theme_leaves_out(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, POLICY, free_port(), extra=theme(tmp_path, waiting=WAITING)) as running:
        link = await running.make_link("abc", viewers=1, pin="2468")
        for name in ("One", "Two"):
            browser = Browser(running.port, link)
            await browser.get()
            page = await browser.post({"name": name, "email": "ada@example.org", "pin": "2468"})
        assert page.status == 503
        assert b'name="ticket"' in page.body
        assert b'value="Two"' in page.body
        later = await running.make_link("abd", starts_at="2099-01-01T00:00:00Z")
        assert WAITING.encode() in (await Browser(running.port, later).get()).body, "it has nothing to send"


def test_check_says_what_a_forms_template_never_asks_for(tmp_path: Path) -> None:
    def warnings(**templates: str) -> list[str]:
        (tmp_path / "config.yaml").write_text(
            "public_url: http://127.0.0.1:8080\n" + theme(tmp_path / str(len(list(tmp_path.iterdir()))), **templates)
        )
        folder = max(tmp_path.glob("*/mine"))
        text = (tmp_path / "config.yaml").read_text().replace("folder: mine", f"folder: {folder}")
        (tmp_path / "config.yaml").write_text(text)
        found = examine(tmp_path / "config.yaml")
        assert found.errors == []
        return [str(one).rpartition("/")[2] for one in found.warnings]

    (said,) = warnings(entry=OLD)
    assert said.startswith("entry.html:1:1: does not ask for pin, fields, consent; where one of them is asked for")
    (said,) = warnings(waiting=WAITING)
    assert said.startswith("waiting.html:1:1: does not ask for form;")
    (said,) = warnings(entry='{% extends "shipped/entry.html" %}{% block content %}{{ form }}{{ pin }}{% endblock %}')
    assert said.startswith("entry.html:1:1: does not ask for fields, consent;")
    assert warnings(entry='{% extends "shipped/entry.html" %}{% block foot %}By us{% endblock %}') == []
    assert warnings(entry='{% extends "shipped/entry.html" %}{% block content %}{{ super() }}!{% endblock %}') == []
    parts = '{% include "entry_answers.html" %}{% include "_mine.html" %}'
    assert warnings(entry="{{ form }}{{ pin }}" + parts, _mine='{% include "entry_consent.html" %}') == []
