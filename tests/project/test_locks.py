"""The lock files are what pyproject.toml asks for, and name nothing without a hash."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
RUNTIME, TEST = ROOT / "requirements.lock", ROOT / "requirements-test.lock"
PIP = ROOT / "tools" / "pip.lock"
SERVERS = ROOT / "tests" / "media-servers.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def entries(lock: Path) -> dict[str, str]:
    """Package -> version."""
    found = re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", lock.read_text(), re.M)
    assert len(found) == len(dict(found)), "one version of each"
    return dict(found)


def unmet(wanted: Iterable[str], lock: Path) -> list[str]:
    have = entries(lock)
    found = []
    for text in wanted:
        requirement = Requirement(text)
        version = have.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version):
            found.append(f"{text}: locked is {version}; refresh with tools/lock")
    return found


def test_the_runtime_lock_satisfies_the_project() -> None:
    assert unmet(PROJECT["dependencies"], RUNTIME) == []


def test_the_test_lock_satisfies_it_too_and_adds_the_tests() -> None:
    assert unmet(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"], TEST) == []


def test_tests_run_with_the_versions_that_are_shipped() -> None:
    """`gw` takes the test set for both, and adds it to a runtime set that is there."""
    assert entries(RUNTIME).items() <= entries(TEST).items()


def test_media_servers_of_the_tests_are_locked_apart() -> None:
    wanted = re.findall(r"^[^#\n].*", SERVERS.with_suffix(".in").read_text(), re.M)
    assert len(wanted) > 2
    assert unmet(wanted, SERVERS) == []
    assert not {"supysonic", "flask", "pillow"} & (entries(RUNTIME).keys() | entries(TEST).keys())


@pytest.mark.parametrize("lock", [RUNTIME, TEST, PIP, SERVERS], ids=lambda path: path.name)
def test_everything_has_a_hash_and_nothing_names_a_place(lock: Path) -> None:
    """Whose index is asked is the business of the machine that installs."""
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, re.M)
    for entry in re.split(r"^(?=[a-z0-9])", text, flags=re.M)[1:]:
        assert "--hash=sha256:" in entry


def test_the_locks_hold_for_every_python_we_run_on() -> None:
    """They are made once for all: a marker may leave a package out, and none may choose between versions."""
    assert PROJECT["requires-python"] == ">=3.11"
    for text in re.findall(r"^[a-z0-9][^;\n]*;\s*(.+?) \\$", TEST.read_text(), re.M):
        Marker(text)


def test_the_image_has_the_player_that_is_pinned() -> None:
    """The Dockerfile fetches its libraries in a stage of its own; vendor.py checks their hashes either way."""
    from gateway.web.vendor import LIBRARIES

    image = (ROOT / "Dockerfile").read_text()
    assert f"npm pack {' '.join(library.package for library in LIBRARIES)} --ignore-scripts" in image
