"""The image: what the Dockerfile says, followed step by step without Docker, and run as Docker would run it."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.system_parts import missing, need

ROOT = Path(__file__).parents[2]
OFFLINE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|NewConnectionError|NameResolutionError|Could not fetch URL", re.I
)


@pytest.fixture
def dockerfile(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("dockerfile")


@pytest.mark.timeout(600)
def test_the_image_is_built_and_runs() -> None:
    """tools/image.py in its quick form; its sentences say what it saw."""
    need("npm")
    need("unshare")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n", "-E"]
    if as_root and (not shutil.which("sudo") or subprocess.run([*as_root, "true"], capture_output=True).returncode):
        missing("this test changes roots and is not allowed to be root")
    done = subprocess.run(
        [*as_root, sys.executable, ROOT / "tools" / "image.py"], capture_output=True, text=True, timeout=550
    )
    if done.returncode and OFFLINE.search(done.stdout + done.stderr):
        missing("no packages can be fetched")
    assert done.returncode == 0, done.stdout + done.stderr
    for turn in ("on a new volume", "on the same volume again"):
        assert f"{turn}: healthy after" in done.stdout
    assert "as uid 10001 without capabilities, SIGTERM ended it" in done.stdout
    assert done.stdout.endswith("the image works: every step, the entrypoint, the health check and the stop signal\n")


def test_what_the_image_is(dockerfile: ModuleType) -> None:
    *_, final = stages = dockerfile.parse((ROOT / "Dockerfile").read_text())
    assert {stage.base for stage in stages} == {"node:22-slim", "python:3.13-slim"}
    assert final.last("USER").text == "gateway"
    assert final.last("VOLUME").text == "/data"
    assert final.last("STOPSIGNAL").text == "SIGTERM"
    # Without a shell between: the signal reaches the gateway.
    assert final.last("ENTRYPOINT").words == ["python", "-m", "gateway"]
    assert final.last("HEALTHCHECK").flags.keys() >= {"interval", "timeout", "start-period"}


def test_only_the_program_is_sent_to_a_build(dockerfile: ModuleType) -> None:
    """Neither keys and data of whoever builds, nor tests, nor what other builds left behind."""
    files = dockerfile.context(ROOT)
    assert "gateway/__main__.py" in files
    tops = {file.partition("/")[0] for file in files}
    assert tops == {"gateway", "policies", "config.yaml", "hatch_build.py", "pyproject.toml", "requirements.lock"} | {
        "README.md", "LICENSE",
    }  # fmt: skip
    assert not [file for file in files if "__pycache__" in file or "/vendor/" in file]


def test_the_language_as_far_as_it_is_read(dockerfile: ModuleType) -> None:
    [stage] = dockerfile.parse(
        "# head\nFROM x AS y\nRUN one \\\n # between\n && two\nHEALTHCHECK --interval=5s --timeout=1s \\\n"
        '  CMD ["a b", "c"]\nENV A=1 B="two words"\nENV A=$A:3 C=$A\n'
    )
    assert (stage.base, stage.name) == ("x", "y")
    run, health, *variables = stage.steps
    assert (run.line, run.command) == (3, ["/bin/sh", "-c", "one  && two"])
    assert health.flags == {"interval": "5s", "timeout": "1s"}
    assert dockerfile.environment(variables, {}) == {"A": "1:3", "B": "two words", "C": "1"}
    for bad in ("FROM x\nADD a b\n", "RUN before any stage\n", "FROM x\nONBUILD RUN y\n"):
        with pytest.raises(dockerfile.NotUnderstoodError):
            dockerfile.parse(bad)


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("secret.key", True),
        ("data/store.sock", True),
        ("gateway/app.py", False),
        ("gateway/deep/er/x", False),
        ("gateway/__pycache__/app.pyc", True),
        ("gateway/a/b/__pycache__/x", True),
        ("gateway/static/vendor/x.js", True),
        ("gatewayx/app.py", True),
    ],
)
def test_what_dockerignore_keeps_out(dockerfile: ModuleType, path: str, out: bool) -> None:
    patterns = ["# head", "*", "!gateway", "", "**/__pycache__", "gateway/static/vendor"]
    assert dockerfile.ignored(patterns, path) is out
