"""Takes jobs from the queue, gives them to the worker, brings their outcome home."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import Struct

from engine.authoring.errors import SoundstageError, WorkerLost
from engine.run.events import Ended, Event, NodeShown, Started
from engine.run.executor import now_ms
from engine.run.worker import Worker
from engine.store.history import Failure, Job, Outcome
from engine.store.queue import Queue

log = logging.getLogger(__name__)

JOBS_AT_ONCE = 4
DEADLY_ATTEMPTS = 2


class QueueChanged(Struct, frozen=True):
    """A job was put, taken or finished; `remaining` wait or run."""

    remaining: int


Listener: TypeAlias = Callable[[Job | None, Event | QueueChanged], None]


class Scheduler:
    """Keeps the worker busy with the queue's next jobs.

    Several jobs run at once, so that lanes never idle and steps of many users meet. A job that
    was running when a worker died is tried once more, alone; if the worker dies again, it is
    this job's doing and the job fails with that reason.
    """

    def __init__(self, queue: Queue, worker: Worker, tell: Listener) -> None:
        self._queue = queue
        self._worker = worker
        self._tell = tell
        self._running: dict[str, asyncio.Task[None]] = {}
        self._suspect = False
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop().create_task(self._serve())

    def wake(self) -> None:
        """There may be a job to start."""
        self._wake.set()

    @property
    def running(self) -> list[str]:
        """Ids of the jobs that run."""
        return [*self._running]

    async def close(self) -> None:
        """Take no more jobs and leave those that run; they start again with the next engine."""
        tasks = [self._loop, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self) -> None:
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while not self._suspect and len(self._running) < JOBS_AT_ONCE:
                job = await self._queue.claim(alone=not self._running)
                if job is None:
                    break
                self._suspect = job.attempts > 0
                self._tell(None, QueueChanged(self._queue.remaining))
                task = asyncio.get_running_loop().create_task(self._run(job))
                self._running[job.id] = task

    async def _run(self, job: Job) -> None:
        try:
            await self._follow(job)
        except WorkerLost as lost:
            await self._worker_lost(job, lost)
        except Exception:
            log.exception("job %s could not be followed", job.id)
            await self._finish(job, Record(job), self._failed("its events could not be read"))
        finally:
            del self._running[job.id]
            self._suspect = False
            self._wake.set()

    async def _follow(self, job: Job) -> None:
        record = Record(job)
        async for event in self._worker.run(job):
            record.add(event)
            if isinstance(event, Ended):
                await self._finish(job, record, event)
            else:
                self._tell(job, event)

    async def _worker_lost(self, job: Job, lost: WorkerLost) -> None:
        attempts = job.attempts + 1
        if attempts < DEADLY_ATTEMPTS:
            log.warning("%s; the job starts again, alone", lost)
            await self._queue.give_back(job, attempts=attempts)
            return
        text = (
            f"the worker process died {attempts} times while it ran this job, so the job is not "
            "tried again; it may need more memory than there is, or a model file may be broken"
        )
        await self._finish(job, Record(job), self._failed(text, WorkerLost.__name__))

    def _failed(self, text: str, exception: str = "RuntimeError") -> Ended:
        return Ended("error", now_ms(), Failure("", "", text, exception))

    async def _finish(self, job: Job, record: Record, ended: Ended) -> None:
        """History first: whoever hears of the end can read it there."""
        try:
            await self._queue.finish(job, record.outcome(ended))
        except SoundstageError as error:
            log.exception("the end of job %s could not be written", job.id)
            ended = self._failed(f"its end could not be written: {error}", "StoreError")
        self._tell(job, ended)
        self._tell(None, QueueChanged(self._queue.remaining))


class Record:
    """Gathers what the history keeps of a job's events."""

    def __init__(self, job: Job) -> None:
        self._started = Started([], now_ms())
        self._shown: dict[str, dict[str, list[Any]]] = {}

    def add(self, event: Event) -> None:
        """Note an event."""
        match event:
            case Started():
                self._started = event
            case NodeShown():
                self._shown[event.node] = event.shown
            case _:
                pass

    def outcome(self, ended: Ended) -> Outcome:
        """How the job ended."""
        return Outcome(
            status=ended.status,
            started=self._started.at,
            ended=ended.at,
            cached=self._started.cached,
            shown=self._shown,
            failure=ended.failure,
        )
