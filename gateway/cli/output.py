"""Results: aligned tables for people, JSON for programs.

Guests chose some of these texts: a table shows control characters as escapes. CSV is made by
`access.spreadsheet`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from gateway.cli.command import safe


def show_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def show_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as they need to be, two spaces apart; the head in bold on a terminal."""
    cells = [[safe("-" if cell is None else str(cell)).replace("\n", "\\n") for cell in row] for row in rows]
    widths = [max(width(text) for text in column) for column in zip(head, *cells, strict=True)]
    click.echo(click.style(_line(head, widths), bold=True))
    for row in cells:
        click.echo(_line(row, widths))


def show_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """One thing, a line for each of its properties."""
    wide = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        text = safe("-" if value is None else str(value)).replace("\n", "\\n")
        click.echo(f"{name:<{wide}}  {text}")


def width(text: str) -> int:
    """Columns of a terminal: wide letters (CJK) take two, marks that combine none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(cells, widths, strict=True)).rstrip()


def moment(rfc3339: str) -> str:
    """Date, time and zone as the owner of this terminal reads them."""
    return datetime.fromisoformat(rfc3339).astimezone().strftime("%Y-%m-%d %H:%M %Z")
