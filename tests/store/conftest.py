"""What tests of the store share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from engine.store.db import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """A fresh database."""
    opened = await Database.open(tmp_path / "soundstage.db")
    yield opened
    await opened.close()
