"""An engine with the built-in nodes, its worker in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import nodes
from engine.authoring.registry import Registry
from engine.run.engine import Engine
from engine.run.events import JobFinished
from engine.run.local import LocalWorker
from engine.run.submission import Submission
from engine.store.folders import Folders
from engine.store.history import HistoryEntry

Prompt = dict[str, Any]


@dataclass
class Bench:
    """Runs prompts and looks at what they made."""

    engine: Engine
    home: Path

    async def run(self, *prompts: Prompt, **more: Any) -> list[HistoryEntry]:
        """Run prompts at the same time, with `more` beside each; how each ended."""
        ended: set[str] = set()
        changed = asyncio.Event()

        def hear(job: Any, event: Any) -> None:
            if job is not None and isinstance(event, JobFinished):
                ended.add(job.id)
                changed.set()

        stop = self.engine.add_listener(hear)
        extra: dict[str, Any] = {"extra_pnginfo": {"workflow": {"nodes": []}}, **more}
        ids = [(await self.engine.submit(Submission(p, extra=extra))).id for p in prompts]
        while not ended.issuperset(ids):
            await changed.wait()
            changed.clear()
        stop()
        entries = [await self.engine.history_entry(id) for id in ids]
        return [entry for entry in entries if entry is not None]

    def image(self, name: str) -> NDArray[np.float32]:
        """The first picture of that name: [H, W, C] in 0..1."""
        with Image.open(self.home / "output" / f"{name}_00001_.png") as file:
            return np.asarray(file, dtype=np.float32) / np.float32(255)


@asynccontextmanager
async def opened(home: Path, models: Path, *packs: ModuleType) -> AsyncGenerator[Bench]:
    """A bench on a home, with its models elsewhere, and with further packs of nodes."""
    registry = Registry()
    for pack in (nodes, *packs):
        registry.add_pack(pack)
    placed = {"models": models}
    worker = LocalWorker(registry, Folders(home, registry.bundled, placed))
    engine = await Engine.open(home, registry=registry, worker=worker, folder_overrides=placed)
    try:
        yield Bench(engine, home)
    finally:
        await engine.close()


def numbers(tensor: Any) -> Any:
    """The numbers of a tensor as nested lists; torch does not say that type."""
    return tensor.tolist()


def n(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt."""
    return {"class_type": class_type, "inputs": inputs}
