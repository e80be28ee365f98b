"""An engine with the built-in nodes, pictures to work on, the reference."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import torch

from tests.models.bench import Bench, opened


@pytest.fixture(autouse=True, scope="session")
def two_threads() -> None:
    """Leave room for whoever else uses this machine."""
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def reference(shared: Path) -> Path:
    """Reference numbers and pictures."""
    return shared / "reference"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    """An engine on a fresh home."""
    async with opened(tmp_path / "home", tmp_path / "models") as made:
        yield made
