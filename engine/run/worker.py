"""What a worker is: it runs jobs, in this process (`local`) or in one of its own (`process`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from engine.run.events import Event
from engine.store.history import Job

Hear: TypeAlias = Callable[[Event], None]


class Worker(Protocol):
    """Runs jobs. Where it can die, it comes back by itself."""

    async def start(self) -> None:
        """Get ready; returns at once, jobs may be given from then on."""
        ...

    def run(self, job: Job, hear: Hear) -> None:
        """Start a job; `hear` gets its events in the event loop, the last is `Ended` or `Lost`."""
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
