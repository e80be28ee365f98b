"""The durable queue and the history: jobs are committed before any event of them is sent."""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Literal, TypeAlias, cast

import msgspec

from engine.authoring.errors import SoundstageError
from engine.store.db import Database
from engine.store.gallery_rows import EndedJob
from engine.store.history import Failure, Job, JobResult
from engine.store.job_reader import RAW_JOB, JobReader
from engine.store.listing import JOB
from engine.store.recovery import recover

log = logging.getLogger(__name__)

HISTORY_LIMIT = 10_000
Open = Literal["pending", "running"]
EndedHandler: TypeAlias = Callable[[EndedJob], None]
DELETED_AT_ONCE = 20
"""Jobs that one transaction deletes: prompts are large, and other writes wait for it."""
UNREADABLE = JobResult(
    "error",
    started=0,
    ended=0,
    failure=Failure("", "", "the stored job cannot be read; submit it again", "StoreError"),
)


class DuplicateJob(Exception):
    """A job of that id is already known."""


class NotHeld(SoundstageError):
    """A job is not in the state, or not under the lease, that a transition of it expects."""


class Queue(JobReader):
    """The jobs of one home, and every change of their states.

    A running job is held by a lease in the name of this instance: only its holder ends it or puts
    it back. There is one instance for a home at a time (the engine locks it), so leases of other
    names are those of a dead one, and their jobs wait again as soon as the queue is opened.

    Every change of a job's state names the state and the lease that it expects; the counts follow
    from the rows that a committed transaction changed.

    Attributes:
        waiting: how many jobs wait.
        running_count: how many jobs run.
    """

    def __init__(
        self, database: Database, last_seq: int, ended: int, waiting: int, on_ended: EndedHandler
    ) -> None:
        super().__init__(database)
        self._on_ended = on_ended
        self._lease = uuid.uuid4().hex
        self._last_seq = last_seq
        self._ended = ended
        self._deletions: list[int] = []
        self.waiting = waiting
        self.running_count: int = 0

    @property
    def remaining(self) -> int:
        """How many jobs wait or run."""
        return self.waiting + self.running_count

    @classmethod
    def open(cls, database: Database, on_ended: EndedHandler = lambda job: None) -> Queue:
        """The queue as it was left (see `recover`); `on_ended` is given each job that ends."""
        return cls(database, *database.write(recover), on_ended)

    def next_number(self) -> int:
        """The number of the next job, if it is put behind all others.

        Only a job that is put uses it up, so that numbers keep increasing after a restart.
        """
        return self._last_seq + 1

    def front_number(self) -> float:
        """The number of the next job, if it is put before all others that wait."""
        first = self._database.execute("SELECT min(number) FROM jobs WHERE status='pending'")
        return (
            -self.next_number()
            if first[0][0] is None
            else min(-self.next_number(), first[0][0] - 1)
        )

    def put(self, job: Job, *, claimed: bool = False, begun: bool = False) -> None:
        """Commit a job; one that is `claimed` runs at once, as nothing waits before it.

        Args:
            job: the job.
            claimed: it runs under this instance's lease.
            begun: see `claim`.

        Raises:
            DuplicateJob: its id is taken.
            NotWritten: the disk does not take it.
        """
        status, lease = ("running", self._lease) if claimed else ("pending", None)
        row = (*_of_job(job), status, lease, begun)
        try:
            stored = self._database.execute(
                "INSERT INTO jobs (id, number, workflow, job, status, lease, begun) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq",
                row,
            )
        except sqlite3.IntegrityError as error:
            raise DuplicateJob(job.id) from error
        self._last_seq = stored[0][0]
        if claimed:
            self.running_count += 1
        else:
            self.waiting += 1

    def put_ended(self, job: Job, outcome: JobResult) -> None:
        """Commit a job of which nothing is to be run, right into the history; see `finish`.

        Raises:
            DuplicateJob: its id is taken.
            NotWritten: the disk does not take it.
        """
        ended = self._ended + 1

        def insert(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(
                "INSERT INTO jobs (id, number, workflow, job, status, ended, duration, outcome) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*_of_job(job), *_of_end(ended, outcome)),
            )
            _forget_oldest(connection, ended)
            return cast("int", cursor.lastrowid)

        try:
            self._last_seq = self._database.write(insert)
        except sqlite3.IntegrityError as error:
            raise DuplicateJob(job.id) from error
        self._on_end_stored(job, ended, outcome)

    def claim(self, *, exclusive: bool, begun: bool = False) -> Job | None:
        """Claim the next job under this instance's lease; None if none may start now.

        A job that cannot be read fails at once, and the one behind it is taken.

        Args:
            exclusive: no other job runs. A job that was running when a worker died starts only
                then, so that a second crash is attributed to it alone.
            begun: the worker is ready, so that from now on its death, or this process's, is one of
                the job's attempts.

        Raises:
            NotWritten: the disk does not take it; the job still waits.
        """
        if not self.waiting:
            return None

        def take(connection: sqlite3.Connection) -> tuple[Job | None, int]:
            unreadable = 0
            while True:
                row = connection.execute(
                    "SELECT id, CAST(job AS BLOB), attempts FROM jobs "
                    "WHERE status='pending' AND seq>? ORDER BY number, seq LIMIT 1",
                    (max(self._deletions, default=0),),
                ).fetchone()
                if row is None or (row[2] and not exclusive):
                    return None, unreadable
                id, blob, attempts = row
                job = self._rows.decode(id, blob, JOB)
                if job is not None:
                    take = "UPDATE jobs SET status='running', lease=?, begun=? WHERE id=?"
                    connection.execute(take, (self._lease, begun, id))
                    return job.as_stored(blob, attempts), unreadable
                unreadable += 1
                self._end(connection, id, "pending", self._ended + unreadable, UNREADABLE)

        job, unreadable = self._database.write(take)
        self._ended += unreadable
        self.waiting -= unreadable
        if job is not None:
            self.waiting -= 1
            self.running_count += 1
        return job

    def set_begun(self, *, begun: bool) -> None:
        """Whether all running jobs have begun (see `claim`): False before an end in good order.

        Raises:
            NotWritten: the disk does not take it.
        """
        self._database.execute(
            "UPDATE jobs SET begun=? WHERE status='running' AND lease=?", (begun, self._lease)
        )

    def requeue(self, job: Job, *, attempts: int) -> None:
        """Put a running job back to pending, after its worker died.

        Raises:
            NotHeld: it does not run under this instance's lease.
            NotWritten: the disk does not take it.
        """
        moved = self._database.execute(
            "UPDATE jobs SET status='pending', lease=NULL, begun=0, attempts=? "
            "WHERE id=? AND status='running' AND lease=? RETURNING 1",
            (attempts, job.id, self._lease),
        )
        if not moved:
            raise NotHeld(f"job {job.id} does not run here and cannot wait again")
        self.running_count -= 1
        self.waiting += 1

    def finish(self, job: Job, outcome: JobResult) -> None:
        """Move a running job into the history, which keeps the newest 10 000.

        Raises:
            NotHeld: it does not run under this instance's lease.
            NotWritten: the disk does not take it.
        """
        self._finish(job, outcome, "running")

    def _finish(self, job: Job, outcome: JobResult, status: Open) -> None:
        ended = self._ended + 1

        def finish(connection: sqlite3.Connection) -> None:
            self._end(connection, job.id, status, ended, outcome)
            _forget_oldest(connection, ended)

        self._database.write(finish)
        if status == "running":
            self.running_count -= 1
        else:
            self.waiting -= 1
        self._on_end_stored(job, ended, outcome)

    def _on_end_stored(self, job: Job, ended: int, outcome: JobResult) -> None:
        self._ended = ended
        self._on_ended(EndedJob(job.id, ended, job.workflow, job.prompt, outcome))

    def _end(
        self,
        connection: sqlite3.Connection,
        id: str,
        status: Open,
        ended: int,
        outcome: JobResult,
    ) -> None:
        """Move a job from a state, under this instance's lease if it runs, into the history."""
        moved = connection.execute(
            "UPDATE jobs SET status=?, lease=NULL, ended=?, duration=?, outcome=? "
            "WHERE id=? AND status=? AND lease IS ?",
            (
                *_of_end(ended, outcome),
                id,
                status,
                self._lease if status == "running" else None,
            ),
        )
        if moved.rowcount != 1:
            raise NotHeld(f"job {id} is not {status} here and cannot end")

    def move_to_front(self, id: str) -> bool:
        """Let a waiting job be the next one; whether there was one of that id."""
        front = self.front_number()

        def move(connection: sqlite3.Connection) -> bool:
            waiting = "SELECT job FROM jobs WHERE status='pending' AND id=?"
            found = connection.execute(waiting, (id,)).fetchone()
            stored = None if found is None else self._rows.decode(id, found[0], RAW_JOB)
            if stored is None:
                return False
            job = msgspec.structs.replace(stored, number=min(stored.number, front))
            connection.execute(
                "UPDATE jobs SET number=?, job=? WHERE id=?",
                (job.number, msgspec.json.encode(job), id),
            )
            return True

        return self._database.write(move)

    @property
    def write_error(self) -> str | None:
        """Why the disk did not take the last write; None: it did."""
        return self._database.write_error

    def check(self) -> None:
        """Take the counts from the rows again; see whether a disk that took nothing does again.

        Raises:
            NotWritten: it does not.
        """
        if self.write_error is not None:
            self._database.probe()
        if self._deletions:
            return  # rows are gone that are not counted yet
        found: tuple[int, int] = self._database.execute(
            "SELECT (SELECT count(*) FROM jobs WHERE status='pending'), "
            "(SELECT count(*) FROM jobs WHERE status='running')"
        )[0]
        if found != (self.waiting, self.running_count):
            log.error("the queue holds %d waiting and %d running jobs, not as counted", *found)
            self.waiting, self.running_count = found[0], found[1]

    async def delete_pending(self, ids: Sequence[str] | None) -> AsyncGenerator[list[Job], None]:
        """Remove waiting jobs by id, or all of them; yields those removed, without their prompts.

        None of them starts any more once this began. A job that was begun before a worker died
        is not removed: it ends as "interrupted" and stays in the history.
        """
        last = self._newest("seq")
        none_starts_up_to = last if ids is None else 0
        self._deletions.append(none_starts_up_to)
        try:
            begun = self._interrupt_begun(ids)
            if begun:
                yield begun
            async for rows in self._deleted("status='pending' AND seq<=?", last, ids):
                self.waiting -= len(rows)
                yield [self._without_prompt(id, blob) for id, blob in rows]
        finally:
            self._deletions.remove(none_starts_up_to)

    def _interrupt_begun(self, ids: Sequence[str] | None) -> list[Job]:
        """End the waiting jobs that were begun before; those ended, without their prompts."""
        rows = self._database.execute(
            "SELECT id, job FROM jobs WHERE status='pending' AND attempts>0"
        )
        begun = [self._without_prompt(*row) for row in rows if ids is None or row[0] in ids]
        for job in begun:
            now = time.time_ns() // 1_000_000
            self._finish(job, JobResult("interrupted", started=now, ended=now), "pending")
        return begun

    def _without_prompt(self, id: str, blob: bytes) -> Job:
        job = self._rows.decode(id, blob, JOB)
        if job is None:
            return Job(id, 0, {}, {}, [], None, 0)
        return msgspec.structs.replace(job, prompt={}, extra={})

    async def delete_history(self, ids: Sequence[str] | None) -> int:
        """Remove ended jobs by id, or all of them; returns how many there were."""
        deleted = self._deleted("ended<=?", self._newest("ended"), ids)
        return sum([len(rows) async for rows in deleted])

    def _newest(self, column: Literal["seq", "ended"]) -> int:
        return self._database.execute(f"SELECT max({column}) FROM jobs")[0][0] or 0

    async def _deleted(
        self, condition: str, up_to: int, ids: Sequence[str] | None
    ) -> AsyncGenerator[list[tuple[str, bytes]], None]:
        """Delete jobs in small transactions beside the event loop; yields what each deleted."""
        named = () if ids is None else [*dict.fromkeys(ids)]
        for start in range(0, 1 if ids is None else len(named), DELETED_AT_ONCE):
            chunk = named[start : start + DELETED_AT_ONCE]
            listed = "" if ids is None else f" AND id IN ({', '.join('?' * len(chunk))})"
            statement = (
                f"DELETE FROM jobs WHERE seq IN (SELECT seq FROM jobs WHERE {condition}{listed} "
                f"LIMIT {DELETED_AT_ONCE}) RETURNING id, job"
            )
            values = (up_to, *chunk)
            while rows := await self._database.write_later(
                lambda db, statement=statement, values=values: db.execute(
                    statement, values
                ).fetchall()
            ):
                yield rows


def _of_job(job: Job) -> tuple[str, float, str | None, bytes]:
    """The columns id, number, workflow and job of a row."""
    return job.id, job.number, job.workflow, job.encoded


def _of_end(ended: int, outcome: JobResult) -> tuple[str, int, int, bytes]:
    """The columns status, ended, duration and outcome of the row of an ended job."""
    duration = outcome.ended - outcome.started
    return outcome.status, ended, duration, msgspec.json.encode(outcome)


def _forget_oldest(connection: sqlite3.Connection, ended: int) -> None:
    """Keep the newest jobs of the history; `ended` is the place of the last one."""
    if ended > HISTORY_LIMIT:
        connection.execute("DELETE FROM jobs WHERE ended <= ?", (ended - HISTORY_LIMIT,))
