"""The table of servers in README.md says what the policies say."""

from __future__ import annotations

from pathlib import Path

from tools import servers

README = Path(__file__).parents[2] / "README.md"


def test_the_table_in_readme_is_that_of_the_policies() -> None:
    said = README.read_text().partition(servers.BEGIN)[2].partition(servers.END)[0].strip()
    assert said == servers.table().strip(), "run tools/servers.py"


def test_each_policy_has_a_row() -> None:
    rows = servers.table().splitlines()[2:]
    assert len(rows) == len(list(servers.ROOT.glob("policies/*.yaml")))
    assert not [row for row in rows if row.count("|") != 6], "a cell holds a |"
