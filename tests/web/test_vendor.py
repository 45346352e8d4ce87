"""The players' libraries come from outside: only the pinned bytes are ever used."""

from __future__ import annotations

import importlib.util
import io
import tarfile

import pytest

from gateway.web import vendor
from gateway.web.statics import LIBRARIES


@pytest.fixture(params=vendor.LIBRARIES, ids=lambda library: library.name)
def library(request):
    return request.param


def test_another_archive_is_refused_and_nothing_is_written(tmp_path, library):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in library.wanted:
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(vendor.VendorWrong, match="not the pinned one"):
        library.unpack(packed.getvalue(), tmp_path / "vendor")
    (tmp_path / library.archive).write_bytes(packed.getvalue())
    with pytest.raises((vendor.VendorWrong, FileNotFoundError)):
        vendor.unpack_from(tmp_path, tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()


def test_it_is_read_by_its_path_alone():
    """As tools/install.py and the build do, before anything is installed."""
    spec = importlib.util.spec_from_file_location("read_by_path", vendor.__file__)
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    assert [one.package for one in alone.LIBRARIES] == [one.package for one in vendor.LIBRARIES]


def test_without_npm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(vendor.VendorMissing, match=r"^npm is not installed$"):
        vendor.fetch(tmp_path / "vendor")


def test_an_npm_that_fails_is_told_in_a_sentence_for_each(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nexit 7\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(vendor.VendorMissing, match=r"could not fetch hls.js@1.7.4; .*could not fetch shaka-player@5"):
        vendor.fetch(tmp_path / "vendor")


def test_what_is_there_is_not_fetched_again(tmp_path, monkeypatch):
    for library in vendor.LIBRARIES:
        for name in library.wanted.values():
            (tmp_path / name).write_text("x")
        (tmp_path / library.stamp).write_text(library.package)
    monkeypatch.setenv("PATH", "")
    vendor.fetch(tmp_path)
    (tmp_path / "hls.js.version").write_text("hls.js@1.0.0")
    assert [library.present(tmp_path) for library in vendor.LIBRARIES] == [False, True, True, True]
    with pytest.raises(vendor.VendorMissing):
        vendor.fetch(tmp_path)


def test_the_player_page_loads_what_is_fetched():
    fetched = {f"vendor/{name}" for library in vendor.LIBRARIES for name in library.wanted.values()}
    assert set(LIBRARIES.values()) < fetched
