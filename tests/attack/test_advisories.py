"""docs/advisories.md names a test for each known fault of others; all of them are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.attack.framing import SEQUENCES
from tests.attack.heads import HEADS
from tests.attack.targets import AMBIGUOUS, NOT_THEIRS, UNREADABLE

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/advisories.md").read_text()
ROWS = [line.strip("|").split(" | ") for line in DOCUMENT.splitlines() if re.match(r"\| (?!cause)", line)]
LINES = {*AMBIGUOUS, *NOT_THEIRS, *UNREADABLE, *HEADS}


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip() for row in ROWS])
def test_each_known_fault_has_its_test(row: list[str]) -> None:
    assert len(row) == 3
    shown = row[2]
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown)
    for file, name in tests:
        assert re.search(rf"def {name}\(", (ROOT / file).read_text()), f"{file} has no {name}"
    classes = set(re.findall(r'"([^"]+)"', shown))
    assert classes <= (LINES if "lines" in shown else set()) | (set(SEQUENCES) if "framing" in shown else set())
    assert tests or classes


def test_no_class_of_attacks_stands_for_nothing() -> None:
    """A class that shows no known fault is fine; one that the document spells otherwise is not."""
    assert len(ROWS) > 50
    assert re.findall(r'"([^"]+)"', DOCUMENT)
