"""A long node whose worker dies, or whose service stops, goes on from its answered steps."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from engine.run.events import NodeProgress
from engine.store.step_log import StepLog
from tests import patience
from tests.run.conftest import Opener, n

STEPS = 400  # of 10 ms
TOTAL = STEPS + 1  # the value that it comes to


def batched(log: Path) -> dict[str, Any]:
    return {
        "1": n("Batched", value=1, steps=STEPS, log=str(log)),
        "2": n("Show", value=["1", 0], log=""),
    }


def asked(log: Path) -> int:
    """How many steps were answered by asking."""
    return len(log.read_text().splitlines())


async def logged(home: Path) -> Path:
    """The log of the node, when some of its steps are in it and some are still to come."""
    async with asyncio.timeout(patience.SECONDS):
        while True:
            for path in (home / "step_logs").glob("*.steps"):
                if path.stat().st_size:
                    return path
            await asyncio.sleep(0.01)


async def stop(pid: int) -> None:
    """Stop a process; all its threads stand still when this returns."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    async with asyncio.timeout(patience.SECONDS):
        while {_state(thread) for thread in threads.iterdir()} != {"T"}:  # noqa: ASYNC110 - the system stops them
            await asyncio.sleep(0.01)


def _state(thread: Path) -> str:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0]


def steps_in(path: Path) -> int:
    """How many answers a log holds."""
    log, count = StepLog(path, {}, 1 << 30), 0
    while log.replay(count, STEPS) is not None:
        count += 1
    return count


async def test_what_was_logged_when_the_worker_was_killed_is_not_asked_again(
    process: Opener, tmp_path: Path
):
    bench, log, home = await process(), tmp_path / "log", tmp_path / "home"
    id = await bench.submit(batched(log))
    path = await logged(home)
    worker = bench.engine.worker_status().pid
    assert worker is not None
    await stop(worker)  # so that nothing changes while it is looked at
    known, before = steps_in(path), asked(log)
    os.kill(worker, signal.SIGKILL)
    entry = await bench.ended(id)
    assert 0 < known <= before
    assert asked(log) == before + STEPS - known
    assert entry.outcome.shown["2"] == {"text": [str(TOTAL)]}
    async with asyncio.timeout(patience.SECONDS):
        while path.exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.01)


async def test_a_service_that_stops_loses_no_answered_step(local: Opener, tmp_path: Path):
    bench, log, home = await local(), tmp_path / "log", tmp_path / "home"
    id = await bench.submit(batched(log))
    await bench.until(id, NodeProgress, "1")
    await bench.engine.close()
    assert 0 < asked(log) < STEPS
    entry = await (await local(home)).ended(id)
    assert entry.outcome.shown["2"] == {"text": [str(TOTAL)]}
    assert asked(log) == STEPS


async def test_an_interrupted_node_begins_anew(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    id = await bench.submit(batched(log))
    await logged(tmp_path / "home")
    assert await bench.engine.interrupt(id)
    assert (await bench.ended(id)).outcome.status == "interrupted"
    before = asked(log)
    entry = await bench.run(batched(log))
    assert entry.outcome.shown["2"] == {"text": [str(TOTAL)]}
    assert asked(log) == before + STEPS
