"""A worker in this process: lanes in threads, everything else in the event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.authoring.backend import Backend, CpuBackend
from engine.authoring.registry import Registry
from engine.devices.lanes import Lane, Lanes
from engine.devices.residency import Residency
from engine.run.call import Bench
from engine.run.events import Ended, Event, now_ms
from engine.run.executor import JobRun
from engine.run.loop import Tell
from engine.run.worker import Hear
from engine.store.anonymous_files import AnonymousFiles
from engine.store.cache import Cache
from engine.store.cache_policy import CachePolicy
from engine.store.folders import Folders
from engine.store.history import Failure, Job
from engine.store.outputs import Outputs

log = logging.getLogger(__name__)

CPU_LANES = 2


@dataclass(frozen=True)
class Budgets:
    """Bytes a worker may keep; shares of the machine's memory where nothing is said.

    Attributes:
        results_memory: results of nodes, in memory.
        results_disk: results of nodes, on disk.
        weights: loaded weights on the CPU.
    """

    results_memory: int
    results_disk: int
    weights: int

    @classmethod
    def of_machine(cls, folders: Folders) -> Budgets:
        """A tenth of the memory for results, half of it for weights, a tenth of the free disk."""
        total, _ = CpuBackend().memory("cpu")
        free_disk = shutil.disk_usage(folders.home).free
        return cls(total // 10, min(free_disk // 10, 20 * 2**30), total // 2)


class LocalWorker:
    """Runs jobs in this process: lanes in threads, everything else in the event loop.

    Args:
        registry: the nodes there are.
        folders: the home.
        budgets: what it may keep; shares of the machine by default.
        keeping: which results it keeps of those.
    """

    def __init__(
        self,
        registry: Registry,
        folders: Folders,
        budgets: Budgets | None = None,
        keeping: CachePolicy | None = None,
    ) -> None:
        self._registry = registry
        self._folders = folders
        self._budgets = budgets
        self._keeping = keeping or CachePolicy()
        self._jobs: dict[str, JobRun | asyncio.Task[None]] = {}
        self._ready: asyncio.Task[_Equipment] | None = None
        self._equipped: _Equipment | None = None
        self._loop: asyncio.AbstractEventLoop

    async def start(self) -> None:
        """Find the devices in the background."""
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_task(self._equip())

    def run(self, job: Job, hear: Hear) -> None:
        """Start a job."""

        def hear_all(events: list[Event]) -> None:
            for event in events:
                hear(event)

        def tell(events: list[Event]) -> None:
            self._loop.call_soon_threadsafe(hear_all, events)

        self.begin(job, tell)

    def begin(self, job: Job, tell: Tell, *, runs_quick: bool = False) -> None:
        """Start a job, from any thread; its events are told in whichever they happen.

        With `runs_quick` the quick nodes that it begins with run before this returns.
        """
        if self._equipped is not None:
            self._start(self._equipped.bench, job, tell, runs_quick)
        else:
            self._loop.call_soon_threadsafe(self._wait, job, tell)

    def _wait(self, job: Job, tell: Tell) -> None:
        task = self._loop.create_task(self._start_later(job, tell))
        self._jobs[job.id] = task
        task.add_done_callback(partial(self._tell_if_early, job, tell))

    def _start(self, bench: Bench, job: Job, tell: Tell, runs_quick: bool = False) -> None:
        run = JobRun(bench, job, tell, over=partial(self._jobs.pop, job.id, None))
        self._jobs[job.id] = run
        run.begin(runs_quick)

    async def _start_later(self, job: Job, tell: Tell) -> None:
        self._start((await self._equipment()).bench, job, tell)

    def _tell_if_early(self, job: Job, tell: Tell, starting: asyncio.Task[None]) -> None:
        """Tell of the end of a job that could not start."""
        if starting.cancelled() or starting.exception() is not None:
            del self._jobs[job.id]
            tell([ended_early(starting)])

    def flush(self) -> None:
        """Tell now what there is to tell of jobs."""
        for running in [*self._jobs.values()]:
            if isinstance(running, JobRun):
                running.flush()

    async def cancel(self, job: str) -> None:
        """Interrupt a job."""
        if job in self._jobs:
            self._jobs[job].cancel()

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Drop idle weights, and the results kept in memory."""
        equipment = await self._equipment()
        if free_memory:
            equipment.bench.cache.clear_memory()
        if unload_models or free_memory:
            equipment.residency.unload_idle()
            await asyncio.to_thread(equipment.backend.release)

    async def facts(self) -> Mapping[str, Any]:
        """Versions, devices and their memory; empty while the devices are being found."""
        if self._equipped is None:
            return {}
        backend = self._equipped.backend
        devices = [
            {"name": name, "memory": backend.memory(name)}
            for name in (*backend.accelerators(), "cpu")
        ]
        return {
            "devices": devices,
            "python": platform.python_version(),
            "failures": self._registry.failures,
            **backend.facts(),
        }

    async def close(self) -> None:
        """Interrupt what runs, end the lanes."""
        for running in [*self._jobs.values()]:
            running.cancel()
        if self._ready is not None:
            equipment = await self._ready
            await asyncio.to_thread(equipment.bench.lanes.close)
            equipment.bench.outputs.close()
            equipment.bench.cache.close()
            await asyncio.to_thread(equipment.warming.join)

    async def _equipment(self) -> _Equipment:
        if self._ready is None:
            await self.start()
        assert self._ready is not None, "start() sets it"
        return await asyncio.shield(self._ready)

    async def _equip(self) -> _Equipment:
        budgets = self._budgets or Budgets.of_machine(self._folders)
        backend = await asyncio.to_thread(self._registry.backend)
        weights = {name: backend.memory(name)[1] * 9 // 10 for name in backend.accelerators()}
        residency = Residency({**weights, "cpu": budgets.weights})
        cache = Cache(
            self._folders.home / "cache.db",
            self._registry.codecs,
            memory_bytes=budgets.results_memory,
            disk_bytes=budgets.results_disk,
            policy=self._keeping,
        )
        names = [*backend.accelerators(), *["cpu"] * CPU_LANES]
        lanes = Lanes([Lane(f"lane {n} {name}", name, residency) for n, name in enumerate(names)])
        outputs = Outputs(self._folders, cache.connection, AnonymousFiles())
        log.info("ready on %s (pid %d, Python %s)", ", ".join(names), os.getpid(), sys.version)
        bench = Bench(self._registry, self._folders, cache, outputs, lanes, self._loop)
        warming = threading.Thread(target=warm, args=(backend,), name="warm", daemon=True)
        warming.start()
        self._equipped = _Equipment(bench, residency, backend, warming)
        return self._equipped


def warm(backend: Backend) -> None:
    """Do the slow imports now; what fails here fails again in the job that needs it."""
    try:
        backend.warm()
    except Exception:
        log.exception("the worker could not import all that it may need")


def ended_early(task: asyncio.Task[None]) -> Ended:
    """The end of a job that ended before it could say so: interrupted, or the worker is broken."""
    if task.cancelled():
        return Ended("interrupted", now_ms())
    error = task.exception()
    log.error("a job could not start", exc_info=error)
    return Ended("error", now_ms(), Failure("", "", f"the worker cannot run: {error}", "Error"))


@dataclass(frozen=True)
class _Equipment:
    """What `LocalWorker` finds when it starts."""

    bench: Bench
    residency: Residency
    backend: Backend
    warming: threading.Thread
