"""Pages of jobs: the same as sorting all of them, and found without reading all of them."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

import pytest

from engine.store.db import Database
from engine.store.history import Job, JobResult, Status
from engine.store.listing import STATUSES, JobQuery
from engine.store.queue import Queue

ENDS: tuple[Status, ...] = ("success", "error", "interrupted")
SCHEMAS = Path(__file__).parent / "schemas"


def job(id: str, workflow: str | None) -> Job:
    extra = {"extra_pnginfo": {"workflow": {"id": workflow}}} if workflow else {}
    return Job(id, 1, {}, extra, ["1"], None, created=1)


@pytest.fixture
async def queue(database: Database) -> Queue:
    """Thirty jobs of every state, some of a document, with durations that repeat."""
    queue = Queue.open(database)
    for i in range(30):
        queue.put(job(f"{i:02}", "document" if i % 4 == 0 else None))
    for i in range(24):
        claimed = queue.claim(exclusive=True)
        assert claimed is not None
        if i < 20:
            queue.finish(claimed, JobResult(ENDS[i % 3], started=100, ended=100 + i * 7 % 5))
    return queue


async def test_pages_are_parts_of_the_whole_in_order(queue: Queue):
    everything = (await queue.page(JobQuery(descending=False))).jobs
    assert [standing.job.id for standing in everything] == [f"{i:02}" for i in range(30)]

    def place(wanted: JobQuery, id: str) -> tuple[int, str]:
        outcome = next(found.outcome for found in everything if found.job.id == id)
        ran = outcome.ended - outcome.started if outcome else 0
        return (ran if wanted.by == "duration" else 0), id

    states: tuple[tuple[Status, ...], ...] = (STATUSES, ("pending",), ("error", "running"), ())
    for statuses, workflow, by, descending, offset in itertools.product(
        states,
        (None, "document", "none"),
        ("created", "duration", "place"),
        (True, False),
        (0, 3, 50),
    ):
        wanted = JobQuery(statuses, workflow, by, descending, 4, offset)
        expected = [
            standing.job.id
            for standing in everything
            if standing.status in statuses and workflow in (None, standing.workflow)
        ]
        expected.sort(key=lambda id, wanted=wanted: place(wanted, id), reverse=descending)
        page = await queue.page(wanted)
        assert [standing.job.id for standing in page.jobs] == expected[offset : offset + 4], wanted
        assert page.total == len(expected)


async def test_one_job_is_told_with_its_prompt_in_any_state(queue: Queue):
    for id, status in (("01", "error"), ("20", "running"), ("29", "pending")):
        standing = await queue.info(id)
        assert standing is not None
        assert isinstance(standing.job, Job)
        assert standing.status == status
        assert (standing.outcome is None) == (status in ("running", "pending"))
    assert await queue.info("unknown") is None


async def test_jobs_of_an_older_version_are_listed_too(tmp_path: Path):
    old = sqlite3.connect(tmp_path / "a.db")
    old.executescript((SCHEMAS / "0001.sql").read_text())
    old.execute(
        'UPDATE jobs SET job=CAST(replace(job, \'"workflow":{}\', \'"workflow":{"id":"d"}\') '
        "AS BLOB)"
    )
    old.commit()
    old.close()
    database = await Database.open(tmp_path / "a.db")
    queue = Queue.open(database)
    page = await queue.page(JobQuery(workflow="d"))
    assert [standing.job.id for standing in page.jobs] == ["running"]
    longest = await queue.page(JobQuery(by="duration"))
    assert longest.jobs[0].job.id == "ended"
    await database.close()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("status='pending' ORDER BY number, seq LIMIT 1", "jobs_waiting"),
        ("status='pending' ORDER BY seq DESC", "jobs_waiting_by_age"),
        ("status='running' ORDER BY seq DESC", "jobs_running"),
        ("ended IS NOT NULL AND status='error' ORDER BY seq DESC", "jobs_ended_by_age"),
        (
            "ended IS NOT NULL AND status='error' ORDER BY duration DESC, seq DESC",
            "jobs_ended_by_duration",
        ),
        ("workflow='d' AND status='error' ORDER BY seq", "jobs_by_workflow"),
    ],
)
async def test_every_walk_is_along_an_index(database: Database, query: str, index: str):
    def plan(connection: sqlite3.Connection) -> list[str]:
        explained = connection.execute(f"EXPLAIN QUERY PLAN SELECT seq FROM jobs WHERE {query}")
        return [row[3] for row in explained]

    (step,) = database.write(plan)
    assert f"INDEX {index}" in step
