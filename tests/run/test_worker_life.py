"""A worker process that does not start, or lives and does nothing: the queue goes on."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.run.events import JobStarted, NodeProgress
from engine.run.worker import WorkerState, WorkerStatus
from engine.run.worker_settings import WorkerTiming
from tests import patience
from tests.run.conftest import Bench, Opener, n, value_shown

QUICKLY = WorkerTiming(restart=0.01)
PINGED = WorkerTiming(restart=0.01, ping=0.1, silence=4.0)


async def until(bench: Bench, wanted: Callable[[WorkerStatus], bool]) -> WorkerStatus:
    """Wait until the status of the worker is as wanted."""
    async with asyncio.timeout(patience.SECONDS):
        while not wanted(bench.engine.worker_status()):  # noqa: ASYNC110 - a test may look again
            await asyncio.sleep(0.005)
    return bench.engine.worker_status()


def is_ready(status: WorkerStatus) -> bool:
    return status.state is WorkerState.READY


def pid(bench: Bench) -> int:
    found = bench.engine.worker_status().pid
    assert found is not None
    return found


@contextmanager
def no_file_can_be_opened() -> Generator[None]:
    """No process can be started, as on a machine that has no handles left."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def kill_at_start(bench: Bench, times: int) -> None:
    """Kill the next so many processes before they are ready."""
    killed: set[int | None] = {None}
    while len(killed) <= times:
        status = await until(bench, lambda status: status.pid not in killed)
        assert status.state is WorkerState.STARTING
        os.kill(pid(bench), signal.SIGKILL)
        killed.add(status.pid)


async def test_a_process_that_cannot_be_spawned_is_spawned_later(process: Opener):
    bench = await process(timing=QUICKLY)
    await until(bench, is_ready)
    with no_file_can_be_opened():
        os.kill(pid(bench), signal.SIGKILL)
        await until(bench, lambda status: status.failed_starts > 0)
        job = await bench.submit({"1": n("Show", value=3, log="")})
    assert (await bench.ended(job)).outcome.status == "success"


async def test_a_worker_that_dies_while_it_starts_is_no_jobs_fault(process: Opener):
    bench = await process(timing=QUICKLY)
    jobs = [await bench.submit({"1": n("Show", value=value, log="")}) for value in range(6)]
    await kill_at_start(bench, 4)
    assert [(await bench.ended(job)).outcome.status for job in jobs] == ["success"] * 6


async def test_a_worker_that_does_not_start_pauses_the_queue_until_one_does(
    process: Opener, caplog: pytest.LogCaptureFixture
):
    bench = await process(timing=QUICKLY)
    first = await bench.submit({"1": n("Show", value=1, log="")})
    await kill_at_start(bench, 5)
    paused = (await until(bench, lambda status: status.paused is not None)).paused
    assert paused is not None
    assert "did not start 5 times in a row, the last one died (signal 9)" in paused
    assert paused in caplog.text
    running, pending = await bench.engine.queue()
    assert (running, [job.id for job in pending]) == ([], [first])
    second = await bench.submit({"1": n("Show", value=2, log="")})
    assert (await bench.ended(first)).outcome.status == "success"
    assert (await bench.ended(second)).outcome.status == "success"
    assert bench.engine.worker_status().paused is None


async def test_a_claim_that_the_disk_does_not_take_is_made_again_though_nobody_submits(
    process: Opener,
):
    bench = await process(timing=QUICKLY)
    job = await bench.submit({"1": n("Show", value=1, log="")})
    await kill_at_start(bench, 5)
    await until(bench, lambda status: status.paused is not None)
    database = bench.engine._database  # pyright: ignore[reportPrivateUsage] - a fault of the disk
    database.execute("PRAGMA query_only=ON")
    await until(bench, lambda _: bench.engine.store_facts()["write_error"] is not None)
    assert bench.engine.waiting() == 1, "the worker is ready, the claim failed"
    database.execute("PRAGMA query_only=OFF")
    assert (await bench.ended(job)).outcome.status == "success"


async def test_a_worker_that_answers_no_ping_is_replaced(process: Opener, tmp_path: Path):
    bench, log = await process(timing=PINGED), tmp_path / "log"
    slow = n("Sleep", value=1, steps=20, seconds=2.0, log=str(log))
    job = await bench.submit(value_shown(slow))
    await bench.until(job, NodeProgress)
    os.kill(pid(bench), signal.SIGSTOP)
    assert (await bench.ended(job)).outcome.status == "success"
    assert log.read_text().splitlines() == ["Sleep 1", "Sleep 1", "Slept 1"]


async def test_an_event_loop_that_a_node_blocks_is_found(process: Opener, tmp_path: Path):
    bench, log = await process(timing=PINGED), tmp_path / "log"
    blocking = value_shown(n("BlocksLoop", value=1, seconds=3600.0, log=str(log)))
    entry = await bench.run(blocking)
    assert entry.outcome.failure is not None
    assert "died 2 times while it ran this job" in entry.outcome.failure.message
    assert "did not answer for 4 s" in entry.outcome.failure.message
    assert log.read_text().splitlines() == ["blocks", "blocks"]
    after = await bench.run({"1": n("Show", value=3, log="")})
    assert after.outcome.status == "success"


async def test_a_long_native_call_is_no_reason_to_replace_the_worker(process: Opener):
    bench = await process(timing=PINGED)
    await until(bench, is_ready)
    before = pid(bench)
    job = await bench.submit(
        value_shown(n("Sleeps", value=1, seconds=1.5 * PINGED.silence, log=""))
    )
    await bench.until(job, JobStarted)
    assert (await bench.ended(job)).outcome.status == "success"
    assert pid(bench) == before
