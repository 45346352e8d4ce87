"""A backup's file: whole or refused, and nothing in it that opens a link."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
from pathlib import Path

import pytest

from gateway.errors import BadBackup
from gateway.links.ids import ItemKey
from gateway.links.keys import Keys
from gateway.links.records import SCHEMA
from gateway.store.backup_file import BackupWriter, SavedItem, read_backup, whole_file
from tests.store_fixtures import KEYS

SLOT = ItemKey("tv", "film1").slot
ITEM = {"v": str(SCHEMA), "server": "tv", "item": "film1", "kind": "video", "access": "1", "seats": "9"}
TOKEN = "t" * 22


def record(number: int, **more: str) -> dict[str, str]:
    return {
        "v": str(SCHEMA), "id": f"{SLOT}{number:08}", "server": "tv", "item": "film1", "kind": "video",
        "name": "Ünicode",
        "clicks_used": "2", "created_at": "1000", "created_by": "alice", "enabled": "1", "version": "3",
        "sealed": KEYS.seal(TOKEN).decode(), "viewers": "unknown here, kept all the same", **more,
    }  # fmt: skip


SAVED = SavedItem(SLOT, ITEM, (record(1), record(2)), (record(3, deleted_at="2000"),))


def made(*items: SavedItem, keys: Keys = KEYS, secrets: tuple[bytes, ...] | None = None) -> bytes:
    to = io.BytesIO()
    writer = BackupWriter(to, keys, created="2026-11-24T10:00:00Z", gateway="0.1.0", secrets=secrets)
    for one in items or (SAVED,):
        writer.add(one)
    writer.end()
    return to.getvalue()


def resigned(lines: list[object]) -> bytes:
    """As somebody would write it who can compute a SHA-256."""
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines[:-1])
    end = {**lines[-1], "sha256": hashlib.sha256(body).hexdigest()}  # type: ignore[dict-item]
    return body + json.dumps(end).encode() + b"\n"


def lines_of(content: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in content.splitlines()]


def test_what_was_written_is_read() -> None:
    found = read_backup(made())
    assert found.items == (SAVED,)
    assert found.counts.said() == {"items": 1, "links": 2, "deleted": 1}
    assert (found.key, found.gateway, found.secrets) == (KEYS.id, "0.1.0", ())
    assert KEYS.check_backup(found.digest, found.signature)
    other = Keys.derive([b"another secret of 32 bytes and so on"])
    assert not other.check_backup(found.digest, found.signature)
    assert read_backup(made(secrets=(b"x" * 32, b"\xff" * 40))).secrets == (b"x" * 32, b"\xff" * 40)


def test_no_token_stands_in_the_file() -> None:
    assert TOKEN.encode() not in made()


def test_a_file_cut_anywhere_is_refused() -> None:
    whole = made()
    for end in range(len(whole)):
        with pytest.raises(BadBackup):
            read_backup(whole[:end])


def test_a_file_with_any_byte_changed_is_refused_or_says_the_same() -> None:
    """Also one that is still JSON; bytes that mean nothing (the signature's) are caught by its check."""
    whole = made()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1
        try:
            found = read_backup(bytes(changed))
        except BadBackup:
            continue
        assert not KEYS.check_backup(found.digest, found.signature), at


def test_lines_lost_doubled_or_added_are_refused() -> None:
    other = SavedItem(ItemKey("tv", "film2").slot, {**ITEM, "item": "film2"}, ())
    lines = made(SAVED, other).splitlines(keepends=True)
    for wrong in ([0, 1, 3], [0, 2, 1, 3], [0, 1, 1, 2, 3], [1, 2, 3], [0, 1, 2, 3, 3], [0, 1, 2, 3, 0]):
        with pytest.raises(BadBackup):
            read_backup(b"".join(lines[at] for at in wrong))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2, "gateway": "9.8.7"}, "made by a later version (9.8.7: format 2, this one knows 1)"),
        (
            {"schema": SCHEMA + 1, "gateway": "9.8.7"},
            f"made by a later version (9.8.7: schema {SCHEMA + 1}, this one knows {SCHEMA})",
        ),
        ({"format": "1"}, "names no format"),
        ({"format": True}, "names no format"),
        ({"schema": None}, "names no schema"),
        ({"backup": "something else"}, "no backup of a gateway"),
        ({"key": 7}, "not whole"),
    ],
)
def test_a_head_that_is_not_ours_is_refused(change: dict[str, object], said: str) -> None:
    head, *rest = lines_of(made())
    with pytest.raises(BadBackup) as refused:
        read_backup(resigned([{**head, **change}, *rest]))
    assert said in str(refused.value)


def test_a_later_version_is_told_before_anything_else_of_it_is_looked_at() -> None:
    with pytest.raises(BadBackup, match=r"later version \(2\.0\.0: format 7.*restore it with that version"):
        read_backup(b'{"backup":"guest-gateway","format":7,"gateway":"2.0.0"}\nwhatever it holds then')


@pytest.mark.parametrize(
    ("where", "change", "said"),
    [
        ("links", {"v": str(SCHEMA + 1)}, "later version"),
        ("item", {"v": str(SCHEMA + 1)}, "later version"),
        ("links", {"v": ""}, "no schema version"),
        ("links", {"v": "0"}, "schema 0"),
        ("links", {"id": "x"}, "makes no sense"),
        ("links", {"id": f"{'A' * 11}00000001"}, "not all of one item"),
        ("links", {"item": "film2"}, "not all of one item"),
        ("item", {"server": "other"}, "not all of one item"),
        ("links", {"deleted_at": "1"}, "makes no sense"),
        ("links", {"clicks_used": "many"}, "can't be read"),
        ("links", {"clicks_used": 3}, "not made of texts"),
    ],
)
def test_records_that_make_no_sense_are_refused(where: str, change: dict[str, object], said: str) -> None:
    head, line, end = lines_of(made())
    old = line[where]
    line[where] = [{**old[0], **change}, *old[1:]] if isinstance(old, list) else {**old, **change}  # type: ignore[dict-item]
    with pytest.raises(BadBackup, match=said):
        read_backup(resigned([head, line, end]))


def test_other_files_are_refused() -> None:
    for content in (b"", b"\n", b"null\n", b"[]\n", b"\x00" * 100, b"{" * 100_000, os.urandom(4096)):
        with pytest.raises(BadBackup):
            read_backup(content)


def test_a_file_is_private_and_stands_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "links.backup"
    path.write_text("the one from yesterday")
    path.chmod(0o644)
    with pytest.raises(TypeError), whole_file(path) as to:
        to.writelines([b"half of", None])  # type: ignore[list-item]
    assert path.read_text() == "the one from yesterday"
    with whole_file(path) as to:
        to.write(b"today's")
        assert path.read_text() == "the one from yesterday"
        assert [stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir() if one != path] == [0o600]
    assert path.read_text() == "today's"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_plain_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path, tmp_path / "link", Path("/dev/null")):
        with pytest.raises(OSError, match="not a plain file"), whole_file(path):
            pass
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "no" / "folder"):
        pass
