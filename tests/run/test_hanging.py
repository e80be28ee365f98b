"""Nodes that never return: an interrupt ends their jobs, then the worker is replaced."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.run.events import NodeProgress, NodeStarted
from engine.run.worker_settings import WorkerTiming
from engine.store.history import HistoryEntry
from tests import patience
from tests.run.conftest import Bench, Opener, n, value_shown

GRACE = WorkerTiming(restart=0.01, grace=0.5)
NEVER = WorkerTiming(restart=0.01, grace=3600.0)
HANGING = {
    "in Python": n("Hangs", how="sleep", marker="/nowhere", log=""),
    "in a call that holds the GIL": n("Hangs", how="call", marker="/nowhere", log=""),
    "between steps": n("HangsInStep", how="code", log=""),
    "in the answer to a step": n("HangsInStep", how="answer", log=""),
    "when it is closed": n("HangsInStep", how="close", log=""),
}


def hanging(how: str, value: int) -> dict[str, Any]:
    source = HANGING[how]
    return value_shown({**source, "inputs": {**source["inputs"], "value": value}})


async def interrupted(bench: Bench, *ids: str) -> list[HistoryEntry]:
    """Interrupt jobs whose nodes have started, and wait for their ends.

    A job of a worker that was replaced in between waits until it runs again.
    """
    for id in ids:
        await bench.until(id, NodeStarted, "1")
        async with asyncio.timeout(patience.SECONDS):
            while not await bench.engine.interrupt(id):  # noqa: ASYNC110 - a test may look again
                await asyncio.sleep(0.01)
    return [await bench.ended(id) for id in ids]


@pytest.mark.parametrize("how", HANGING)
async def test_nodes_that_never_return_are_interrupted_and_the_queue_goes_on(
    process: Opener, how: str
):
    bench = await process(timing=GRACE)
    ids = [await bench.submit(hanging(how, value)) for value in (1, 2)]
    waiting = await bench.submit(value_shown(n("Sleeps", value=3, seconds=0.01, log="")))
    entries = await interrupted(bench, *ids)
    assert [entry.outcome.status for entry in entries] == ["interrupted"] * 2
    assert (await bench.ended(waiting)).outcome.status == "success"
    after = await bench.run({"1": n("Show", value=4, log="")})
    assert after.outcome.status == "success"


async def test_an_interrupt_is_answered_though_the_worker_is_not_replaced_yet(process: Opener):
    bench = await process(timing=NEVER)
    id = await bench.submit(hanging("in a call that holds the GIL", 1))
    (entry,) = await interrupted(bench, id)
    assert entry.outcome.status == "interrupted"
    assert entry.outcome.failure is not None
    assert (entry.outcome.failure.node, entry.outcome.failure.node_type) == ("1", "Hangs")


async def test_jobs_beside_a_hung_one_go_on_from_their_results(process: Opener, tmp_path: Path):
    bench, log = await process(timing=GRACE), tmp_path / "log"
    beside = await bench.submit(
        {
            "1": n("Sleeps", value=1, seconds=0.05, log=str(log)),
            "2": n("Sleep", value=["1", 0], steps=40, seconds=4.0, log=str(log)),
            "3": n("Show", value=["2", 0], log=str(log)),
        }
    )
    await bench.until(beside, NodeProgress, "2")
    hung = await bench.submit(hanging("in Python", 2))
    await interrupted(bench, hung)
    entry = await bench.ended(beside)
    assert (entry.outcome.status, entry.outcome.cached) == ("success", ["1"])
    lines = log.read_text().splitlines()
    assert lines == ["sleeps", "slept", "Sleep 1", "Sleep 1", "Slept 1", "Show 1"]


async def test_a_node_that_returns_within_the_grace_time_costs_no_worker(
    process: Opener, tmp_path: Path
):
    bench, marker = await process(timing=WorkerTiming(grace=60.0)), tmp_path / "marker"
    id = await bench.submit(value_shown(n("Held", value=1, until=str(marker))))
    await interrupted(bench, id)
    before = bench.engine.worker_status().pid
    marker.touch()
    assert (await bench.run({"1": n("Show", value=4, log="")})).outcome.status == "success"
    assert bench.engine.worker_status().pid == before


async def test_a_hung_node_beside_one_that_failed_is_found(process: Opener):
    bench = await process(timing=GRACE)
    before: set[int | None] = {None, bench.engine.worker_status().pid}
    prompt = {
        "1": {**HANGING["in Python"], "inputs": {**HANGING["in Python"]["inputs"], "value": 1}},
        "2": n("Sleeps", value=2, seconds=0.5, log=""),
        "3": n("Fail", value=["2", 0], text="as asked"),
        "4": n("Show", value=["1", 0], log=""),
        "5": n("Show", value=["3", 0], log=""),
    }
    id = await bench.submit(prompt)
    await bench.until(id, NodeStarted, "1")
    before.add(bench.engine.worker_status().pid)
    assert (await bench.ended(id)).outcome.status == "error"
    async with asyncio.timeout(patience.SECONDS):
        while bench.engine.worker_status().pid in before:  # noqa: ASYNC110 - a test may look again
            await asyncio.sleep(0.01)


async def test_a_node_that_hangs_in_the_thread_that_reads_frames_is_found(
    process: Opener, tmp_path: Path
):
    bench, marker = await process(timing=GRACE), tmp_path / "marker"
    marker.touch()
    for value in (1, 2):  # quick, so that the next one runs where frames are read
        await bench.run(
            value_shown(n("Hangs", value=value, how="sleep", marker=str(marker), log=""))
        )
    marker.unlink()
    before = bench.engine.worker_status().pid
    hung = n("Hangs", value=3, how="sleep", marker=str(marker), log="")
    await interrupted(bench, await bench.submit(value_shown(hung)))
    async with asyncio.timeout(patience.SECONDS):
        while bench.engine.worker_status().pid in (None, before):  # noqa: ASYNC110 - a test may look again
            await asyncio.sleep(0.01)
    assert (await bench.run({"1": n("Show", value=4, log="")})).outcome.status == "success"
