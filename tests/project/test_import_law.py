"""Imports go downwards only: the contract in pyproject.toml, kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter.api import read_configuration
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]


def test_imports_go_downwards_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    # It sets logging up for itself and silences all loggers there are: later tests of what is logged would hear
    # nothing, and pass.
    monkeypatch.setattr("logging.config.dictConfig", lambda settings: None)
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert code == 0, capsys.readouterr().out


def test_the_law_knows_every_room() -> None:
    """Doors next to each other (with |) may not know each other."""
    (contract,) = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    assert contract["type"] == "layers"
    assert "guest | player | proxy | forwardauth | api | admin | ops" in contract["layers"]
    rooms = {name.strip() for layer in contract["layers"] for name in layer.split("|")}
    there = {path.stem for path in (ROOT / "gateway").glob("*.py")} | {
        path.parent.name for path in (ROOT / "gateway").glob("*/__init__.py")
    }
    assert there - {"__init__"} <= rooms
