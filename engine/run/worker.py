"""What a worker is: it runs jobs, in this process (`local`) or in one of its own (`process`)."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from engine.run.events import Event
from engine.store.history import Job

EventHandler: TypeAlias = Callable[[Event], None]


class WorkerState(enum.Enum):
    """The life of a worker."""

    STARTING = "starting"
    """It was spawned, and loads node packs."""
    READY = "ready"
    """It runs jobs."""
    DRAINING = "draining"
    """It was killed; what it sent before is still received."""
    DEAD = "dead"
    """There is none; the next one is started soon."""


class WorkerStatus(Struct, frozen=True):
    """Whether a worker runs jobs now, and why not.

    Attributes:
        pid: of its process, where it has one of its own.
        failed_starts: how often it did not start, since it last did.
        paused: why it gets no jobs until it starts; None: it gets some.
    """

    state: WorkerState
    pid: int | None = None
    failed_starts: int = 0
    paused: str | None = None


def ignore_change() -> None:
    """For who does not want to know of changes."""


class Worker(Protocol):
    """Runs jobs. One that can die is restarted by itself."""

    @property
    def status(self) -> WorkerStatus:
        """Whether it runs jobs now, and why not."""
        ...

    async def start(
        self, on_change: Callable[[], None] = ignore_change
    ) -> asyncio.Task[None] | None:
        """Start in the background; returns at once, `run` may be called from then on.

        Args:
            on_change: called in the loop when `status` changes, before waiting jobs are begun.

        Returns:
            The task that keeps it running, if there is one; it never ends by itself.
        """
        ...

    def run(self, job: Job, on_event: EventHandler) -> None:
        """Start a job; `on_event` is called in the loop, last with `JobFinished` or `JobLost`."""
        ...

    def cancel(self, job: str) -> None:
        """Interrupt a job; it ends as "interrupted" unless it ends otherwise before."""
        ...

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Drop idle weights, and the results kept in memory."""
        ...

    async def facts(self) -> Mapping[str, Any]:
        """Versions, devices and their memory; empty while it is not up."""
        ...

    async def close(self) -> None:
        """Stop; jobs that still run are interrupted."""
        ...
