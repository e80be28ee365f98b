"""Model handles without models, and lanes that really run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine import Step
from engine.devices.lanes import AnswerLog, Lane, Task
from engine.devices.residency import Residency
from tests import patience


@dataclass
class Weights:
    """What a `Model` loads."""

    device: str
    applied: str = ""


@dataclass
class Model:
    """A handle: weights called `base`, patched as `patch` says.

    Attributes:
        loads: each device it was loaded to.
        fault: raised by load or bind, the first time.
    """

    base: str
    patch: str = ""
    size: int = 100
    loads: list[str] = field(default_factory=list[str])
    load_fault: Exception | None = None
    bind_fault: Exception | None = None
    bound: Weights | None = None

    @property
    def key(self) -> str:
        return f"{self.base}|{self.patch}"

    def nbytes(self, device: str) -> int:
        return self.size

    def load(self, device: str) -> Weights:
        self.loads.append(device)
        fault, self.load_fault = self.load_fault, None
        if fault is not None:
            raise fault
        return Weights(device)

    def bind(self, loaded: Weights) -> None:
        loaded.applied = "half of it"
        fault, self.bind_fault = self.bind_fault, None
        if fault is not None:
            raise fault
        loaded.applied = self.patch
        self.bound = loaded


Call = Callable[[str], Any]


@dataclass
class Submitted:
    """A task, and what will become of it."""

    task: Task
    future: asyncio.Future[Any]


class Jobs:
    """One lane, and what it is asked to do."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane

    def start(
        self,
        call: Call,
        *models: Model,
        on_step: Callable[[Step], None] = lambda step: None,
        on_start: Callable[[], None] = lambda: None,
        lane: Lane | None = None,
        open_log: Callable[[str], AnswerLog | None] = lambda _: None,
    ) -> Submitted:
        """Submit a call."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: Exception | None) -> None:
            if error is None:
                loop.call_soon_threadsafe(future.set_result, result)
            else:
                loop.call_soon_threadsafe(future.set_exception, error)

        task = Task(
            call=call,
            handles=models,
            cancelled=threading.Event(),
            on_start=on_start,
            on_step=on_step,
            on_end=settle,
            open_log=open_log,
        )
        (lane or self.lane).submit(task)
        return Submitted(task, future)

    async def run(self, call: Call, *models: Model, **more: Any) -> Any:
        """Submit a call and wait for its result."""
        return await result(self.start(call, *models, **more))

    async def works(self) -> bool:
        """Whether the lane still does what it is told."""
        return await self.run(lambda device: device) == self.lane.device


class Reached:
    """Hears of steps, and can be waited for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def __call__(self, step: Step) -> None:
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Until there was a step."""
        await asyncio.wait_for(self._event.wait(), patience.SECONDS)


async def result(submitted: Submitted) -> Any:
    """What became of a task."""
    return await asyncio.wait_for(submitted.future, patience.SECONDS)


@pytest.fixture
async def jobs() -> AsyncGenerator[Jobs]:
    """A lane of its own."""
    lane = Lane("lane", "cpu", Residency({"cpu": 1000}))
    lane.start()
    yield Jobs(lane)
    lane.close()


def steps(
    count: int,
    notes: list[str] | None = None,
    name: str = "",
    *,
    key: object = None,
    answer: Callable[[list[Any]], Sequence[Any]] | None = None,
) -> Callable[[str], Generator[Step, Any, list[Any]]]:
    """A long call: notes every step, collects the answers."""

    def call(device: str) -> Generator[Step, Any, list[Any]]:
        found: list[Any] = []
        for index in range(count):
            if notes is not None:
                notes.append(f"{name}{index}")
            step = Step(index, count, key=key, inputs=f"{name}{index}", answer=answer)  # pyright: ignore[reportArgumentType] - also keys that are wrong
            found.append((yield step))
        return found

    return call
