"""The benchmark of many jobs with faults in between, with few jobs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.soak import Soak, plotted
from benchmarks.soak_faults import FAULTS

BATCHES = 2 * len(FAULTS)
MOST_HANDLES, MOST_THREADS = 64, 32  # far over what pools of threads and connections hold


async def test_faults_harm_no_job(tmp_path: Path):
    soak = Soak(tmp_path / "home", each_picture=0)
    await soak.run(60, BATCHES)
    assert soak.failed == []
    assert set(soak.faults) == {*FAULTS}
    assert {len(values) for values in soak.measured.values()} == {BATCHES}
    assert max(soak.measured["server: handles"]) < MOST_HANDLES
    assert max(soak.measured["server: threads"]) < MOST_THREADS


def test_values_are_plotted_from_zero_to_the_highest():
    assert plotted([0, 1, 2, 4]) == "▁▂▄█"
    assert len(plotted([1.0] * 1000)) == 40
