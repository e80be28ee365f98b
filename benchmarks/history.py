"""What lists of ten thousand jobs cost: the first page a fresh service is asked for, and others."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientSession

from benchmarks.service import running
from benchmarks.tables import Measures
from engine.store.db import Database
from engine.store.history import Job, JobResult
from engine.store.queue import Queue

JOBS = 10_000
RUNS = 20
LONG = 4  # as many as run at once, so that the others wait
GOAL = "<= 50 ms"


def prompt(seed: int) -> dict[str, Any]:
    """As large as a usual text-to-picture prompt."""
    inputs = {"seed": seed, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "text": "a" * 200}
    return {str(n): {"class_type": "KSampler", "inputs": inputs} for n in range(7)}


def extra() -> dict[str, Any]:
    """What an editor adds: its own file, several times as large as the prompt."""
    node = {"id": 1, "pos": [1, 2], "size": [3, 4], "widgets_values": ["text" * 20] * 10}
    return {"extra_pnginfo": {"workflow": {"id": str(uuid.uuid4()), "nodes": [node] * 7}}}


def jobs(first: int) -> Iterator[Job]:
    """Jobs that nobody runs."""
    for n in range(first, first + JOBS):
        yield Job(str(uuid.uuid4()), n, prompt(n), extra(), ["6"], "me", 1_700_000_000_000 + n)


def outcome(n: int) -> JobResult:
    """Of a job that saved a picture."""
    shown = {"6": {"images": [{"filename": f"x_{n:05}_.png", "subfolder": "", "type": "output"}]}}
    return JobResult("success", 1_700_000_000_000 + n, 1_700_000_005_000 + n, ["1"], shown)


async def fill(home: Path) -> None:
    """A home as it is after a while: ended jobs, and as many that wait behind some long ones."""
    database = await Database.open(home / "soundstage.db")
    Queue.open(database)

    def write(connection: sqlite3.Connection) -> None:
        for n, job in enumerate(jobs(0)):
            connection.execute(
                "INSERT INTO jobs (id, number, status, ended, duration, workflow, job, outcome) "
                "VALUES (?, ?, 'success', ?, 5000, ?, ?, ?)",
                (job.id, n, n, job.workflow, encoded(job), encoded(outcome(n))),
            )
        for job in (*long(), *jobs(JOBS)):
            connection.execute(
                "INSERT INTO jobs (id, number, workflow, job) VALUES (?, ?, ?, ?)",
                (job.id, job.number, job.workflow, encoded(job)),
            )

    database.write(write)
    await database.close()


def long() -> Iterator[Job]:
    """Jobs that run all the time."""
    sleep = {"class_type": "Sleep", "inputs": {"value": 1, "steps": 10**5, "seconds": 10**4}}
    shown = {"class_type": "Show", "inputs": {"value": ["1", 0]}}
    for n in range(LONG):
        yield Job(str(uuid.uuid4()), n - 100, {"1": sleep, "2": shown}, {}, ["2"], None, 1)


def encoded(value: Job | JobResult) -> bytes:
    """As the store keeps it."""
    return msgspec.json.encode(value)


async def timed(session: ClientSession, address: str) -> tuple[float, int]:
    """Milliseconds until the whole answer is here, and its bytes."""
    began = time.perf_counter()
    async with session.get(address) as answer:
        body = await answer.read()
        assert answer.status == 200, body
    return 1e3 * (time.perf_counter() - began), len(body)


async def measure(home: Path, measures: Measures) -> None:
    """Each address on a service of its own first, for what a cold one takes."""
    for path, goal in (
        ("/history?max_items=100", GOAL),
        ("/history?max_items=100&offset=5000", GOAL),
        ("/history", ""),
        ("/api/jobs?limit=100", GOAL),
        ("/api/jobs?status=completed&sort_by=execution_duration&limit=100", GOAL),
        ("/api/jobs", ""),
        ("/queue", ""),
        ("/prompt", ""),
    ):
        with running(home, flags=("--nodes", "tests.pack", "--max-queue", "20000")) as service:
            async with ClientSession() as session:
                async with session.get(service.url + "/features"):
                    pass
                first, size = await timed(session, service.url + path)
                again = [(await timed(session, service.url + path))[0] for _ in range(RUNS)]
        measures.add(f"GET {path} ({size / 1e6:.2f} MB)", again, "ms", goal)
        measures.add("   the first call of a fresh service", [first], "ms", goal)


def main() -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="soundstage-benchmark-"))
    try:
        asyncio.run(fill(folder))
        measures = Measures(f"{JOBS} ended jobs, {JOBS} that wait")
        asyncio.run(measure(folder, measures))
        measures.print()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
