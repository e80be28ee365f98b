"""What tests of the cache share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.store.cache import INLINE_BYTES, Cache, NodeResult

SLOW, QUICK = 1.0, 0.0
BIG = b"b" * (INLINE_BYTES + 1)

Opener = Callable[..., Cache]


def result(value: Any, **shown: list[Any]) -> NodeResult:
    return NodeResult([[value]], shown or None)


def put(cache: Cache, key: str, result: NodeResult, seconds: float) -> None:
    """Keep a result as an executor does."""
    cache.put(key, result)
    if cache.should_save(result, seconds):
        cache.save(key, result)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cache").iterdir())
