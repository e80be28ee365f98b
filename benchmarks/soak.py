"""Thousands of jobs with faults in between: memory, handles, threads and disk stay flat.

    python -m benchmarks.soak --jobs 10000

Every other batch of jobs meets a fault, one kind after another. After each batch the history is
cleared, and what the service holds is noted. Nothing is drawn by chance.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.kill_jobs import Prompt, node
from benchmarks.service import Running, rss_megabytes, running
from benchmarks.soak_faults import FAULTS

FLAGS = ("--nodes", "tests.pack", "--no-preload", "--grace", "0.5", "--cache-lru", "200")
BATCHES = 80
AT_ONCE = 5
EACH_PICTURE = 5
LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 600.0
BLOCKS = "▁▂▃▄▅▆▇█"


class Soak:
    """A service under load.

    Args:
        home: its home.
        each_picture: one job of so many draws a picture, which imports torch; 0: none does.

    Attributes:
        home: as given.
        client: id of the client that all jobs belong to.
        measured: what the service held after each batch.
        faults: how often each fault was put in.
        failed: jobs that had another end than they should.
    """

    client = "soak"

    def __init__(self, home: Path, each_picture: int = EACH_PICTURE) -> None:
        self.measured: dict[str, list[float]] = {}
        self.faults: Counter[str] = Counter()
        self.failed: list[str] = []
        self.service: Running
        self.home = home
        self._each_picture = each_picture
        self._numbers = count()
        self._expected: dict[str, bool] = {}
        self._http: ClientSession

    async def run(
        self,
        jobs: int,
        batches: int = BATCHES,
        on_jobs: Callable[[int], object] = lambda jobs: None,
    ) -> None:
        """Run so many jobs, with a fault in every other batch."""
        with running(self.home, flags=FLAGS) as self.service:
            async with ClientSession(timeout=ClientTimeout(PATIENCE_SECONDS)) as self._http:
                await self.until("/system_stats", is_ready)
                for batch in range(batches):
                    size = jobs * (batch + 1) // batches - jobs * batch // batches
                    await self._batch(batch, size)
                    on_jobs(size)

    async def _batch(self, batch: int, size: int) -> None:
        if batch % 2:
            name = [*FAULTS][batch // 2 % len(FAULTS)]
            self.faults[name] += 1
            async with FAULTS[name](self):
                await self._submit_all(size)
        else:
            await self._submit_all(size)
        await self.until("/prompt", lambda answer: not answer["exec_info"]["queue_remaining"])
        await self._check()
        await self.until("/system_stats", is_ready)
        self._measure()

    async def _submit_all(self, size: int) -> None:
        left = iter(range(size))

        async def submit_some() -> None:
            for _ in left:
                await self.submit(self._prompt())

        await asyncio.gather(*[submit_some() for _ in range(AT_ONCE)])

    def number(self) -> int:
        """Another one each time, so that no result is in the cache."""
        return next(self._numbers)

    def _prompt(self) -> Prompt:
        number = self.number()
        if self._each_picture and number % self._each_picture == 0:
            return {
                "1": node("EmptyImage", width=64, height=64, batch_size=1, color=number),
                "2": node("ImageInvert", image=["1", 0]),
                "3": node("PreviewImage", images=["2", 0]),
            }
        return {
            "1": node("Number", value=number, log=""),
            "2": node("Add", a=["1", 0], b=1, log=""),
            "3": node("Show", value=["2", 0], log=""),
        }

    async def submit(self, prompt: Prompt, *, may_fail: bool = False) -> str:
        """Submit a job that shall succeed; its id."""
        body = {"prompt": prompt, "client_id": self.client}
        async with self._http.post(f"{self.service.url}/prompt", json=body) as answer:
            id = str((await answer.json())["prompt_id"])
        self._expected[id] = may_fail
        return id

    async def call(self, path: str, body: dict[str, Any]) -> int:
        """POST something; the status."""
        async with self._http.post(self.service.url + path, json=body) as answer:
            return answer.status

    async def until(self, path: str, wanted: Callable[[dict[str, Any]], object]) -> None:
        """GET a path until its answer is as wanted.

        Raises:
            TimeoutError: it is not for long.
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                async with self._http.get(self.service.url + path) as answer:
                    if wanted(await answer.json()):
                        return
                await asyncio.sleep(LOOK_SECONDS)

    async def _check(self) -> None:
        """Each job has its end; then the history is cleared."""
        async with self._http.get(f"{self.service.url}/history") as answer:
            history: dict[str, Any] = await answer.json()
        for id, may_fail in self._expected.items():
            status = history.get(id, {}).get("status", {}).get("status_str", "no end")
            if status != "success" and not may_fail:
                self.failed.append(f"job {id} ended with: {status}")
        self._expected.clear()
        await self.call("/history", {"clear": True})

    def _measure(self) -> None:
        shutil.rmtree(self.home / "temp", ignore_errors=True)
        for who, pid in (("server", self.service.process.pid), ("worker", self.service.worker_pid)):
            self._note(f"{who}: memory, MB", rss_megabytes(pid or 0))
            for what, folder in (("handles", "fd"), ("threads", "task")):
                with suppress(OSError):
                    self._note(f"{who}: {what}", len(os.listdir(f"/proc/{pid}/{folder}")))  # noqa: PTH208 - names are enough
        files = [path for path in self.home.rglob("*") if path.is_file()]
        self._note("disk, MB", sum(path.stat().st_size for path in files) / 2**20)

    def _note(self, what: str, value: float) -> None:
        self.measured.setdefault(what, []).append(value)


def is_ready(stats: dict[str, Any]) -> bool:
    """Whether the worker takes jobs."""
    return stats["worker"]["state"] == "ready"


def plotted(values: Sequence[float], width: int = 40) -> str:
    """Values as a line of blocks, from 0 to the highest."""
    step = max(1.0, len(values) / width)
    columns = [values[int(place * step)] for place in range(int(len(values) / step))]
    highest = max(*values, 1e-9)
    return "".join(BLOCKS[int(value / highest * (len(BLOCKS) - 1))] for value in columns)


def show(soak: Soak, jobs: int, seconds: float) -> None:
    """The table; early and late: medians of the second and the last fifth."""
    faults = ", ".join(f"{count} x {fault}" for fault, count in soak.faults.items())
    title = f"{jobs} jobs in {seconds:.0f} s; faults: {faults}"
    table = Table("what", "early", "late", "late/early", "most", "plot", title=title)
    for what, values in soak.measured.items():
        fifth = max(1, len(values) // 5)
        early, late = (
            statistics.median(values[fifth : 2 * fifth]),
            statistics.median(values[-fifth:]),
        )
        table.add_row(
            what,
            f"{early:.4g}",
            f"{late:.4g}",
            f"{late / early:.3f}",
            f"{max(values):.4g}",
            plotted(values),
        )
    table.add_row("jobs that had another end than success", "", str(len(soak.failed)), "", "", "")
    Console(width=max(Console().width, 120)).print(table)


def main() -> None:
    """Run, then print; the exit code is 1 if a job did not succeed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soundstage-soak-") as home:
        soak = Soak(Path(home))
        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as progress:
            task = progress.add_task("jobs", total=given.jobs)
            asyncio.run(soak.run(given.jobs, on_jobs=lambda jobs: progress.advance(task, jobs)))
    show(soak, given.jobs, time.monotonic() - began)
    if soak.failed:
        print(*soak.failed, sep="\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
