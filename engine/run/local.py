"""A worker in this process: lanes in threads, everything else in the event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.authoring.backend import Backend, CpuBackend
from engine.authoring.registry import Registry
from engine.devices.lanes import Lane, Lanes
from engine.devices.residency import Residency
from engine.run.context import WorkerContext
from engine.run.events import Event, JobFinished, now_ms
from engine.run.executor import JobRun
from engine.run.outbox import EventSink
from engine.run.worker import EventHandler, WorkerState, WorkerStatus, ignore_change
from engine.run.worker_settings import GRACE_SECONDS
from engine.store.anonymous_files import AnonymousFiles
from engine.store.cache import Cache
from engine.store.cache_policy import CachePolicy
from engine.store.folders import Folders
from engine.store.history import Failure, Job
from engine.store.outputs import Outputs
from engine.store.step_log import StepLogs

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


def log_held(job: str) -> None:
    """Log that a thread is lost, where no process can be replaced."""
    log.error("a node of job %s has not returned since the job ended; its lane is lost", job)


class LocalWorker:
    """Runs jobs in this process: lanes in threads, everything else in the event loop.

    Args:
        registry: the nodes there are.
        folders: the home.
        budgets: what it may keep; shares of the machine by default.
        cache_policy: which results it keeps of those.
        preload: do slow imports at once, in place of when a job first needs them.
        grace_seconds: how long a node may go on after its job has ended.
        on_held: called in the loop with the id of a job of which a node went on for longer.
    """

    def __init__(
        self,
        registry: Registry,
        folders: Folders,
        budgets: Budgets | None = None,
        cache_policy: CachePolicy | None = None,
        *,
        preload: bool = True,
        grace_seconds: float = GRACE_SECONDS,
        on_held: Callable[[str], None] = log_held,
    ) -> None:
        self._registry = registry
        self._folders = folders
        self._budgets = budgets
        self._cache_policy = cache_policy or CachePolicy()
        self._preload = preload
        self._grace_seconds = grace_seconds
        self._on_held = on_held
        self._jobs: dict[str, JobRun | asyncio.Task[None]] = {}
        self._ready: asyncio.Task[_Runtime] | None = None
        self._runtime: _Runtime | None = None
        self._loop: asyncio.AbstractEventLoop

    @property
    def status(self) -> WorkerStatus:
        """Jobs may come at any time; they wait until the devices are found."""
        return WorkerStatus(WorkerState.READY)

    async def start(self, on_change: Callable[[], None] = ignore_change) -> None:
        """Find the devices in the background; `status` never changes."""
        del on_change
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_task(self._initialise())

    def run(self, job: Job, on_event: EventHandler) -> None:
        """Start a job."""

        def handle_all(events: list[Event]) -> None:
            for event in events:
                on_event(event)

        def emit(events: list[Event]) -> None:
            self._loop.call_soon_threadsafe(handle_all, events)

        self.begin(job, emit)

    def begin(self, job: Job, on_events: EventSink, *, run_inline: bool = False) -> None:
        """Start a job, from any thread; `on_events` is called in the thread of each event.

        With `run_inline` the quick nodes that it begins with run before this returns.
        """
        if self._runtime is not None:
            self._start(self._runtime.context, job, on_events, run_inline)
        else:
            self._loop.call_soon_threadsafe(self._wait, job, on_events)

    def _wait(self, job: Job, on_events: EventSink) -> None:
        task = self._loop.create_task(self._start_later(job, on_events))
        self._jobs[job.id] = task
        task.add_done_callback(partial(self._emit_if_not_started, job, on_events))

    def _start(
        self,
        context: WorkerContext,
        job: Job,
        on_events: EventSink,
        run_inline: bool = False,
    ) -> None:
        run = JobRun(context, job, on_events, on_closed=partial(self._on_closed, job.id))
        self._jobs[job.id] = run
        run.begin(run_inline)

    def _on_closed(self, job: str, nodes_may_run: bool) -> None:
        run = self._jobs.pop(job, None)
        if nodes_may_run and isinstance(run, JobRun):
            check = partial(self._check_released, job, run)
            with suppress(RuntimeError):  # the event loop is closed
                self._loop.call_soon_threadsafe(self._loop.call_later, self._grace_seconds, check)

    def _check_released(self, job: str, run: JobRun) -> None:
        if run.holds_thread():
            self._on_held(job)

    async def _start_later(self, job: Job, on_events: EventSink) -> None:
        self._start((await self._initialised()).context, job, on_events)

    def _emit_if_not_started(
        self, job: Job, on_events: EventSink, starting: asyncio.Task[None]
    ) -> None:
        """Emit the end of a job that could not start."""
        if starting.cancelled() or starting.exception() is not None:
            del self._jobs[job.id]
            on_events([start_failure(starting)])

    def flush(self) -> None:
        """Send the queued events of all jobs now."""
        for running in [*self._jobs.values()]:
            if isinstance(running, JobRun):
                running.flush()

    def cancel(self, job: str) -> None:
        """Interrupt a job."""
        if job in self._jobs:
            self._jobs[job].cancel()

    async def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Drop idle weights, and the results kept in memory."""
        runtime = await self._initialised()
        if free_memory:
            runtime.context.cache.clear_memory()
        if unload_models or free_memory:
            runtime.residency.unload_idle()
            await asyncio.to_thread(runtime.backend.release)

    async def facts(self) -> Mapping[str, Any]:
        """Versions, devices and their memory; empty while the devices are being found."""
        if self._runtime is None:
            return {}
        backend = self._runtime.backend
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
        """Interrupt what runs, which will run again; end the lanes."""
        if self._runtime is not None:
            self._runtime.context.lanes.stop()
        for running in [*self._jobs.values()]:
            running.cancel()
        if self._ready is not None:
            runtime = await self._ready
            await asyncio.to_thread(runtime.context.lanes.close)
            await asyncio.to_thread(runtime.context.step_logs.close)
            await asyncio.to_thread(runtime.context.disk.shutdown)
            runtime.context.outputs.close()
            runtime.context.cache.close()
            if runtime.preloading is not None:
                await asyncio.to_thread(runtime.preloading.join)

    async def wait_until_ready(self) -> None:
        """Wait until the devices are found.

        Raises:
            Exception: why they are not.
        """
        await self._initialised()

    async def _initialised(self) -> _Runtime:
        if self._ready is None:
            await self.start()
        assert self._ready is not None, "start() sets it"
        return await asyncio.shield(self._ready)

    async def _initialise(self) -> _Runtime:
        budgets = self._budgets or Budgets.of_machine(self._folders)
        backend = await asyncio.to_thread(self._registry.backend)
        weights = {name: backend.memory(name)[1] * 9 // 10 for name in backend.accelerators()}
        residency = Residency({**weights, "cpu": budgets.weights})
        cache = Cache(
            self._folders.home / "cache.db",
            self._registry.codecs,
            memory_bytes=budgets.results_memory,
            disk_bytes=budgets.results_disk,
            policy=self._cache_policy,
        )
        names = [*backend.accelerators(), *["cpu"] * CPU_LANES]
        lanes = Lanes([Lane(f"lane {n} {name}", name, residency) for n, name in enumerate(names)])
        outputs = Outputs(self._folders, cache.connection, AnonymousFiles())
        log.info("ready on %s (pid %d, Python %s)", ", ".join(names), os.getpid(), sys.version)
        environment = f"{platform.python_version()} {platform.machine()} {backend.facts()}"
        step_logs = StepLogs(self._folders.home / "step_logs", self._registry.codecs, environment)
        context = WorkerContext(
            self._registry, self._folders, cache, outputs, lanes, self._loop, step_logs
        )
        preloading: threading.Thread | None = None
        if self._preload:
            preloading = threading.Thread(
                target=preload, args=(backend,), name="preload", daemon=True
            )
            preloading.start()
        self._runtime = _Runtime(context, residency, backend, preloading)
        return self._runtime


def preload(backend: Backend) -> None:
    """Do the slow imports now; what fails here fails again in the job that needs it."""
    try:
        backend.warm()
    except Exception:
        log.exception("the worker could not import all that it may need")


def start_failure(task: asyncio.Task[None]) -> JobFinished:
    """The end of a job that did not start: interrupted, or the worker is broken."""
    if task.cancelled():
        return JobFinished("interrupted", now_ms())
    error = task.exception()
    log.error("a job could not start", exc_info=error)
    return JobFinished(
        "error", now_ms(), Failure("", "", f"the worker cannot run: {error}", "Error")
    )


@dataclass(frozen=True)
class _Runtime:
    """What `LocalWorker` makes when it starts."""

    context: WorkerContext
    residency: Residency
    backend: Backend
    preloading: threading.Thread | None
