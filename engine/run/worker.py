"""What a worker is: it runs jobs, in this process (`local`) or in one of its own (`process`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from engine.run.events import Event
from engine.store.history import Job

EventHandler: TypeAlias = Callable[[Event], None]


class Worker(Protocol):
    """Runs jobs. One that can die is restarted by itself."""

    async def start(self) -> None:
        """Start in the background; returns at once, `run` may be called from then on."""
        ...

    def run(self, job: Job, on_event: EventHandler) -> None:
        """Start a job; `on_event` is called in the loop, last with `JobFinished` or `JobLost`."""
        ...

    async def cancel(self, job: str) -> None:
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
