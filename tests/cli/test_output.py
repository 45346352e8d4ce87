"""Tables and CSV, with what guests may have typed in them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.access.spreadsheet import csv_text
from gateway.cli import main
from gateway.cli.output import show_pairs, show_table, width


def test_columns_are_aligned_also_with_wide_letters(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["name", "clicks"], [("Ada", 1), ("山田", 12), ("e\u0301", None)])
    assert capsys.readouterr().out.splitlines() == ["name  clicks", "Ada   1", "山田  12", "e\u0301     -"]


def test_a_cell_stays_on_its_line_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["name"], [("a\nb\x1b[1m\r",)])
    show_pairs([("name", "a\nb\x1b[1m")])
    assert capsys.readouterr().out.splitlines() == ["name", "a\\nb\\x1b[1m\\x0d", "name  a\\nb\\x1b[1m"]


def test_width() -> None:
    assert [width(text) for text in ("", "a", "日本", "e\u0301")] == [0, 1, 4, 1]


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_csv_cell_is_never_a_formula(begin: str) -> None:
    text = csv_text(["name"], [{"name": f'{begin}HYPERLINK("http://x","y")'}])
    assert list(csv.reader(io.StringIO(text)))[1][0][0] == "'"


def test_csv_keeps_numbers_and_quotes_what_it_must() -> None:
    rows = [{"a": -5, "b": 'say "hi", twice\nplease'}, {"a": None}]
    assert csv_text(["a", "b"], rows) == 'a,b\r\n-5,"say ""hi"", twice\nplease"\r\n,\r\n'


@pytest.mark.parametrize(("wish", "coloured"), [(None, True), ("", True), ("1", False)])
def test_no_color_is_respected(
    deployment: Path, monkeypatch: pytest.MonkeyPatch, wish: str | None, coloured: bool
) -> None:
    if wish is not None:
        monkeypatch.setenv("NO_COLOR", wish)
    found = CliRunner().invoke(main, ["doctor"], color=True)
    assert ("\x1b[" in found.stdout) is coloured
