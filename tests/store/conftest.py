"""What tests of the store share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.store.cache import Cache
from engine.store.cache_policy import CachePolicy
from engine.store.db import Database
from tests.store.caching import Opener
from tests.store.test_codecs import CODECS


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """A fresh database."""
    opened = await Database.open(tmp_path / "soundstage.db")
    yield opened
    await opened.close()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Opener]:
    """Opens one cache after the other over the same file, as restarts do."""
    opened: list[Cache] = []

    def open(
        memory: int = 10**6,
        disk: int = 10**6,
        codecs: Any = CODECS,
        keeping: CachePolicy | None = None,
    ) -> Cache:
        if opened:
            opened[-1].close()
        path = tmp_path / "cache.db"
        kept = Cache(
            path, codecs, memory_bytes=memory, disk_bytes=disk, policy=keeping or CachePolicy()
        )
        opened.append(kept)
        return kept

    yield open
    for used in opened:
        used.close()
