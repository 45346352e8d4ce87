"""hls.js comes from outside: only the pinned bytes are ever used."""

from __future__ import annotations

import io
import tarfile

import pytest

from gateway.web import vendor


def test_another_archive_is_refused_and_nothing_is_written(tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/dist/hls.min.js")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(vendor.VendorWrong, match="not the pinned one"):
        vendor.unpack(packed.getvalue(), tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()


def test_without_npm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(vendor.VendorMissing, match="npm is not installed"):
        vendor.fetch(tmp_path / "vendor")


def test_an_npm_that_fails_is_told_in_a_sentence(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nexit 7\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(vendor.VendorMissing, match=r"could not fetch hls.js@1.7.4"):
        vendor.fetch(tmp_path / "vendor")


def test_what_is_there_is_not_fetched_again(tmp_path, monkeypatch):
    for name, content in {"hls.min.js": "x", "hls.js-LICENSE.txt": "x", "hls.js.version": vendor.PACKAGE}.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("PATH", "")
    vendor.fetch(tmp_path)
    (tmp_path / "hls.js.version").write_text("hls.js@1.0.0")
    assert not vendor.present(tmp_path)
