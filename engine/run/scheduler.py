"""Claims jobs from the queue, runs them on the worker, stores their results."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from engine.authoring.errors import SoundstageError
from engine.run.events import (
    Event,
    JobFinished,
    JobLost,
    JobStarted,
    NodeExpanded,
    NodeFinished,
    NodeLoaded,
    NodeOutput,
    NodeStarted,
    now_ms,
)
from engine.run.worker import Worker
from engine.store.history import Failure, Job, JobResult, Span
from engine.store.queue import Queue

log = logging.getLogger(__name__)

MAX_RUNNING_JOBS = 4
MAX_ATTEMPTS = 2


class QueueChanged(Struct, frozen=True):
    """A job was put, taken or finished, or several were removed; `remaining` wait or run."""

    remaining: int


Listener: TypeAlias = Callable[[Job | None, Event | QueueChanged], None]


class Scheduler:
    """Keeps the worker busy with the queue's next jobs.

    Several jobs run at once, so that lanes never idle and steps of many users are batched. A job
    that was running when a worker died is quarantined: tried once more, exclusively; if the worker
    dies again, the job fails with that reason.
    """

    def __init__(self, queue: Queue, worker: Worker, emit: Listener) -> None:
        self._queue = queue
        self._worker = worker
        self._emit = emit
        self._records: dict[str, RunRecord] = {}
        self._quarantined = False
        self._closed = False

    def submit(self, job: Job) -> None:
        """Commit a job; it starts when its turn comes, perhaps at once.

        Raises:
            DuplicateJob: its id is taken.
        """
        at_once = self._has_room and not self._queue.waiting
        self._queue.put(job, claimed=at_once)
        self._emit(job, QueueChanged(self._queue.remaining))
        if at_once:
            self._start(job)
        else:
            self.wake()

    def wake(self) -> None:
        """Start the jobs that may start."""
        while self._has_room:
            try:
                job = self._queue.claim(exclusive=not self._records)
            except SoundstageError:
                log.exception("no job can be taken from the queue")
                return
            if job is None:
                return
            self._start(job)

    @property
    def _has_room(self) -> bool:
        return not self._closed and not self._quarantined and len(self._records) < MAX_RUNNING_JOBS

    def _start(self, job: Job) -> None:
        self._quarantined = job.attempts > 0
        self._records[job.id] = RunRecord(job)
        self._emit(job, QueueChanged(self._queue.remaining))
        self._worker.run(job, partial(self._on_event, job))

    @property
    def running(self) -> dict[str, int]:
        """Ids of the jobs that run, and when each began, ms since 1970."""
        return {id: record.started.at for id, record in self._records.items()}

    def record(self, job: str) -> RunRecord | None:
        """The record of a running job so far; None for other jobs."""
        return self._records.get(job)

    def close(self) -> None:
        """Take no more jobs and leave those that run; they start again with the next engine."""
        self._closed = True

    def _on_event(self, job: Job, event: Event) -> None:
        """Handle an event of a running job; the last one makes room for the next job."""
        if self._closed:
            return
        record = self._records[job.id]
        try:
            match event:
                case JobFinished():
                    self._finish(job, record, event)
                case JobLost():
                    self._worker_lost(job, event)
                case _:
                    record.add(event)
                    self._emit(job, event)
        except Exception:
            log.exception("an event of job %s could not be handled", job.id)
        if isinstance(event, JobFinished | JobLost):
            del self._records[job.id]
            self._quarantined = False
            self.wake()

    def _worker_lost(self, job: Job, lost: JobLost) -> None:
        attempts = job.attempts + 1
        if attempts < MAX_ATTEMPTS:
            log.warning("%s; job %s starts again, exclusively", lost.reason, job.id)
            self._queue.requeue(job, attempts=attempts)
            return
        text = (
            f"the worker process died {attempts} times while it ran this job, so the job is not "
            "tried again; it may need more memory than there is, or a model file may be broken"
        )
        self._finish(job, RunRecord(job), self._failed(text, "WorkerLost"))

    def _failed(self, text: str, exception: str = "RuntimeError") -> JobFinished:
        return JobFinished("error", now_ms(), Failure("", "", text, exception))

    def _finish(self, job: Job, record: RunRecord, ended: JobFinished) -> None:
        """Write the history first: a client that receives the end can read it there."""
        try:
            self._queue.finish(job, record.result(ended))
        except SoundstageError as error:
            log.exception("the end of job %s could not be written", job.id)
            ended = self._failed(f"its end could not be written: {error}", "StoreError")
        self._emit(job, ended)
        self._emit(job, QueueChanged(self._queue.remaining))


class RunRecord:
    """Collects from a job's events what the history keeps.

    Attributes:
        started: when it began, and what was cached.
        spans: when each node ran that did.
        shown: by output node what it shows.
    """

    def __init__(self, job: Job) -> None:
        self.started = JobStarted([], now_ms())
        self.spans: dict[str, Span] = {}
        self.shown: dict[str, dict[str, list[Any]]] = {}
        self._display: dict[str, str] = {}

    def add(self, event: Event) -> None:
        """Record an event."""
        match event:
            case JobStarted():
                self.started = event
            case NodeStarted(node, lane, at):
                self.spans[node] = Span(lane, at)
            case NodeFinished(node, seconds=seconds) if node in self.spans:
                self.spans[node].seconds = seconds
            case NodeLoaded(node, seconds) if node in self.spans:
                self.spans[node].loading += seconds
            case NodeOutput():
                self.shown[event.node] = event.shown
            case NodeExpanded():
                self._display |= event.display
            case _:
                pass

    def result(self, ended: JobFinished) -> JobResult:
        """The result of the job; nodes that still run end with it."""
        for span in self.spans.values():
            if span.seconds is None:
                span.seconds = max(0.0, (ended.at - span.began) / 1000)
        return JobResult(
            status=ended.status,
            started=self.started.at,
            ended=ended.at,
            cached=self.started.cached,
            shown=self.shown,
            failure=ended.failure,
            display={id: self._display[id] for id in self.shown if id in self._display},
            partial=ended.partial,
            spans=Raw(msgspec.json.encode(self.spans)),
        )
