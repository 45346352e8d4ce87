"""One gateway for a whole file of attacks, and the counts below the results."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attack.stage import Stage, standing
from tests.attack.tally import LINES


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with standing(tmp_path_factory.mktemp("attack")) as stage:
        yield stage


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LINES:
        terminalreporter.section("attacks")
        for line in LINES:
            terminalreporter.write_line(line)
