"""What most of these tests stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.running import Running
from tests.system.stage import Media, media_server, running_worker, write_config


@pytest.fixture
async def media() -> AsyncIterator[Media]:
    async with media_server() as media:
        yield media


@pytest.fixture
async def gateway(tmp_path: Path, media: Media) -> AsyncIterator[Running]:
    """With deadlines of a second towards the media server; `on_revoke: drain`."""
    write_config(tmp_path, media, server="    timeouts: {answer: 1s, connect: 1s}\n")
    async with running_worker(tmp_path) as running:
        yield running
