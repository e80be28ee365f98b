"""Pages of the jobs there are, in whatever state: found by index, read only as far as listed."""

from __future__ import annotations

import sqlite3
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from engine.store.history import Job, JobHeader, JobInfo, JobResult, Status
from engine.store.row_decoder import RowDecoder

STATUSES: tuple[Status, ...] = ("pending", "running", "success", "error", "interrupted")
JOB = msgspec.json.Decoder(Job)
BRIEF = msgspec.json.Decoder(JobHeader)
OUTCOME = msgspec.json.Decoder(JobResult)
COLUMNS = "id, job, status, workflow, outcome"


ReadT = TypeVar("ReadT", JobHeader, Job)
Order = Literal["created", "duration", "place"]


class JobQuery(Struct, frozen=True):
    """Which jobs to list, and in what order.

    Attributes:
        statuses: in one of these states.
        workflow: made from the editor's document of this id; None: from any or none.
        by: order by age, by the time a job ran (those that have not ended ran no time), or by its
            place in the queue.
        descending: newest, longest or last one first.
        limit: most jobs of the page.
        offset: how many to pass over.
    """

    statuses: tuple[Status, ...] = STATUSES
    workflow: str | None = None
    by: Order = "created"
    descending: bool = True
    limit: int = 1000
    offset: int = 0


class JobPage(Struct, frozen=True):
    """The jobs asked for.

    Attributes:
        jobs: those that can be read.
        rows: how many there are on this page, the unreadable ones included.
        total: how many there are on all pages, the unreadable ones included.
    """

    jobs: list[JobInfo]
    rows: int
    total: int


def select_page(connection: sqlite3.Connection, query: JobQuery, rows: RowDecoder) -> JobPage:
    """The jobs of a query: one index scan for each status, merged."""
    if not query.statuses:
        return JobPage([], 0, 0)
    selects = [_select_status(status, query) for status in query.statuses]
    values = () if query.workflow is None else (query.workflow,) * len(selects)
    direction = "DESC" if query.descending else "ASC"
    order = f"seq {direction}" if query.by == "created" else f"rank {direction}, seq {direction}"
    found = connection.execute(
        f"{' UNION ALL '.join(selects)} ORDER BY {order} LIMIT ? OFFSET ?",
        (*values, query.limit, query.offset),
    ).fetchall()
    read = f"SELECT {COLUMNS} FROM jobs WHERE seq=?"
    stored = [connection.execute(read, (seq,)).fetchone() for seq, _ in found]
    counts = " UNION ALL ".join(f"SELECT count(*) AS jobs FROM ({walk})" for walk in selects)
    total = connection.execute(f"SELECT sum(jobs) FROM ({counts})", values).fetchone()[0]
    jobs = (decode_row(row, BRIEF, rows) for row in stored)
    return JobPage([job for job in jobs if job is not None], len(stored), total)


def _select_status(status: Status, query: JobQuery) -> str:
    """The jobs of a state, spelled so that an index of few columns serves them in order."""
    is_open = status in ("pending", "running")
    rank = "number" if query.by == "place" else "0" if is_open else "duration"
    if query.workflow is not None:
        return f"SELECT seq, {rank} AS rank FROM jobs WHERE workflow=? AND status='{status}'"
    ended = "" if is_open else "ended IS NOT NULL AND "
    return f"SELECT seq, {rank} AS rank FROM jobs WHERE {ended}status='{status}'"


def select_job(connection: sqlite3.Connection, id: str, rows: RowDecoder) -> JobInfo | None:
    """A job with its whole prompt, in whatever state; None when unknown or unreadable."""
    read = f"SELECT {COLUMNS} FROM jobs WHERE id=?"
    row = connection.execute(read, (id,)).fetchone()
    return None if row is None else decode_row(row, JOB, rows)


def decode_row(
    row: tuple[str, bytes, Status, str | None, bytes | None],
    decoder: msgspec.json.Decoder[ReadT],
    rows: RowDecoder,
) -> JobInfo | None:
    """A row of `COLUMNS`, or None if it cannot be read; `decoder`: how much of the job to read."""
    id, stored, status, workflow, ending = row
    job = rows.decode(id, stored, decoder)
    outcome = None if ending is None else rows.decode(id, ending, OUTCOME)
    if job is None or (outcome is None and ending is not None) or status not in STATUSES:
        return None
    return JobInfo(job, status, workflow, outcome)
