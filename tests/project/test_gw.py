"""`gw` brings a fresh checkout to a running program: tried on a small checkout with nothing to download."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system_parts import need

ROOT = Path(__file__).parents[2]

PROGRAM = """
import os, sys
print(os.getcwd(), *sys.argv[1:], sep="|")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as gw sees one, in a place whose name has spaces. Its lock files name nothing."""
    root = tmp_path / "some where"
    (root / "gateway" / "web").mkdir(parents=True)
    (root / "gateway" / "__init__.py").touch()
    (root / "gateway" / "__main__.py").write_text(PROGRAM)
    (root / "gateway" / "web" / "vendor.py").write_text(
        "class VendorMissing(Exception): pass\nclass VendorWrong(Exception): pass\ndef fetch(): pass\n"
    )
    shutil.copytree(ROOT / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "gw", root / "gw")
    for name in ("pyproject.toml", "requirements.lock", "requirements-test.lock", "tools/pip.lock"):
        (root / name).write_text("# nothing\n")
    return root


def gw(
    checkout: Path, *arguments: str, cwd: Path | None = None, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it with this Python in an environment that holds little else."""
    usual = {"PATH": "/usr/bin:/bin", "HOME": str(checkout), "GW_PYTHON": sys.executable}
    return subprocess.run(
        [checkout / "gw", *arguments],
        cwd=cwd or checkout,
        env={**usual, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_first_call_installs_and_the_next_go_straight_on(checkout: Path) -> None:
    first = gw(checkout, "link", "list", "--json", "a b")
    assert first.stdout == f"{checkout}|link|list|--json|a b\n", first.stderr
    assert "making .venv" in first.stderr
    again = gw(checkout, "demo")
    assert (again.stdout, again.stderr) == (f"{checkout}|demo\n", "")


def test_from_another_folder_and_through_links(checkout: Path, tmp_path: Path) -> None:
    """The working folder stays the caller's, where config.yaml is looked for; a package there is not ours."""
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "__init__.py").write_text("raise SystemExit('not this one')")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "one").symlink_to("../some where/gw")
    (tmp_path / "two").symlink_to(tmp_path / "bin" / "one")
    done = subprocess.run(
        [tmp_path / "two", "check"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "GW_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == f"{tmp_path}|check\n", done.stderr
    assert (checkout / ".venv").is_dir()


def test_a_changed_lock_installs_again_and_a_set_that_is_there_does_not(checkout: Path) -> None:
    gw(checkout, "check")
    (checkout / "requirements.lock").write_text("# changed\n")
    changed = gw(checkout, "check")
    assert "installing the runtime packages" in changed.stderr
    assert "making .venv" not in changed.stderr
    # `test` adds its set; back and forth between the two, nothing is installed again.
    assert "installing the test packages" in gw(checkout, "test", "-x").stderr
    for arguments in (["check"], ["test", "-x"], ["check"]):
        assert "installing" not in gw(checkout, *arguments).stderr


def test_libraries_of_pages_that_an_update_names_are_fetched(checkout: Path) -> None:
    assert gw(checkout, "serve").returncode == 0
    vendor = checkout / "gateway" / "web" / "vendor.py"
    vendor.write_text(vendor.read_text().replace("pass\n", "print('fetched')\n"))
    assert "fetched" in gw(checkout, "serve").stdout


def test_an_interrupted_installation_is_made_anew(checkout: Path) -> None:
    gw(checkout, "check")
    (checkout / ".venv" / "gw-runtime").unlink()
    (checkout / ".venv" / "half").touch()
    repaired = gw(checkout, "check")
    assert repaired.stdout == f"{checkout}|check\n"
    assert "making .venv" in repaired.stderr
    assert not (checkout / ".venv" / "half").exists()


def test_a_python_that_is_gone_is_replaced(checkout: Path) -> None:
    gw(checkout, "check")
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python")
    assert gw(checkout, "check").stdout == f"{checkout}|check\n"


def test_a_checkout_may_be_moved(checkout: Path, tmp_path: Path) -> None:
    gw(checkout, "check")
    moved = checkout.rename(tmp_path / "elsewhere")
    done = gw(moved, "check")
    assert (done.stdout, done.stderr) == (f"{moved}|check\n", "")


def test_calls_at_the_same_time_install_once(checkout: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "GW_PYTHON": sys.executable}
    calls = [
        subprocess.Popen(
            [checkout / "gw", "check"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [call.communicate(timeout=60) for call in calls]
    assert [call.returncode for call in calls] == [0] * 3
    assert len([errors for _, errors in said if "making .venv" in errors]) == 1
    assert len([errors for _, errors in said if "installing the" in errors]) == 1


def test_no_python_is_a_sentence(checkout: Path, tmp_path: Path) -> None:
    for name in ("dirname", "readlink", "cksum", "cat"):
        tmp_path.joinpath("tools").mkdir(exist_ok=True)
        tmp_path.joinpath("tools", name).symlink_to(shutil.which(name) or "")
    environ = {"PATH": str(tmp_path / "tools"), "GW_PYTHON": ""}
    done = subprocess.run(["/bin/sh", checkout / "gw", "demo"], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no Python 3.11 or newer was found" in done.stderr


def test_an_old_python_is_not_taken(checkout: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = gw(checkout, "demo", environ={"GW_PYTHON": str(old)})
    assert done.returncode == 2
    assert "is not a Python 3.11 or newer" in done.stderr


def test_a_package_that_can_not_be_had_is_a_sentence_and_no_installation(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text(f"gateway-no-such==1.0 --hash=sha256:{'0' * 64}\n")
    nowhere = {"PIP_NO_INDEX": "1"}
    for _ in range(2):
        done = gw(checkout, "demo", environ=nowhere)
        assert done.returncode == 2
        assert "pip could not install the packages" in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize("script", ["gw", ".ci/run", "tools/lock", "gateway/demo/clip/make"])
def test_the_scripts_are_clean(script: str) -> None:
    subprocess.run([need("shellcheck"), ROOT / script], check=True)
    assert os.access(ROOT / script, os.X_OK)
