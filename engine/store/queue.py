"""The durable queue and the history: jobs are committed before any event of them is sent."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence

import msgspec

from engine.store import listing
from engine.store.db import Database
from engine.store.history import Failure, HistoryEntry, Job, JobInfo, JobResult, RawJob
from engine.store.listing import JOB, OUTCOME, JobPage, JobQuery
from engine.store.row_decoder import RowDecoder

HISTORY_LIMIT = 10_000
RAW_JOB = msgspec.json.Decoder(RawJob)
UNREADABLE = JobResult(
    "error",
    started=0,
    ended=0,
    failure=Failure("", "", "the stored job cannot be read; submit it again", "StoreError"),
)


class DuplicateJob(Exception):
    """A job of that id is already known."""


class Queue:
    """The jobs of one home.

    A running job is held by a lease in the name of this instance. There is one instance for a
    home at a time (the engine locks it), so leases of other names are those of a dead one, and
    their jobs wait again as soon as the queue is opened.

    Attributes:
        waiting: how many jobs wait.
    """

    def __init__(self, database: Database, last_seq: int, ended: int, waiting: int) -> None:
        self._database = database
        self._rows = RowDecoder()
        self._lease = uuid.uuid4().hex
        self._last_number = last_seq
        self._ended = ended
        self.waiting = waiting
        self._running = 0

    @property
    def remaining(self) -> int:
        """How many jobs wait or run."""
        return self.waiting + self._running

    @classmethod
    def open(cls, database: Database) -> Queue:
        """The queue as it was left; jobs that ran when it died wait again."""

        def recover(connection: sqlite3.Connection) -> tuple[int, int, int]:
            connection.execute(
                "UPDATE jobs SET status='pending', lease=NULL WHERE status='running'"
            )
            last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name='jobs'")
            # The gallery counts by it, and outlives a history that was cleared.
            shown = "SELECT ended FROM gallery ORDER BY seq DESC LIMIT 1"
            ended = connection.execute(
                "SELECT max(ended) FROM (SELECT max(ended) AS ended FROM jobs "
                f"WHERE ended IS NOT NULL UNION ALL SELECT * FROM ({shown}))"
            )
            count = connection.execute("SELECT count(*) FROM jobs WHERE status='pending'")
            return (last.fetchone() or (0,))[0], ended.fetchone()[0] or 0, count.fetchone()[0]

        return cls(database, *database.write(recover))

    def next_number(self) -> int:
        """The next number in the queue; it keeps increasing after a restart."""
        self._last_number += 1
        return self._last_number

    def put(self, job: Job, *, claimed: bool = False) -> None:
        """Commit a job; one that is `claimed` runs at once, as nothing waits before it.

        Raises:
            DuplicateJob: its id is taken.
        """
        status, lease = ("running", self._lease) if claimed else ("pending", None)
        row = (job.id, job.number, job.workflow, msgspec.json.encode(job), status, lease)
        try:
            self._database.execute(
                "INSERT INTO jobs (id, number, workflow, job, status, lease) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
        except sqlite3.IntegrityError as error:
            raise DuplicateJob(job.id) from error
        if claimed:
            self._running += 1
        else:
            self.waiting += 1

    def claim(self, *, exclusive: bool) -> Job | None:
        """Claim the next job under this instance's lease; None if none may start now.

        A job that cannot be read fails at once, and the one behind it is taken.

        Args:
            exclusive: no other job runs. A job that was running when a worker died starts only
                then, so that a second crash is attributed to it alone.
        """
        while self.waiting:
            taken = self._database.execute(
                "UPDATE jobs SET status='running', lease=? WHERE seq=(SELECT seq FROM jobs "
                "WHERE status='pending' ORDER BY number, seq LIMIT 1) AND (? OR attempts=0) "
                "RETURNING id, job, attempts",
                (self._lease, exclusive),
            )
            if not taken:
                return None
            self.waiting -= 1
            self._running += 1
            id, blob, attempts = taken[0]
            job = self._rows.decode(id, blob, JOB)
            if job is not None:
                return msgspec.structs.replace(job, attempts=attempts) if attempts else job
            self._finish(id, UNREADABLE)
        return None

    def requeue(self, job: Job, *, attempts: int) -> None:
        """Put a running job back to pending, after its worker died."""
        self._database.execute(
            "UPDATE jobs SET status='pending', lease=NULL, attempts=? WHERE id=?",
            (attempts, job.id),
        )
        self._running -= 1
        self.waiting += 1

    def finish(self, job: Job, outcome: JobResult) -> None:
        """Move a job into the history, which keeps the newest 10 000."""
        self._finish(job.id, outcome)

    def _finish(self, id: str, outcome: JobResult) -> None:
        self._ended += 1
        self._database.execute(
            "UPDATE jobs SET status=?, lease=NULL, ended=?, duration=?, outcome=? WHERE id=?",
            (
                outcome.status,
                self._ended,
                outcome.ended - outcome.started,
                msgspec.json.encode(outcome),
                id,
            ),
        )
        if self._ended > HISTORY_LIMIT:
            self._database.execute(
                "DELETE FROM jobs WHERE ended <= ?", (self._ended - HISTORY_LIMIT,)
            )
        self._running -= 1

    def move_to_front(self, id: str) -> bool:
        """Let a waiting job be the next one; whether there was one of that id."""
        number = -self.next_number()

        def move(connection: sqlite3.Connection) -> bool:
            waiting = "SELECT {} FROM jobs WHERE status='pending'"
            found = connection.execute(f"{waiting.format('job')} AND id=?", (id,)).fetchone()
            stored = None if found is None else self._rows.decode(id, found[0], RAW_JOB)
            if stored is None:
                return False
            first = connection.execute(waiting.format("min(number)")).fetchone()[0]
            job = msgspec.structs.replace(stored, number=min(number, first - 1))
            connection.execute(
                "UPDATE jobs SET number=?, job=? WHERE id=?",
                (job.number, msgspec.json.encode(job), id),
            )
            return True

        return self._database.write(move)

    async def pending(self) -> list[RawJob]:
        """The waiting jobs, next one first."""
        return await self._jobs("status='pending' ORDER BY number, seq")

    async def running(self) -> list[RawJob]:
        """The running jobs."""
        return await self._jobs("status='running' ORDER BY seq")

    async def _jobs(self, condition: str) -> list[RawJob]:
        def select(connection: sqlite3.Connection) -> list[RawJob]:
            rows = connection.execute(f"SELECT id, job FROM jobs WHERE {condition}")
            found = (self._rows.decode(id, job, RAW_JOB) for id, job in rows)
            return [job for job in found if job is not None]

        return await self._database.read(select)

    async def page(self, query: JobQuery) -> JobPage:
        """Some of the jobs there are, in whatever state."""
        return await self._database.read(
            lambda connection: listing.select_page(connection, query, self._rows)
        )

    async def info(self, id: str) -> JobInfo | None:
        """A job in whatever state; None when unknown."""
        return await self._database.read(lambda db: listing.select_job(db, id, self._rows))

    def delete_pending(self, ids: Sequence[str] | None) -> int:
        """Remove waiting jobs by id, or all of them; returns how many there were."""
        removed = self._delete("status='pending'", ids)
        self.waiting -= removed
        return removed

    def delete_history(self, ids: Sequence[str] | None) -> int:
        """Remove ended jobs by id, or all of them; returns how many there were."""
        return self._delete("ended IS NOT NULL", ids)

    def _delete(self, condition: str, ids: Sequence[str] | None) -> int:
        def delete(connection: sqlite3.Connection) -> int:
            if ids is None:
                return connection.execute(f"DELETE FROM jobs WHERE {condition}").rowcount
            statement = f"DELETE FROM jobs WHERE {condition} AND id=?"
            return sum(connection.execute(statement, (id,)).rowcount for id in ids)

        return self._database.write(delete)

    async def history_entry(self, id: str) -> HistoryEntry | None:
        """The history entry of one job; None while it waits or runs, or when unknown."""
        found = await self._entries("id=?", (id,))
        return found[0] if found else None

    async def history(self, newest: int | None, offset: int | None) -> list[HistoryEntry]:
        """Ended jobs, oldest first: `newest` of them counted from the end, or from `offset`."""
        limit = -1 if newest is None else newest
        if offset is not None:
            return await self._entries("1 ORDER BY ended LIMIT ? OFFSET ?", (limit, offset))
        found = await self._entries("1 ORDER BY ended DESC LIMIT ?", (limit,))
        return found[::-1]

    async def _entries(self, condition: str, values: tuple[object, ...]) -> list[HistoryEntry]:
        def select(connection: sqlite3.Connection) -> list[HistoryEntry]:
            rows = connection.execute(
                f"SELECT id, job, outcome FROM jobs WHERE ended IS NOT NULL AND {condition}",
                values,
            )
            found: list[HistoryEntry] = []
            for id, stored, ending in rows:
                job = self._rows.decode(id, stored, RAW_JOB)
                outcome = None if job is None else self._rows.decode(id, ending, OUTCOME)
                if job is not None and outcome is not None:
                    found.append(HistoryEntry(job, outcome))
            return found

        return await self._database.read(select)
