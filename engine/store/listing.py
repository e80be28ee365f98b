"""Pages of the jobs there are, in whatever state: found by index, read only as far as listed."""

from __future__ import annotations

import sqlite3
from typing import Literal

import msgspec
from msgspec import Struct

from engine.store.history import Brief, Job, Outcome, Standing, Status

STATUSES: tuple[Status, ...] = ("pending", "running", "success", "error", "interrupted")


Order = Literal["created", "duration", "place"]


class Wanted(Struct, frozen=True):
    """Which jobs to list.

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


class Page(Struct, frozen=True):
    """The jobs asked for, and how many there are on all pages."""

    jobs: list[Standing]
    total: int


def page(connection: sqlite3.Connection, wanted: Wanted) -> Page:
    """The jobs that are wanted: a walk along an index for each state, merged."""
    if not wanted.statuses:
        return Page([], 0)
    walks = [_walk(status, wanted) for status in wanted.statuses]
    values = () if wanted.workflow is None else (wanted.workflow,) * len(walks)
    way = "DESC" if wanted.descending else "ASC"
    order = f"seq {way}" if wanted.by == "created" else f"rank {way}, seq {way}"
    found = connection.execute(
        f"{' UNION ALL '.join(walks)} ORDER BY {order} LIMIT ? OFFSET ?",
        (*values, wanted.limit, wanted.offset),
    ).fetchall()
    read = "SELECT job, status, workflow, outcome FROM jobs WHERE seq=?"
    jobs = [connection.execute(read, (seq,)).fetchone() for seq, _ in found]
    counts = " UNION ALL ".join(f"SELECT count(*) AS jobs FROM ({walk})" for walk in walks)
    total = connection.execute(f"SELECT sum(jobs) FROM ({counts})", values).fetchone()[0]
    return Page([standing(row, Brief) for row in jobs], total)


def _walk(status: Status, wanted: Wanted) -> str:
    """The jobs of a state, spelled so that an index of few columns serves them in order."""
    is_open = status in ("pending", "running")
    rank = "number" if wanted.by == "place" else "0" if is_open else "duration"
    if wanted.workflow is not None:
        return f"SELECT seq, {rank} AS rank FROM jobs WHERE workflow=? AND status='{status}'"
    ended = "" if is_open else "ended IS NOT NULL AND "
    return f"SELECT seq, {rank} AS rank FROM jobs WHERE {ended}status='{status}'"


def one(connection: sqlite3.Connection, id: str) -> Standing | None:
    """A job with its whole prompt, in whatever state; None when unknown."""
    read = "SELECT job, status, workflow, outcome FROM jobs WHERE id=?"
    row = connection.execute(read, (id,)).fetchone()
    return None if row is None else standing(row, Job)


def standing(
    row: tuple[bytes, Status, str | None, bytes | None], kind: type[Brief | Job]
) -> Standing:
    """A row as stored; `kind` says how much of the job to read."""
    job, status, workflow, outcome = row
    return Standing(
        msgspec.json.decode(job, type=kind),
        status,
        workflow,
        None if outcome is None else msgspec.json.decode(outcome, type=Outcome),
    )
