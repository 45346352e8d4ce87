"""One reading of the files: what everybody sees, and what is watched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway import files
from gateway.files import Files, reading, stamp


def test_a_file_is_seen_the_same_way_for_as_long_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first")
    with reading(Files()) as seen:
        assert files.content(path) == b"first"
        path.write_bytes(b"second")
        assert files.content(path) == b"first"
        assert not files.is_file(tmp_path / "missing")
        (tmp_path / "missing").write_bytes(b"now there")
        assert not files.is_file(tmp_path / "missing")
    assert files.content(path) == b"second"
    assert set(seen.stamps()) == {str(path), str(tmp_path / "missing")}
    assert seen.stamps()[str(path)] != stamp(str(path))
    assert seen.stamps()[str(tmp_path / "missing")] is None


def test_what_was_read_travels_and_the_disk_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff bytes")
    path.chmod(0o640)
    with reading(Files()) as seen:
        files.content(path)
        files.is_file(tmp_path / "missing")
    path.unlink()
    (tmp_path / "other").write_bytes(b"not read before")
    there = Files.of_text(seen.text())
    assert there == seen
    with reading(there):
        assert (files.content(path), files.mode(path)) == (b"\xff bytes", 0o640)
        assert not files.is_file(tmp_path / "other")


def test_a_replaced_rewritten_or_opened_file_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"same")
    seen = {stamp(str(path))}
    (tmp_path / "b").write_bytes(b"same")
    os.replace(tmp_path / "b", path)
    seen.add(stamp(str(path)))
    path.chmod(0o600)
    seen.add(stamp(str(path)))
    path.unlink()
    seen.add(stamp(str(path)))
    assert len(seen) == 4


def test_a_pipe_is_read_once_and_not_watched(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"from a pipe")
    os.close(writer)
    path = Path(f"/dev/fd/{reader}")
    if not path.exists():
        pytest.skip("no /dev/fd here")
    try:
        with reading(Files()) as first:
            assert files.content(path) == b"from a pipe"
        with reading(Files(before=first)) as second:
            assert files.content(path) == b"from a pipe"
        assert (first.stamps(), second.stamps()) == ({}, {})
    finally:
        os.close(reader)


def test_what_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * (files.MOST + 10))
    assert len(files.content(path)) == files.MOST


def test_a_missing_file_is_the_errors_own_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No such file"):
        files.content(tmp_path / "a")
    with pytest.raises(IsADirectoryError):
        files.mode(tmp_path)
