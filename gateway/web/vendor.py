"""Fetches hls.js, Shaka Player, mpegts.js and livekit-client, which our player pages need and our repository does not
hold.

`npm pack` downloads the pinned releases and nothing of them is run; what came is used only if its SHA-512
is the pinned one. Called when a wheel or an editable install is built, and again by whoever finds one
missing: without npm the build goes on, and the player falls back to what the browser can do itself.

Why Shaka Player for DASH and not dash.js: it makes no code from texts (`new Function`), which the page's
policy forbids, and writes nothing into the browser's storage; both weigh about the same.

Why mpegts.js for FLV and not flv.js: it is its successor, and flv.js is not kept any more.

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
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent.parent / "static" / "vendor"

DEADLINE = 120.0  # seconds for npm, for each of them


class VendorMissing(Exception):
    """Something could not be had; the message says what and why, in a sentence for an operator."""


class VendorWrong(Exception):
    """What came is not the pinned release. Never to be ignored."""


class Library(NamedTuple):
    """`wanted`: member of the archive -> our name; the licences go with the code.

    No dataclass: whoever reads this file by its path has no module of that name for it to look into.
    """

    package: str
    sha512: str
    wanted: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.package.partition("@")[0]

    @property
    def archive(self) -> str:
        """What `npm pack` calls it."""
        return self.package.replace("@", "-") + ".tgz"

    @property
    def stamp(self) -> str:
        return f"{self.name}.version"

    def present(self, folder: Path) -> bool:
        """Whether this very release is there already."""
        stamp = folder / self.stamp
        return (
            stamp.is_file()
            and stamp.read_text() == self.package
            and all((folder / name).is_file() for name in self.wanted.values())
        )

    def fetch(self, folder: Path) -> None:
        """Raises VendorMissing, VendorWrong."""
        npm = shutil.which("npm")
        if npm is None:
            raise VendorMissing("npm is not installed")
        with tempfile.TemporaryDirectory() as place:
            command = [npm, "pack", self.package, "--ignore-scripts", "--silent", "--pack-destination", place]
            try:
                subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=DEADLINE)  # noqa: S603 - fixed words
            except subprocess.TimeoutExpired as error:
                raise VendorMissing(f"npm did not answer within {DEADLINE:g} s") from error
            except (OSError, subprocess.CalledProcessError) as error:
                raise VendorMissing(f"npm could not fetch {self.package}") from error
            archives = list(Path(place).glob("*.tgz"))
            if len(archives) != 1:
                raise VendorMissing(f"npm left {len(archives)} archives instead of one")
            self.unpack(archives[0].read_bytes(), folder)

    def unpack(self, archive: bytes, folder: Path) -> None:
        """Check the archive and write the wanted members. Raises VendorWrong."""
        found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
        if found != self.sha512:
            raise VendorWrong(f"{self.package} has the hash sha512-{found}, which is not the pinned one")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
            for member, name in self.wanted.items():
                content = members.extractfile(member)
                if content is None:
                    raise VendorWrong(f"{self.package} holds no file {member}")
                _write(folder / name, content.read())
        _write(folder / self.stamp, self.package.encode())


LIBRARIES = (
    Library(
        "hls.js@1.7.4",
        "3GlxGdPvT2YHvQYOt+yOzT/DEior/qJVNIylHA77kgeoBTdQQqi70GwefNEUmHQeNGyjC8U62+bruqW/Tpm+tg==",
        {"package/dist/hls.min.js": "hls.min.js", "package/LICENSE": "hls.js-LICENSE.txt"},
    ),
    Library(
        "shaka-player@5.2.12",
        "vEsuVDI3+oLh+yqpjXexQZlg2XMUBI0VrqatDuKWacPaxAud6Uph5uCowUPLhUgNG5XKWCpoM4l1r8qYzWH+zg==",
        {
            "package/dist/shaka-player.compiled-es2021.js": "shaka-player.min.js",
            "package/LICENSE": "shaka-player-LICENSE.txt",
            "package/third_party/cml-cmcd/LICENSE": "shaka-player-cml-cmcd-LICENSE.txt",
            "package/third_party/language-mapping-list/LICENSE": "shaka-player-languages-LICENSE.txt",
        },
    ),
    Library(
        "mpegts.js@1.8.2",
        "cZYMa5muASH55wrS6JK5IGkUqnCA96c0f+WdnW91jIK9s/N6NzjmTQDJNYg9A5u/G2Q5nj2b3w1Zwzze/9guxA==",
        {
            "package/dist/mpegts.js": "mpegts.js",
            "package/LICENSE": "mpegts.js-LICENSE.txt",
            "package/dist/mpegts.js.LICENSE.txt": "mpegts.js-es6-promise-LICENSE.txt",
        },
    ),
    Library(
        "livekit-client@2.23.0",
        "j9Kg86nJjBjNFUD+ukp2jwMCGa0k+YD5gU//RzAM+ZY3pbG631QCte7fQjwqWMmtBzhDJL9nKYuOLMv/9IbAxg==",
        {"package/dist/livekit-client.umd.js": "livekit-client.js", "package/LICENSE": "livekit-client-LICENSE.txt"},
    ),
)


def fetch(folder: Path = FOLDER) -> None:
    """Put all of them and their licences into `folder`, but those that are there. Raises VendorMissing, after
    having tried each, and VendorWrong."""
    complaints: list[str] = []
    for library in LIBRARIES:
        if library.present(folder):
            continue
        try:
            library.fetch(folder)
        except VendorMissing as reason:
            complaints.append(str(reason))
    if complaints:
        raise VendorMissing("; ".join(dict.fromkeys(complaints)))


def unpack_from(place: Path, folder: Path = FOLDER) -> None:
    """Put all of them into `folder`, from archives that `npm pack` has left in `place`. Raises VendorWrong."""
    for library in LIBRARIES:
        library.unpack((place / library.archive).read_bytes(), folder)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a server may be reading."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
