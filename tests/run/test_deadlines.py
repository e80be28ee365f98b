"""A job with a deadline is interrupted when it runs for longer, and fails with that reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.graph.errors import PromptError
from engine.run.events import NodeStarted
from engine.run.worker_settings import WorkerTiming
from engine.store.history import HistoryEntry
from tests.run.conftest import Opener, n, value_shown

SLOW = n("Sleep", value=1, steps=3600, seconds=3600.0, log="")
HUNG = n("Hangs", value=1, how="call", marker="/nowhere", log="")


def assert_expired(entry: HistoryEntry, kind: str) -> None:
    """It failed, at a node of that kind, with its deadline as the reason."""
    failure = entry.outcome.failure
    assert failure is not None
    assert (entry.outcome.status, failure.node, failure.node_type) == ("error", "1", kind)
    assert failure.message == "the job was interrupted: it ran for over 0.5 s, its deadline_s"


async def test_a_job_that_runs_for_longer_than_its_deadline_fails(local: Opener):
    bench = await local()
    assert_expired(await bench.run(value_shown(SLOW), extra={"deadline_s": 0.5}), "Sleep")
    assert (await bench.run({"1": n("Show", value=3, log="")})).outcome.status == "success"


async def test_a_node_that_never_returns_does_not_outlive_the_deadline(process: Opener):
    bench = await process(timing=WorkerTiming(restart=0.01, grace=0.5))
    assert_expired(await bench.run(value_shown(HUNG), extra={"deadline_s": 0.5}), "Hangs")
    assert (await bench.run({"1": n("Show", value=3, log="")})).outcome.status == "success"


async def test_the_time_before_a_job_starts_does_not_count(process: Opener, tmp_path: Path):
    bench, marker = await process(), tmp_path / "marker"
    held = [value_shown(n("Held", value=i, until=str(marker))) for i in range(4)]
    first = [await bench.submit(prompt, extra={"deadline_s": 0.5}) for prompt in held[:1]]
    others = [await bench.submit(prompt) for prompt in held[1:]]
    last = await bench.submit({"1": n("Show", value=3, log="")}, extra={"deadline_s": 60})
    await bench.until(first[0], NodeStarted, "1")
    assert_expired(await bench.ended(first[0]), "Held")
    marker.touch()
    for id in (*others, last):
        assert (await bench.ended(id)).outcome.status == "success"


@pytest.mark.parametrize("deadline", [0, -1, "5", True, [], 10**400, float("nan")])
async def test_what_is_no_deadline_is_refused(local: Opener, deadline: Any):
    bench = await local()
    with pytest.raises(PromptError, match="deadline_s must be the seconds"):
        await bench.submit(value_shown(SLOW), extra={"deadline_s": deadline})
