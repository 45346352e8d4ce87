"""Fetches hls.js, which our player page needs and our repository does not hold.

`npm pack` downloads the pinned release and nothing of it is run; what came is used only if its SHA-512
is the pinned one. Called when a wheel or an editable install is built, and again by whoever finds it
missing: without npm the build goes on, and the player falls back to what the browser can do itself.

Standard library only: the build imports this file before anything is installed.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "static" / "vendor"

PACKAGE = "hls.js@1.7.4"
_SHA512 = "3GlxGdPvT2YHvQYOt+yOzT/DEior/qJVNIylHA77kgeoBTdQQqi70GwefNEUmHQeNGyjC8U62+bruqW/Tpm+tg=="
# Member of the archive -> our name; the licence goes with the code.
_WANTED = {"package/dist/hls.min.js": "hls.min.js", "package/LICENSE": "hls.js-LICENSE.txt"}
_STAMP = "hls.js.version"

DEADLINE = 120.0  # seconds for npm


class VendorMissing(Exception):
    """hls.js could not be had; the message says why, in a sentence for an operator."""


class VendorWrong(Exception):
    """What came is not the pinned release. Never to be ignored."""


def present(folder: Path = FOLDER) -> bool:
    """Whether this very release is there already."""
    stamp = folder / _STAMP
    return (
        stamp.is_file() and stamp.read_text() == PACKAGE and all((folder / name).is_file() for name in _WANTED.values())
    )


def fetch(folder: Path = FOLDER) -> None:
    """Put hls.js and its licence into `folder`, unless they are there. Raises VendorMissing, VendorWrong."""
    if present(folder):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise VendorMissing("npm is not installed")
    with tempfile.TemporaryDirectory() as place:
        command = [npm, "pack", PACKAGE, "--ignore-scripts", "--silent", "--pack-destination", place]
        try:
            subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=DEADLINE)  # noqa: S603 - fixed words
        except subprocess.TimeoutExpired as error:
            raise VendorMissing(f"npm did not answer within {DEADLINE:g} s") from error
        except (OSError, subprocess.CalledProcessError) as error:
            raise VendorMissing(f"npm could not fetch {PACKAGE}") from error
        archives = list(Path(place).glob("*.tgz"))
        if len(archives) != 1:
            raise VendorMissing(f"npm left {len(archives)} archives instead of one")
        unpack(archives[0].read_bytes(), folder)


def unpack(archive: bytes, folder: Path) -> None:
    """Check the archive and write the wanted members. Raises VendorWrong."""
    found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != _SHA512:
        raise VendorWrong(f"{PACKAGE} has the hash sha512-{found}, which is not the pinned one")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
        for member, name in _WANTED.items():
            content = members.extractfile(member)
            if content is None:
                raise VendorWrong(f"{PACKAGE} holds no file {member}")
            _write(folder / name, content.read())
    _write(folder / _STAMP, PACKAGE.encode())


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a server may be reading."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
