"""Makes .venv and fills it from the lock file; `gw` calls it. Standard library only, Python 3.11 or newer.

    python tools/install.py runtime|test  < checksum

The checksum read from stdin is what `gw` compares on its next call: it is written into .venv last, so that an
installation which was interrupted is no installation. Exit 2 with a sentence on stderr when it can't be done.

Why not `python -m venv` and `pip install -e .`: that took 25 s on a cold machine, and the demo has 15.
- `python -m venv` installs pip by pip (6 s). Most Pythons have one that can be told where to install.
- pip reads, for each package, the list of every file ever released, 52,000 in all: 12 s with the pip that comes
  with Python 3.11, 5 s with a newer one, which takes 1.5 s to get.
- An editable install builds this package with a backend that has to be installed first. A .pth file does it.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PIP_LOCK = ROOT / "tools" / "pip.lock"
LOCKS = {"runtime": ROOT / "requirements.lock", "test": ROOT / "requirements-test.lock"}

INSTALL = (
    *("install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-script-location"),
    *("--require-hashes", "--no-deps"),
    "--no-user",  # "user = true" in somebody's pip.conf means their own installs, not this directory
    "--no-compile",  # Python compiles what is really imported, when it first is
)


class CannotInstallError(Exception):
    """The sentence that is shown."""


def main(wanted: str, checksum: str) -> None:
    with alone():
        if up_to_date(wanted, checksum):
            return  # somebody else finished it while we waited
        started = time.monotonic()
        if not usable():
            say(f"making .venv with Python {sys.version.split()[0]}, once")
            make_venv()
        unstamp()
        say(f"installing the {wanted} packages named in {LOCKS[wanted].name}")
        with ThreadPoolExecutor(1) as beside:
            player = beside.submit(fetch_player)
            install(LOCKS[wanted])
            complaint = player.result()
        if complaint:
            say(f"a library of the player is missing ({complaint}): some browsers get the file beside a stream")
        stamp(wanted, checksum)
        say(f"ready after {time.monotonic() - started:.0f} s")


def say(text: str) -> None:
    print(f"gw: {text}", file=sys.stderr, flush=True)


@contextmanager
def alone() -> Iterator[None]:
    """One installation at a time in this checkout. The lock falls with the process, however it ends."""
    place = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another call is installing, waiting for it")
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def stamp_of(name: str) -> Path:
    return VENV / f"gw-{name}"


def up_to_date(wanted: str, checksum: str) -> bool:
    try:
        return usable() and stamp_of(wanted).read_text() == checksum
    except FileNotFoundError:
        return False


def usable() -> bool:
    """Whether a finished installation is there; of this Python version, when GW_PYTHON asks for one."""
    if not any(stamp_of(name).exists() for name in LOCKS):
        return False
    try:
        answer = subprocess.run(
            [PYTHON, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True
        )
    except OSError:
        return False
    version = tuple(map(int, answer.stdout.split())) if answer.returncode == 0 else ()
    if os.environ.get("GW_PYTHON"):
        return version == sys.version_info[:2]
    return version >= (3, 11)


def unstamp() -> None:
    """From here until `stamp` the installation counts as broken, and a next call starts from nothing."""
    for name in LOCKS:
        stamp_of(name).unlink(missing_ok=True)


def stamp(wanted: str, checksum: str) -> None:
    """The test set holds the runtime set (same versions, a test compares), so it stands for both."""
    for name in ("runtime", "test") if wanted == "test" else ("runtime",):
        part = stamp_of(name).with_suffix(".part")
        part.write_text(checksum)
        part.replace(stamp_of(name))


def make_venv() -> None:
    try:
        import venv
    except ImportError:
        raise CannotInstallError(NO_VENV) from None
    if VENV.is_symlink() or VENV.is_file():
        raise CannotInstallError(f"{VENV} is not a directory of its own; remove it and call again")
    shutil.rmtree(VENV, ignore_errors=True)
    venv.create(VENV, symlinks=True, with_pip=False)
    packages = site_packages()
    packages.mkdir(parents=True, exist_ok=True)
    # Relative, so that the checkout may be moved.
    (packages / "gateway-checkout.pth").write_text(os.path.relpath(ROOT, packages) + "\n")


NO_VENV = (
    f"this Python ({sys.executable}) has no venv module with pip. On Debian and Ubuntu: apt install python3-venv; "
    "or name another Python with GW_PYTHON."
)


def site_packages() -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(VENV)}, scheme="venv"))


def install(lock: Path) -> None:
    """Everything the lock names, by hash; what is there in the right version stays."""
    if f"pip=={pip_version(PYTHON)} " not in PIP_LOCK.read_text():
        # For its speed alone, so that a mirror which has none is no reason to fail.
        subprocess.run([*pip(), *INSTALL, "--retries", "1", "-r", PIP_LOCK], capture_output=True)
    if subprocess.run([*pip(), *INSTALL, "-r", lock], stdout=sys.stderr).returncode != 0:
        raise CannotInstallError("pip could not install the packages, its words are above; call again to try again")


def pip() -> list[str | Path]:
    """The pip that works for .venv: its own, else that of the Python it was made with, else the one Python brings."""
    if pip_version(PYTHON):
        return [PYTHON, "-m", "pip"]
    if tuple(map(int, re.findall(r"\d+", pip_version(sys.executable))[:2])) >= (22, 3):  # the first with --python
        return [sys.executable, "-m", "pip", "--python", PYTHON]
    packages = site_packages()
    for folder in (bundled(), sysconfig.get_config_var("WHEEL_PKG_DIR"), "/usr/share/python-wheels"):
        for wheel in Path(folder).glob("pip-*-py3-none-any.whl") if folder else ():
            zipfile.ZipFile(wheel).extractall(packages)
            return [PYTHON, "-m", "pip"]
    if subprocess.run([PYTHON, "-m", "ensurepip", "--default-pip"], capture_output=True).returncode != 0:
        raise CannotInstallError(NO_VENV)
    return [PYTHON, "-m", "pip"]


def bundled() -> Path | None:
    """Where Python keeps the pip for new environments; distributions move it."""
    found = importlib.util.find_spec("ensurepip")
    return Path(found.origin).parent / "_bundled" if found and found.origin else None


def pip_version(python: Path | str) -> str:
    """Empty where there is none."""
    ask = "from importlib.metadata import version; import pip; print(version('pip'))"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True).stdout.strip()


def fetch_player() -> str | None:
    """Bring in the libraries of the player page, which are never committed. The answer says why one is missing."""
    # By path: as a part of the package it would need what is not installed yet.
    spec = importlib.util.spec_from_file_location("vendor", ROOT / "gateway" / "web" / "vendor.py")
    assert spec is not None
    assert spec.loader is not None
    vendor = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = vendor  # where dataclasses look for the module of a class they are asked to make
    spec.loader.exec_module(vendor)
    try:
        vendor.fetch()
    except vendor.VendorMissing as reason:
        return str(reason)
    except vendor.VendorWrong as what:
        raise CannotInstallError(str(what)) from what
    return None


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.stdin.read())
    except CannotInstallError as sentence:
        say(str(sentence))
        sys.exit(2)
    except KeyboardInterrupt:
        say("interrupted; the next call starts again")
        sys.exit(130)
