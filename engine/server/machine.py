"""The machine, as the server process and its worker see it."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from engine.run.engine import Engine

PATIENCE_SECONDS = 0.1


@dataclass(frozen=True)
class Machine:
    """The machine now; memory in bytes, 0 where the system does not report it."""

    version: str
    os: str
    python: str
    memory: int
    memory_free: int


class WorkerFacts:
    """What the worker knows of devices: fresh, or as it last said while it is busy."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._last: Mapping[str, Any] = {}
        self._asking: asyncio.Task[None] | None = None

    async def now(self) -> Mapping[str, Any]:
        """Versions and devices; empty before the worker is up. Never waits for long."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.wait({self._asking}, timeout=PATIENCE_SECONDS if self._last else 0)
        return self._last

    async def _ask(self) -> None:
        self._last = await self._engine.worker_facts() or self._last


def look() -> Machine:
    """The machine as it is now."""
    page = _sysconf("SC_PAGE_SIZE")
    return Machine(
        version=_version(),
        os=os.name,
        python=platform.python_version(),
        memory=page * _sysconf("SC_PHYS_PAGES"),
        memory_free=page * _sysconf("SC_AVPHYS_PAGES"),
    )


@cache
def _version() -> str:
    """Of this package; its metadata is read once, as there may be no handle for a file later."""
    return version("soundstage")


def _sysconf(name: str) -> int:
    try:
        return os.sysconf(name)
    except (AttributeError, OSError, ValueError):
        return 0
