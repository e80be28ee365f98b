"""Claims jobs from the queue, runs them on the worker, stores their results."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from engine.authoring.errors import SoundstageError
from engine.run.events import Event, JobFinished, JobLost, now_ms
from engine.run.repeated_prompts import RepeatedPrompts
from engine.run.run_record import RunRecord
from engine.run.worker import Worker, WorkerState
from engine.store.history import Failure, Job
from engine.store.queue import NotHeld, Queue

log = logging.getLogger(__name__)

MAX_RUNNING_JOBS = 4
MAX_ATTEMPTS = 2
FIRST_RETRY_SECONDS = 0.1
TICK_SECONDS = 5.0
"""Between looks for what was missed, and the longest pause between attempts to write."""


class QueueChanged(Struct, frozen=True):
    """A job was put, taken or finished, or several were removed; `remaining` wait or run."""

    remaining: int


Listener: TypeAlias = Callable[[Job | None, Event | QueueChanged], None]


class Scheduler:
    """Keeps the worker busy with the queue's next jobs.

    Several jobs run at once, so that lanes never idle and steps of many users are batched. A job
    that was running when a worker died is quarantined: tried once more, exclusively; if the worker
    dies again, the job fails with that reason.

    What the store does not take, on a full disk, is written as soon as it does. Until then its job
    counts as running, and no other one starts. A periodic tick starts what was missed.

    Args:
        queue: the jobs.
        worker: what runs them.
        emit: gets all events.
        repeated: starts the jobs, and knows which of them need no worker.
    """

    def __init__(
        self,
        queue: Queue,
        worker: Worker,
        emit: Listener,
        repeated: RepeatedPrompts,
    ) -> None:
        self._queue = queue
        self._worker = worker
        self._repeated = repeated
        self._emit = emit
        self._records: dict[str, RunRecord] = {}
        self._quarantined = False
        self._closed = False
        self._unwritten: deque[_Transition] = deque()
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._was_paused = False
        self._deadlines: dict[str, asyncio.TimerHandle] = {}

    @property
    def unwritten(self) -> int:
        """How many jobs have ended, or shall wait again, that the store does not know of yet."""
        return len(self._unwritten)

    @property
    def write_error(self) -> str | None:
        """Why the store did not take the last write; None: it did."""
        return self._queue.write_error

    def start(self) -> None:
        """Start the jobs that wait, now and whenever one may start."""
        self._tick()

    def _tick(self) -> None:
        """Look for what was missed: transitions to write, jobs to start."""
        self._set_timer(TICK_SECONDS)
        self._write_transitions()
        if self._unwritten:
            return
        try:
            self._queue.check()
        except SoundstageError as error:
            self._try_again_soon(error)
        else:
            self.wake()

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tick)

    def _try_again_soon(self, error: SoundstageError) -> None:
        """After a failed write, tick after a pause that grows."""
        log.error("the queue waits until it can be written: %s", error)
        self._set_timer(self._retry_seconds)
        self._retry_seconds = min(2 * self._retry_seconds, TICK_SECONDS)

    def _write(self, job: Job, write: Callable[[], None], then: Callable[[], None]) -> None:
        """Write a transition of a job to the store, now or when it takes it; `then` follows."""
        self._unwritten.append(_Transition(job, write, then))
        if len(self._unwritten) == 1:
            self._write_transitions()

    def _write_transitions(self) -> None:
        """Write what the store has not taken yet, in order."""
        while self._unwritten:
            job, write, then = self._unwritten[0]
            try:
                write()
            except NotHeld:
                log.exception("job %s is in another state than it should be", job.id)
            except SoundstageError as error:
                self._try_again_soon(error)
                return
            except Exception:
                log.exception("the state of job %s cannot be stored", job.id)
            self._unwritten.popleft()
            self._retry_seconds = FIRST_RETRY_SECONDS
            del self._records[job.id]
            then()

    def submit(self, job: Job) -> None:
        """Commit a job; it starts when its turn comes, perhaps at once.

        One that may start at once and whose events are known is committed as ended: if its client
        gets an answer it is in the history, and a crash before that leaves nothing of it.

        Raises:
            DuplicateJob: its id is taken.
            NotWritten: the disk does not take it.
        """
        at_once = self._has_room and not self._queue.waiting
        if at_once and (events := self._repeated.events(job)) is not None:
            self._submit_ended(job, events)
            return
        self._queue.put(job, claimed=at_once, begun=self._is_ready)
        self._emit(job, QueueChanged(self._queue.remaining))
        if at_once:
            self._start(job)
        else:
            self.wake()

    def _submit_ended(self, job: Job, events: Sequence[Event]) -> None:
        record = RunRecord(job)
        for event in events:
            record.add(event)
        ended = events[-1]
        assert isinstance(ended, JobFinished), "a job's last event is its end"
        self._queue.put_ended(job, record.result(ended))
        asyncio.get_running_loop().call_soon(self._emit_all, job, record, events)

    def _emit_all(self, job: Job, record: RunRecord, events: Sequence[Event]) -> None:
        """Emit the events of a job that was committed as ended, as if it ran meanwhile."""
        self._records[job.id] = record
        self._emit(job, QueueChanged(self._queue.remaining + 1))
        for event in events[:-1]:
            self._emit(job, event)
        del self._records[job.id]
        self._emit(job, events[-1])
        self._emit(job, QueueChanged(self._queue.remaining))

    def wake(self) -> None:
        """Start the jobs that may start."""
        while self._has_room:
            try:
                job = self._queue.claim(exclusive=not self._records, begun=self._is_ready)
            except SoundstageError as error:
                self._try_again_soon(error)
                return
            if job is None:
                return
            self._start(job)

    @property
    def _has_room(self) -> bool:
        held = self._closed or self._quarantined or self._unwritten
        if held or self._worker.status.paused is not None:
            return False
        return len(self._records) < MAX_RUNNING_JOBS

    @property
    def _is_ready(self) -> bool:
        return self._worker.status.state is WorkerState.READY

    def on_worker_change(self) -> None:
        """The worker's status is another one: jobs that waited for it begin, the queue goes on."""
        if self._is_ready and self._records:
            self._set_begun(begun=True)
            for id, record in self._records.items():
                self._set_deadline(id, record)
        if (paused := self._worker.status.paused is not None) != self._was_paused:
            self._was_paused = paused
            self._emit(None, QueueChanged(self._queue.remaining))
        self.wake()

    def _set_begun(self, *, begun: bool) -> None:
        try:
            self._queue.set_begun(begun=begun)
        except SoundstageError as error:
            log.warning("attempts of jobs that run now may be counted wrongly: %s", error)

    def _start(self, job: Job) -> None:
        self._quarantined = job.attempts > 0
        record = self._records[job.id] = RunRecord(job)
        self._emit(job, QueueChanged(self._queue.remaining))
        if job.attempts >= MAX_ATTEMPTS:
            text = (
                f"the worker process, or the whole service, died {job.attempts} times while it ran "
                "this job, so the job is not tried again"
            )
            self._quarantined = False
            self._finish(job, record, self._failed(text, "WorkerLost"))
            return
        if self._is_ready:
            self._set_deadline(job.id, record)
        self._repeated.run(job, partial(self._on_event, job))

    def _set_deadline(self, id: str, record: RunRecord) -> None:
        """From now on the job runs; it may not run for longer than its deadline."""
        if record.deadline is not None and id not in self._deadlines:
            later = asyncio.get_running_loop().call_later
            self._deadlines[id] = later(record.deadline, self._expire, id, record)

    def _expire(self, id: str, record: RunRecord) -> None:
        record.expired = True
        self._worker.cancel(id)

    @property
    def running(self) -> dict[str, int]:
        """Ids of the jobs that run, and when each began, ms since 1970."""
        return {id: record.started.at for id, record in self._records.items()}

    def record(self, job: str) -> RunRecord | None:
        """The record of a running job so far; None for other jobs."""
        return self._records.get(job)

    def close(self) -> None:
        """Take no more jobs and leave those that run; they start again with the next engine."""
        self._write_transitions()
        self._closed = True
        self._set_begun(begun=False)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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
            if (deadline := self._deadlines.pop(job.id, None)) is not None:
                deadline.cancel()
            self._quarantined = False
            self.wake()

    def _worker_lost(self, job: Job, lost: JobLost) -> None:
        attempts = job.attempts + lost.counts
        if attempts < MAX_ATTEMPTS:
            how = ", exclusively" if attempts else ""
            log.warning("%s; job %s starts again%s", lost.reason, job.id, how)
            self._write(job, lambda: self._queue.requeue(job, attempts=attempts), lambda: None)
            return
        text = (
            f"the worker process died {attempts} times while it ran this job, so the job is not "
            "tried again; it may need more memory than there is, or a model file may be broken. "
            f"The last time {lost.reason}"
        )
        self._finish(job, RunRecord(job), self._failed(text, "WorkerLost"))

    def _failed(self, text: str, exception: str = "RuntimeError") -> JobFinished:
        return JobFinished("error", now_ms(), Failure("", "", text, exception))

    def _finish(self, job: Job, record: RunRecord, ended: JobFinished) -> None:
        """Write the history first: a client that receives the end can read it there."""
        ended = record.completed(ended)
        outcome = record.result(ended)

        def emit() -> None:
            self._emit(job, ended)
            self._emit(job, QueueChanged(self._queue.remaining))

        self._write(job, lambda: self._queue.finish(job, outcome), emit)


class _Transition(NamedTuple):
    """A change of a job's state on its way to the store, and what follows when it is there."""

    job: Job
    write: Callable[[], None]
    then: Callable[[], None]
