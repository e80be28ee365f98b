"""The worker is killed, the server is killed: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from engine.authoring.errors import SoundstageError
from engine.run.engine import Engine
from engine.run.events import NodeProgress
from engine.run.process import ProcessWorker
from tests.run.conftest import Bench, Opener, n, value_shown


def worker_pid(bench: Bench) -> int:
    worker = bench.engine._worker  # pyright: ignore[reportPrivateUsage] - the victim
    assert isinstance(worker, ProcessWorker)
    assert worker.pid is not None
    return worker.pid


async def test_a_killed_worker_loses_nothing(process: Opener, tmp_path: Path):
    bench, log = await process(), tmp_path / "log"
    prompt = {
        "1": n("Sleep", value=1, steps=2, seconds=0.1, log=str(log)),
        "2": n("Sleep", value=["1", 0], steps=40, seconds=2.0, log=str(log)),
        "3": n("Show", value=["2", 0], log=""),
    }
    id = await bench.submit(prompt)
    waiting = await bench.submit(value_shown(n("Nap", value=2, seconds=0.1, log="")))
    await bench.until(id, NodeProgress, "2")
    os.kill(worker_pid(bench), signal.SIGKILL)
    entry = await bench.ended(id)
    assert entry.outcome.status == "success"
    assert entry.outcome.cached == ["1"], "the finished node came from the cache"
    assert log.read_text().splitlines() == ["Sleep 1", "Slept 1", "Sleep 1", "Sleep 1", "Slept 1"]
    assert (await bench.ended(waiting)).outcome.status == "success"


async def test_a_job_that_kills_its_worker_twice_fails_and_the_next_one_runs(
    process: Opener, tmp_path: Path
):
    bench = await process()
    poison = {
        "1": n("Die", value=1, marker=str(tmp_path / "deaths"), times=99, log=""),
        "2": n("Show", value=["1", 0], log=""),
    }
    id = await bench.submit(poison)
    beside = await bench.submit(value_shown(n("Nap", value=1, seconds=1.0, log="")))
    entry = await bench.ended(id)
    assert entry.outcome.status == "error"
    assert entry.outcome.failure is not None
    assert "died 2 times while it ran this job" in entry.outcome.failure.message
    assert (tmp_path / "deaths").read_text() == "xx"
    assert (await bench.ended(beside)).outcome.status == "success", "innocent, though it ran beside"
    after = await bench.run({"1": n("Show", value=3, log="")})
    assert after.outcome.status == "success"


async def test_a_job_that_killed_its_worker_once_gets_through(process: Opener, tmp_path: Path):
    bench = await process()
    prompt = {
        "1": n("Die", value=1, marker=str(tmp_path / "deaths"), times=1, log=""),
        "2": n("Show", value=["1", 0], log=""),
    }
    assert (await bench.run(prompt)).outcome.status == "success"


async def test_jobs_of_a_closed_engine_run_when_the_home_is_opened_again(
    process: Opener, tmp_path: Path
):
    bench, log = await process(), tmp_path / "log"
    slow = {
        "1": n("Sleep", value=1, steps=40, seconds=2.0, log=str(log)),
        "2": n("Show", value=["1", 0], log=""),
    }
    id = await bench.submit(slow)
    await bench.until(id, NodeProgress)
    await bench.engine.close()
    again = await process()
    assert again.engine.remaining() == 1
    assert (await again.ended(id)).outcome.status == "success"


async def test_a_home_has_one_engine(process: Opener, tmp_path: Path):
    await process()
    with pytest.raises(SoundstageError, match="another soundstage already serves"):
        await Engine.open(tmp_path / "home")


async def test_a_home_that_could_not_be_opened_is_free(tmp_path: Path):
    database = tmp_path / "soundstage.db"
    database.write_bytes(b"no database" * 1000)
    with pytest.raises(SoundstageError, match="cannot be used") as refused:
        await Engine.open(tmp_path)
    database.unlink()
    engine = await Engine.open(tmp_path, preload=False)
    await engine.close()
    assert refused.value


async def test_the_worker_tells_what_it_is(process: Opener):
    bench = await process()
    await bench.run({"1": n("Show", value=3, log="")})
    facts = await bench.engine.worker_facts()
    assert facts["devices"]
    await bench.engine.free(unload_models=True, free_memory=True)
    assert (await bench.run({"1": n("Show", value=4, log="")})).outcome.status == "success"


async def test_a_job_interrupted_before_its_worker_is_up_never_starts(
    process: Opener, tmp_path: Path
):
    bench, log = await process(), tmp_path / "log"
    id = await bench.submit(value_shown(n("Sleep", value=1, steps=9, seconds=9.0, log=str(log))))
    await bench.queued(2)
    assert await bench.engine.interrupt(id)
    assert (await bench.ended(id)).outcome.status == "interrupted"
    assert "Slept" not in (log.read_text() if log.exists() else "")
