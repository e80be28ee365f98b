"""Quick nodes run in a row: nobody can tell but by the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.run.events import JobFinished, JobStarted, NodeFinished, NodeOutput, NodeStarted
from tests.run.conftest import Opener, n


def chain(start: int, log: str) -> dict[str, Any]:
    return {
        "1": n("Number", value=start, log=log),
        "2": n("Add", a=["1", 0], b=1, log=log),
        "3": n("Add", a=["2", 0], b=1, log=log),
        "4": n("Show", value=["3", 0], log=log),
    }


async def test_a_chain_runs_as_if_one_by_one(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    for start in (10, 20, 30):  # the first time shows that they are quick
        log.write_text("")
        id = await bench.submit(chain(start, str(log)))
        entry = await bench.ended(id)
        assert entry.outcome.shown == {"4": {"text": [str(start + 2)]}}
        assert log.read_text().splitlines() == [
            f"Number {start}",
            f"Add {start} 1",
            f"Add {start + 1} 1",
            f"Show {start + 2}",
        ]
        kinds = [type(event) for event in bench.events(id)]
        each = [NodeStarted, NodeFinished]
        assert kinds == [JobStarted, *each * 3, NodeStarted, NodeOutput, NodeFinished, JobFinished]


async def test_a_failure_in_a_chain_blames_the_node_that_failed(local: Opener):
    bench = await local()
    prompts = [
        {
            "1": n("Number", value=start, log=""),
            "2": n("Fail", value=["1", 0], text="as asked"),
            "3": n("Show", value=["2", 0], log=""),
        }
        for start in (1, 2, 3)
    ]
    for prompt in prompts:
        failure = (await bench.run(prompt)).outcome.failure
        assert failure is not None
        assert (failure.node, failure.message, failure.executed) == ("2", "as asked", ["1"])


async def test_what_ran_in_a_row_is_cached_like_everything_else(local: Opener, tmp_path: Path):
    bench, log = await local(), tmp_path / "log"
    for _ in range(2):
        await bench.run(chain(1, str(log)))
        await bench.run(chain(2, str(log)))
    assert len(log.read_text().splitlines()) == 8
