"""The server answers a prompt whose results are all cached by itself, while nothing has changed."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict

from engine.graph.errors import PromptError
from engine.run.events import NodeStarted
from engine.run.scheduler import MAX_RUNNING_JOBS, QueueChanged
from engine.run.submission import Submission
from tests.run.conftest import Bench, Opener, Prompt, value_shown
from tests.run.conftest import whole as n


@contextmanager
def stopped_worker(bench: Bench) -> Generator[None]:
    """The worker process does nothing meanwhile."""
    pid = bench.engine.worker_status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def told(bench: Bench, id: str) -> list[tuple[str, dict[str, Any]]]:
    """What was emitted of a job, without times."""
    events = bench.events(id)
    return [(type(e).__name__, {**asdict(e), "at": 0}) for e in events]


async def ran(bench: Bench, prompt: Prompt) -> list[str]:
    """The nodes that begin when a prompt runs."""
    id = await bench.submit(prompt)
    entry = await bench.ended(id)
    assert entry.outcome.status == "success", entry.outcome.failure
    return [event.node for event in bench.events(id) if isinstance(event, NodeStarted)]


async def cached(bench: Bench, prompt: Prompt) -> str:
    """Run a prompt until all of it is cached; the id of that job."""
    await bench.run(prompt)
    id = await bench.submit(prompt)
    await bench.ended(id)
    return id


async def test_a_cached_prompt_is_answered_without_the_worker_with_the_same_events_and_history(
    process: Opener,
):
    bench = await process()
    prompts = {
        "a saved file and a text": {
            "1": n("Number", value=1, log=""),
            "2": n("Show", value=["1", 0], log=""),
            "3": n("Save", text="a"),
        },
        "outputs in an expansion": value_shown(n("ShowsInside", value=5)),
        "blocked items": value_shown(n("BlockOdd", count=2)),
    }
    before = {what: await cached(bench, prompt) for what, prompt in prompts.items()}
    with stopped_worker(bench):
        for what, prompt in prompts.items():
            id = await bench.submit(prompt, extra={"extra_pnginfo": {"any": 1}})
            entry, first = await bench.ended(id), await bench.ended(before[what])
            assert told(bench, id) == told(bench, before[what]), what
            assert entry.outcome.shown == first.outcome.shown
            assert entry.outcome.cached == first.outcome.cached
            assert entry.outcome.started <= entry.outcome.ended


async def test_a_prompt_is_not_repeated_once_something_has_changed(process: Opener, tmp_path: Path):
    loras, read = tmp_path / "home" / "models" / "loras", tmp_path / "read.txt"
    loras.mkdir(parents=True)
    (loras / "a.safetensors").write_bytes(b"a")
    read.write_text("a")
    bench = await process()
    saving = {"1": n("Save", text="a"), "2": n("Show", value=1, log="")}
    choosing = value_shown(n("NameOfLora", lora="a.safetensors"))
    for prompt in (saving, choosing):
        assert await ran(bench, await repeated(bench, prompt)) == []

    saved = next((tmp_path / "home" / "output").iterdir())
    saved.unlink()
    assert await ran(bench, saving) == ["1"], "its file is gone"
    (loras / "a.safetensors").write_bytes(b"another")
    assert "1" in await ran(bench, choosing), "the file that it names is another one"

    never = value_shown(n("Dice", log=""))
    reading = value_shown(n("Reads", file=str(read), log=""))
    for prompt in (never, reading):
        await repeated(bench, prompt)
    assert "1" in await ran(bench, never)
    read.write_text("b")
    assert "1" in await ran(bench, reading), "its fingerprint is another one"

    showing = await repeated(bench, value_shown(n("Number", value=7, log="")))
    await bench.engine.free(unload_models=False, free_memory=True)
    with stopped_worker(bench):
        id = await bench.submit(showing)
        await bench.engine.interrupt(id)
        entry = await bench.ended(id)
    assert entry.outcome.status == "interrupted", "the worker is asked, as it dropped results"


async def test_the_outputs_that_are_wanted_decide_which_prompt_it_is(process: Opener):
    bench = await process()
    prompt = {
        "1": n("Show", value=1, log=""),
        "2": n("Show", value=2, log=""),
    }
    for _ in range(3):
        await bench.run(prompt, targets=["1"])
    entry = await bench.run(prompt)
    assert set(entry.outcome.shown) == {"1", "2"}
    for _ in range(3):
        entry = await bench.run(prompt, targets=["2"])
        assert set(entry.outcome.shown) == {"2"}


async def repeated(bench: Bench, prompt: Prompt) -> Prompt:
    """A prompt, run three times."""
    await cached(bench, prompt)
    await bench.run(prompt)
    return prompt


async def test_a_repeated_prompt_is_stored_as_ended_before_its_client_gets_an_answer(
    process: Opener, tmp_path: Path
):
    bench = await process()
    prompt = await repeated(bench, value_shown(n("Number", value=1, log="")))
    stored = sqlite3.connect(tmp_path / "home" / "soundstage.db")
    with stopped_worker(bench), closing(stored):
        bench.told.clear()
        receipt = await bench.engine.submit(Submission(prompt))
        found = stored.execute("SELECT status, ended FROM jobs ORDER BY seq").fetchall()
        assert found == [("success", number) for number in (1, 2, 3, 4)], "another process reads"
        assert (receipt.number, bench.engine.remaining(), bench.told) == (4, 0, [])
        with pytest.raises(PromptError, match="is taken"):
            await bench.engine.submit(Submission(prompt, id=receipt.id))
        await bench.ended(receipt.id)
    lengths = [event.remaining for _, event in bench.told if isinstance(event, QueueChanged)]
    assert lengths == [1, 0], "refused ones emit nothing"
    kinds = [type(event).__name__ for _, event in bench.told]
    assert (kinds[0], kinds[1]) == ("QueueChanged", "JobStarted")
    assert kinds[-2:] == ["JobFinished", "QueueChanged"]


async def test_a_repeated_prompt_waits_for_its_turn_behind_jobs_that_wait(process: Opener):
    bench = await process()
    prompt = await repeated(bench, value_shown(n("Number", value=1, log="")))
    with stopped_worker(bench):
        for value in range(MAX_RUNNING_JOBS):
            await bench.submit(value_shown(n("Number", value=100 + value, log="")))
        last = await bench.submit(prompt)
        assert (bench.engine.remaining(), bench.engine.waiting()) == (MAX_RUNNING_JOBS + 1, 1)
        assert bench.events(last) == []
    await bench.ended(last)
    assert [type(event).__name__ for event in bench.events(last)][-1] == "JobFinished"
