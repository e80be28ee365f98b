"""The worker or the whole service is killed fifty times while jobs run."""

from __future__ import annotations

from pathlib import Path

from benchmarks.kill_drill import Drill
from tests import patience

SEED, KILLS = 108, 50  # two sampler jobs; half of the kills strike the service
KINDS = {"text": 60, "sampler": 1}
FLAGS = ("--nodes", "tests.pack", "--no-preload")


async def test_fifty_kills_lose_no_job_and_none_ends_twice(tmp_path: Path):
    drill = Drill(tmp_path / "home", SEED, KINDS, FLAGS, patience.SECONDS)
    found = await drill.run(range(KILLS))
    assert found.faults == []
    assert sum(found.kills.values()) == KILLS
    assert found.ended["text", "success"] > KILLS
    assert found.ended["sampler", "success"] > 0
