"""What a backup looks like as a file: lines of JSON, the first says what it is, the last that it is whole.

    {"backup": "guest-gateway", "format": 1, "schema": 1, "key": …, "created": …, "gateway": …}
    {"secrets": […]}                                        only `--with-keys`
    {"item": {…}, "links": [{…}], "deleted": [{…}]}         one line for each item, records as in the store
    {"end": {"items": …, "links": …, "deleted": …}, "sha256": …, "signature": …}

Rule: a file is used whole or not at all. The last line's SHA-256 covers every byte before it, so that a
file that was cut or damaged is refused; its signature, by a key made from the gateway's secret, shows
who wrote it. Tokens stand in it sealed, as in the store. A later format or schema is refused.

Why lines: a backup of many links is written as it is read, and a person can look into it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from gateway.errors import BadBackup, StoreDown, StoreTooNew
from gateway.links.ids import ItemKey, is_link_id, slot_of
from gateway.links.keys import MIN_SECRET, Keys
from gateway.links.records import SCHEMA
from gateway.store.records import Hash, read_item, read_link
from gateway.store.upgrade import upgraded

NAME, FORMAT = "guest-gateway", 1


@dataclass(frozen=True, slots=True)
class SavedItem:
    """An item with its switch and links, each as its hash in the store; `item` is empty where none was."""

    slot: str
    item: Hash
    links: tuple[Hash, ...]
    deleted: tuple[Hash, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    items: int = 0
    links: int = 0
    deleted: int = 0

    def and_of(self, one: SavedItem) -> Counts:
        return Counts(self.items + 1, self.links + len(one.links), self.deleted + len(one.deleted))

    def said(self) -> dict[str, int]:
        return {"items": self.items, "links": self.links, "deleted": self.deleted}


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that is whole. `secrets`: empty unless it was made with keys; newest first."""

    key: str
    created: str
    gateway: str
    counts: Counts
    items: tuple[SavedItem, ...]
    digest: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False, default=())


class BackupWriter:
    """Writes one file's lines, in order: made (the head), `add` for each item, `end`."""

    def __init__(
        self, to: BinaryIO, keys: Keys, *, created: str, gateway: str, secrets: Sequence[bytes] | None = None
    ) -> None:
        """`secrets`: given for a backup with keys."""
        self._to = to
        self._keys = keys
        self._hash = hashlib.sha256()
        self.counts = Counts()
        head = {"backup": NAME, "format": FORMAT, "schema": SCHEMA, "key": keys.id}
        self._line({**head, "created": created, "gateway": gateway})
        if secrets is not None:
            self._line({"secrets": [one.decode("utf-8", "surrogateescape") for one in secrets]})

    def add(self, one: SavedItem) -> None:
        self.counts = self.counts.and_of(one)
        self._line(
            {"item": dict(one.item), "links": list(map(dict, one.links)), "deleted": list(map(dict, one.deleted))}
        )

    def end(self) -> None:
        digest = self._hash.digest()
        signature = self._keys.sign_backup(digest).hex()
        self._line({"end": self.counts.said(), "sha256": digest.hex(), "signature": signature})

    def _line(self, value: Mapping[str, object]) -> None:
        line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
        self._hash.update(line)
        self._to.write(line)


def read_backup(content: bytes) -> Backup:
    """The whole of a file. Raises BadBackup with a sentence; who wrote it is asked of `check_backup`."""
    first, _, _ = content.partition(b"\n")
    head = _head(first)
    before, _, last = content.removesuffix(b"\n").rpartition(b"\n")
    end = _json(last) if content.endswith(b"\n") else None
    if end is None or not isinstance(end.get("end"), dict):
        raise BadBackup("the file is cut: its last line is missing")
    covered = before + b"\n"
    digest = hashlib.sha256(covered).digest()
    if end.get("sha256") != digest.hex():
        raise BadBackup("the file is damaged: it does not have the SHA-256 that its last line names")
    lines = covered.splitlines()[1:]
    given: tuple[bytes, ...] = ()
    if lines and "secrets" in (_json(lines[0]) or {}):
        given = _secrets(lines.pop(0))
    items = tuple(_saved(line, 2 + bool(given) + number) for number, line in enumerate(lines))
    counts = Counts(len(items), sum(len(one.links) for one in items), sum(len(one.deleted) for one in items))
    if counts.said() != end["end"]:
        raise BadBackup("the file does not hold what its last line says")
    try:
        signature = bytes.fromhex(end["signature"])
    except (KeyError, TypeError, ValueError):
        raise BadBackup("the file has no signature") from None
    return Backup(head["key"], head["created"], head["gateway"], counts, items, digest, signature, given)


def _head(line: bytes) -> dict[str, str]:
    head = _json(line)
    if head is None or head.get("backup") != NAME:
        raise BadBackup("this is no backup of a gateway")
    by = str(head.get("gateway", ""))[:40]
    for name, known in (("format", FORMAT), ("schema", SCHEMA)):
        found = head.get(name)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise BadBackup(f"the file's first line names no {name}")
        if found > known:
            raise BadBackup(
                f"it was made by a later version ({by}: {name} {found}, this one knows {known}): "
                "restore it with that version or a later one"
            )
    if not isinstance(head.get("key"), str) or not isinstance(head.get("created"), str):
        raise BadBackup("the file's first line is not whole")
    return {"key": head["key"], "created": head["created"], "gateway": by}


def _secrets(line: bytes) -> tuple[bytes, ...]:
    found = (_json(line) or {})["secrets"]
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise BadBackup("line 2: the keys can't be read")
    given = tuple(one.encode("utf-8", "surrogateescape") for one in found)
    if any(len(one) < MIN_SECRET for one in given):
        raise BadBackup("line 2: a key that is too short")
    return given


def _saved(line: bytes, number: int) -> SavedItem:
    """An item's line, its records checked as those of the store are and brought to our schema."""
    found = _json(line)
    if found is None or not isinstance(found.get("item"), dict):
        raise BadBackup(f"line {number} holds no item")
    item = _texts(found["item"], number)
    links = tuple(_texts(one, number) for one in _listed(found, "links", number))
    deleted = tuple(_texts(one, number) for one in _listed(found, "deleted", number))
    try:
        item = upgraded("item", item) if item else item
        links = tuple(upgraded("link", one) for one in links)
        deleted = tuple(upgraded("link", one) for one in deleted)
        kept = read_item(item)
        slots = {ItemKey(kept.server, kept.item).slot} if kept is not None else set()
        for one, ended in [(one, False) for one in links] + [(one, True) for one in deleted]:
            link = read_link(one)
            if link is None or not is_link_id(link.id) or (link.deleted_at is not None) is not ended:
                raise BadBackup(f"line {number}: a link that makes no sense")
            slots |= {slot_of(link.id), ItemKey(link.server, link.item).slot}
    except StoreTooNew as error:
        raise BadBackup(f"line {number}: {error}: restore it with that version or a later one") from error
    except StoreDown as error:
        raise BadBackup(f"line {number}: {error}") from error
    if len(slots) != 1:
        raise BadBackup(f"line {number}: its links are not all of one item")
    return SavedItem(slots.pop(), item, links, deleted)


def _listed(found: Mapping[str, Any], name: str, number: int) -> list[Any]:
    value = found.get(name, [])
    if not isinstance(value, list):
        raise BadBackup(f"line {number}: {name} is no list")
    return value


def _texts(found: Any, number: int) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadBackup(f"line {number}: a record that is not made of texts")
    return found


def _json(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file of mode 0600 that stands under its name when the block has ended well, and not before; what
    stood there stays until then. Raises OSError."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(f"{path} is not a plain file; name another, or - for standard output")
    except FileNotFoundError:
        pass
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
