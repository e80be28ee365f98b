"""The trivial prompt against another checkout: both services are up, and are measured in turns.

    git worktree add ../before COMMIT
    python -m benchmarks.against ../before

Beside wall time stands the processor time of server and worker, which other programs on the
machine change less.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.service import CHECKOUT, Running, running
from benchmarks.trivial_prompt import BURST, Bare, burst

ROUNDS = 60
PROMPTS = 25
"""One after another in each turn; and as many of a prompt whose results are all cached."""
BURST_EVERY = 6
WARM_UP_SECONDS = 12.0
FLAGS = ("--no-preload",)


class Side:
    """One of the two services, and what was measured of it."""

    def __init__(self, service: Running) -> None:
        host, port = service.url.removeprefix("http://").split(":")
        self._address = host, int(port)
        self._service = service
        self._client = Bare(self._address, uuid.uuid4().hex)
        self._colors = count(secrets.randbelow(2**23))
        self._cached = next(self._colors)
        self.measured: dict[str, list[float]] = {}

    def warm_up(self) -> None:
        """Run prompts until they take as long as they will."""
        self._client.listen_anew()
        until = time.monotonic() + WARM_UP_SECONDS
        while time.monotonic() < until:
            self._client.run(next(self._colors))
        self._client.run(self._cached)
        asyncio.run(burst(self._address))

    def measure(self, with_burst: bool) -> None:
        """One turn."""
        self._sequence("new", lambda: next(self._colors))
        self._sequence("cached", lambda: self._cached)
        if with_burst:
            before = self._processor_seconds()
            self._add("burst, prompts/s", asyncio.run(burst(self._address)))
            spent = self._processor_seconds() - before
            self._add("burst, processor us a prompt", 1e6 * spent / BURST)

    def _sequence(self, what: str, color: Callable[[], int]) -> None:
        self._client.listen_anew()
        before = self._processor_seconds()
        for _ in range(PROMPTS):
            began = time.perf_counter()
            self._client.run(color())
            self._add(f"{what}, us", 1e6 * (time.perf_counter() - began))
        spent = self._processor_seconds() - before
        self._add(f"{what}, processor us", 1e6 * spent / PROMPTS)

    def _add(self, what: str, value: float) -> None:
        self.measured.setdefault(what, []).append(value)

    def _processor_seconds(self) -> float:
        """What all threads of server and worker have computed so far, those that ended too."""
        pids = self._service.process.pid, self._service.worker_pid
        return sum(time.clock_gettime(_processor_clock(pid)) for pid in pids if pid is not None)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _processor_clock(pid: int) -> int:
    """The clock of a process, as `clock_getcpuclockid` of Linux makes its number."""
    return ~pid << 3 | 2


def main() -> None:
    """Measure both in turns, print medians and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("checkout", type=Path, help="folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    with ExitStack() as stack:
        before, now = (
            Side(stack.enter_context(running(flags=FLAGS, checkout=checkout)))
            for checkout in (given.checkout.resolve(), CHECKOUT)
        )
        for side in (before, now):
            side.warm_up()
        for number in track(range(given.rounds), "rounds"):
            turns = (before, now) if number % 2 else (now, before)
            for side in turns:
                side.measure(number % BURST_EVERY == 0)
        before.close()
        now.close()
    show(before.measured, now.measured)


def show(before: dict[str, list[float]], now: dict[str, list[float]]) -> None:
    """Medians of both, and what they are to each other."""
    table = Table(
        "what", "there", "here", "here/there", title="EmptyImage, ImageInvert, PreviewImage"
    )
    for what, values in before.items():
        old, new = statistics.median(values), statistics.median(now[what])
        table.add_row(what, f"{old:.4g}", f"{new:.4g}", f"{new / old:.3f}")
    fresh, cached = (statistics.median(now[what]) for what in ("new, us", "cached, us"))
    table.add_row(
        "cached here by new there, us",
        "",
        "",
        f"{cached / statistics.median(before['new, us']):.3f}",
    )
    table.add_row("cached here by new here, us", "", "", f"{cached / fresh:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
