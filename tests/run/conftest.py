"""An engine on a fresh home, with a worker in this process or in one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from engine.authoring.registry import Registry
from engine.authoring.spec import MISSING
from engine.run.engine import Engine
from engine.run.events import Event, JobFinished
from engine.run.local import LocalWorker
from engine.run.scheduler import QueueChanged
from engine.run.submission import Submission
from engine.run.worker_settings import WorkerTiming
from engine.store.cache_policy import CachePolicy
from engine.store.folders import Folders
from engine.store.history import HistoryEntry, Job
from tests import pack, patience

Prompt: TypeAlias = dict[str, Any]
Opener: TypeAlias = Callable[..., Awaitable["Bench"]]


class Bench:
    """An open engine and what it told."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.told: list[tuple[Job | None, Event | QueueChanged]] = []
        self._waiting: list[tuple[Callable[[str, Event], bool], asyncio.Future[None]]] = []
        engine.add_listener(self._hear)

    def _hear(self, job: Job | None, event: Event | QueueChanged) -> None:
        self.told.append((job, event))
        if job is None or isinstance(event, QueueChanged):
            return
        for wanted, future in self._waiting:
            if not future.done() and wanted(job.id, event):
                future.set_result(None)

    async def until(self, id: str, kind: type, node: str | None = None) -> None:
        """Wait until an event of this kind, and of this node, was told of a job."""

        def wanted(job: str, event: object) -> bool:
            right_node = node in (None, getattr(event, "node", None))
            return job == id and isinstance(event, kind) and right_node

        if any(wanted(id, event) for event in self.events(id)):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, future))
        await asyncio.wait_for(future, patience.SECONDS)

    async def queued(self, times: int) -> None:
        """Wait until the queue changed so often: a job is put, then it is taken."""
        async with asyncio.timeout(patience.SECONDS):
            while sum(isinstance(event, QueueChanged) for _, event in self.told) < times:  # noqa: ASYNC110 - a test may look again
                await asyncio.sleep(0.001)

    async def submit(self, prompt: Prompt, **more: Any) -> str:
        """Submit a prompt, return the job's id."""
        return (await self.engine.submit(Submission(prompt, **more))).id

    async def ended(self, id: str) -> HistoryEntry:
        """Wait for the end of a job."""
        await self.until(id, JobFinished)
        entry = await self.engine.history_entry(id)
        assert entry is not None, "the history is written before the end is told"
        return entry

    async def run(self, prompt: Prompt, **more: Any) -> HistoryEntry:
        """Submit and wait."""
        return await self.ended(await self.submit(prompt, **more))

    def events(self, id: str) -> list[Event]:
        """What was told of one job."""
        return [
            event
            for job, event in self.told
            if job is not None and job.id == id and not isinstance(event, QueueChanged)
        ]


def value_shown(source: dict[str, Any]) -> Prompt:
    """A prompt that shows what one node gives."""
    return {"1": source, "2": n("Show", value=["1", 0], log="")}


def n(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt."""
    return {"class_type": class_type, "inputs": inputs}


def whole(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt, with the defaults of what is not given."""
    return {"class_type": class_type, "inputs": {**defaults(class_type), **inputs}}


@cache
def defaults(class_type: str) -> dict[str, Any]:
    """The defaults of a node's required inputs."""
    spec = registry().get(class_type)
    inputs = spec.inputs if spec is not None else ()
    return {i.name: i.default for i in inputs if i.default is not MISSING and not i.optional}


def registry() -> Registry:
    """The nodes of the test pack alone."""
    made = Registry()
    made.add_pack(pack)
    return made


@pytest.fixture
async def local(tmp_path: Path) -> AsyncGenerator[Opener]:
    """Opens engines whose worker is in this process."""
    benches: list[Bench] = []

    async def open(home: Path | None = None, keeping: CachePolicy | None = None) -> Bench:
        nodes = registry()
        home = home or tmp_path / "home"
        home.mkdir(exist_ok=True)
        worker = LocalWorker(nodes, Folders(home), cache_policy=keeping)
        benches.append(Bench(await Engine.open(home, registry=nodes, worker=worker)))
        return benches[-1]

    yield open
    for bench in benches:
        await bench.engine.close()


@pytest.fixture
async def process(tmp_path: Path) -> AsyncGenerator[Opener]:
    """Opens engines whose worker is a process of its own."""
    benches: list[Bench] = []

    async def open(
        home: Path | None = None,
        keeping: CachePolicy | None = None,
        timing: WorkerTiming | None = None,
    ) -> Bench:
        home = home or tmp_path / "home"
        engine = await Engine.open(
            home, packs=["tests.pack"], cache_policy=keeping, preload=False, timing=timing
        )
        benches.append(Bench(engine))
        return benches[-1]

    yield open
    for bench in benches:
        await bench.engine.close()
