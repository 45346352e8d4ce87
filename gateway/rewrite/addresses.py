"""What the rewriting of playlists, manifests and JSON answers has in common. Pure.

Rule: whatever a player could load is an address that was asked about here; what is told in return is written in
its place, or nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.rewrite.numbers import Template

MAX_ADDRESSES = 100_000
MAX_ADDRESS = 4_096  # characters; a longer one leads nowhere

# Where a loader would see the beginning of an address: a scheme, or two slashes of either sort.
_OTHER = "data|blob|file|javascript|vbscript|skd"
ADDRESS = re.compile(
    rf"[A-Za-z0-9]\s*:\s*[\\/]|[\\/]\s*[\\/]|\b(?:https?|wss?|ftp)\s*:|^[\0- ]*(?:{_OTHER})\s*:|\b(?:{_OTHER}):\S", re.I
)

# Browsers take these out of an address before they read it.
_UNSEEN = dict.fromkeys(map(ord, "\t\n\r"))


def holds_address(text: str) -> bool:
    if ":" not in text and "/" not in text and "\\" not in text:
        return False
    return ADDRESS.search(text) is not None or ADDRESS.search(text.translate(_UNSEEN)) is not None


class NotFollowed(Exception):
    """Not a list that can be read in one way alone; the text says why, for the log."""


class Addresses(Protocol):
    """None: nothing may be written."""

    def address(self, text: str, sort: str) -> str | None:
        """For an address that is named as a `file`, as a list to be read as `hls`, `dash` or `json`, or as `any`
        of these."""

    def files(self, texts: Sequence[str]) -> list[str | None]:
        """The same for many files, one after another."""

    def template(self, template: Template) -> str | None:
        """For an address in which a player writes numbers."""

    def redirect(self, location: str) -> str | None:
        """For where the same list is to be asked for again."""


def without_dots(path: str) -> str | None:
    """A path that begins with a slash, its dot segments taken out (RFC 3986 5.2.4); None where they lead above the
    root: the RFC stays there, others don't."""
    out: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        if segment == "..":
            if not out:
                return None
            out.pop()
        elif segment != ".":
            out.append(segment)
            continue
        if index == len(segments) - 1:
            out.append("")
    return "/" + "/".join(out)
