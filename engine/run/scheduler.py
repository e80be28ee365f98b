"""Takes jobs from the queue, gives them to the worker, brings their outcome home."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from engine.authoring.errors import SoundstageError
from engine.run.events import (
    Ended,
    Event,
    Expanded,
    Lost,
    NodeFinished,
    NodeLoaded,
    NodeShown,
    NodeStarted,
    Started,
    now_ms,
)
from engine.run.worker import Worker
from engine.store.history import Failure, Job, JobResult, Span
from engine.store.queue import Queue

log = logging.getLogger(__name__)

JOBS_AT_ONCE = 4
DEADLY_ATTEMPTS = 2


class QueueChanged(Struct, frozen=True):
    """A job was put, taken or finished, or several were removed; `remaining` wait or run."""

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
        self._records: dict[str, Record] = {}
        self._suspect = False
        self._closed = False

    def submit(self, job: Job) -> None:
        """Commit a job; it starts when its turn comes, perhaps at once.

        Raises:
            DuplicateJob: its id is taken.
        """
        at_once = self._has_room and not self._queue.waiting
        self._queue.put(job, claimed=at_once)
        self._tell(job, QueueChanged(self._queue.remaining))
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
        return not self._closed and not self._suspect and len(self._records) < JOBS_AT_ONCE

    def _start(self, job: Job) -> None:
        self._suspect = job.attempts > 0
        self._records[job.id] = Record(job)
        self._tell(job, QueueChanged(self._queue.remaining))
        self._worker.run(job, partial(self._hear, job))

    @property
    def running(self) -> dict[str, int]:
        """Ids of the jobs that run, and when each began, ms since 1970."""
        return {id: record.started.at for id, record in self._records.items()}

    def record(self, job: str) -> Record | None:
        """What came of a running job so far; None for other jobs."""
        return self._records.get(job)

    def close(self) -> None:
        """Take no more jobs and leave those that run; they start again with the next engine."""
        self._closed = True

    def _hear(self, job: Job, event: Event) -> None:
        """Take in an event of a running job; the last one makes room for the next job."""
        if self._closed:
            return
        record = self._records[job.id]
        try:
            match event:
                case Ended():
                    self._finish(job, record, event)
                case Lost():
                    self._worker_lost(job, event)
                case _:
                    record.add(event)
                    self._tell(job, event)
        except Exception:
            log.exception("what the worker told of job %s could not be taken in", job.id)
        if isinstance(event, Ended | Lost):
            del self._records[job.id]
            self._suspect = False
            self.wake()

    def _worker_lost(self, job: Job, lost: Lost) -> None:
        attempts = job.attempts + 1
        if attempts < DEADLY_ATTEMPTS:
            log.warning("%s; job %s starts again, alone", lost.why, job.id)
            self._queue.requeue(job, attempts=attempts)
            return
        text = (
            f"the worker process died {attempts} times while it ran this job, so the job is not "
            "tried again; it may need more memory than there is, or a model file may be broken"
        )
        self._finish(job, Record(job), self._failed(text, "WorkerLost"))

    def _failed(self, text: str, exception: str = "RuntimeError") -> Ended:
        return Ended("error", now_ms(), Failure("", "", text, exception))

    def _finish(self, job: Job, record: Record, ended: Ended) -> None:
        """History first: whoever hears of the end can read it there."""
        try:
            self._queue.finish(job, record.outcome(ended))
        except SoundstageError as error:
            log.exception("the end of job %s could not be written", job.id)
            ended = self._failed(f"its end could not be written: {error}", "StoreError")
        self._tell(job, ended)
        self._tell(job, QueueChanged(self._queue.remaining))


class Record:
    """Gathers what the history keeps of a job's events.

    Attributes:
        started: when it began, and what was there already.
        spans: when each node ran that did.
        shown: by output node what it shows.
    """

    def __init__(self, job: Job) -> None:
        self.started = Started([], now_ms())
        self.spans: dict[str, Span] = {}
        self.shown: dict[str, dict[str, list[Any]]] = {}
        self._display: dict[str, str] = {}

    def add(self, event: Event) -> None:
        """Note an event."""
        match event:
            case Started():
                self.started = event
            case NodeStarted(node, lane, at):
                self.spans[node] = Span(lane, at)
            case NodeFinished(node, seconds=seconds) if node in self.spans:
                self.spans[node].seconds = seconds
            case NodeLoaded(node, seconds) if node in self.spans:
                self.spans[node].loading += seconds
            case NodeShown():
                self.shown[event.node] = event.shown
            case Expanded():
                self._display |= event.display
            case _:
                pass

    def outcome(self, ended: Ended) -> JobResult:
        """How the job ended; what still ran then ran until then."""
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
