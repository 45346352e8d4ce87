"""The texts of config.yaml one by one; how their faults read is tested in test_config_file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import config_texts as texts


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("1h30m", 5_400), (10, 10), (0, 0)],
)
def test_durations(written: object, seconds: int) -> None:
    assert texts.duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["", "h", "1 h", "1m1h", "1w", "-1s", "1.5h", -1, True, 2.5, None])
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        texts.duration(written)


@given(st.integers(min_value=0, max_value=10**8))
def test_a_shown_duration_reads_back(seconds: int) -> None:
    value = timedelta(seconds=seconds)
    assert texts.duration(texts.show_duration(value)) == value


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://Guest.Example.org", "https://guest.example.org"),
        ("https://guest.example.org:443/", "https://guest.example.org"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[0:0::1]:80", "http://[::1]"),
        ("http://media_server:8096", "http://media_server:8096"),
    ],
)
def test_origins(written: str, shown: str) -> None:
    assert str(texts.origin(written)) == shown


@pytest.mark.parametrize(
    "written",
    ["https://", "https:///x", "https://a b", "https://a?", "https://a#", "https://a\\b", "https://a:x", "https://[::1",
     "https://[1.2.3.4]", "https://-a", "https://a..b", "//a", "https://u@a", "https://a:80:80", "https://0x7f.1"],
)  # fmt: skip
def test_what_is_no_origin(written: str) -> None:
    with pytest.raises(ValueError, match="must"):
        texts.origin(written)


def test_stores() -> None:
    for url in (
        "embedded",
        "redis://127.0.0.1",
        "rediss://:pw@cache.example.org:6380/1",
        "unix:///run/valkey.sock?db=1",
        "redis+sentinel://a:26379,b:26379/mymaster",
        "redis+cluster://a:7000,b:7001",
    ):
        assert texts.store_url(url) == url


def test_a_secret_file_must_be_text_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff" * 40)
    (tmp_path / "bytes").chmod(0o600)
    with pytest.raises(ValueError, match="is not text"):
        texts.key("file:bytes", tmp_path)
    with pytest.raises(ValueError, match="can't be read: Is a directory"):
        texts.key("file:.", tmp_path)
