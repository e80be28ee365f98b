"""The service as a process, for the time of a block."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.cli.serve import READY

CHECKOUT = Path(__file__).parent.parent


@dataclass
class Running:
    """A service that listens.

    Attributes:
        started: time.perf_counter() right before exec.
    """

    url: str
    process: subprocess.Popen[str]
    started: float

    def rss_megabytes(self) -> float:
        """Resident memory of the server process now."""
        return rss_megabytes(self.process.pid)

    @property
    def worker_pid(self) -> int | None:
        """Of its only child; None while there is none."""
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def kill(self) -> None:
        """As `kill -9` does; its worker ends with it."""
        self.process.kill()
        self._wait()

    def stop(self) -> None:
        """Let it end in good order."""
        self.process.send_signal(signal.SIGTERM)
        self._wait()

    def _wait(self) -> None:
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def rss_megabytes(pid: int) -> float:
    """Resident memory of a process now; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(next(found, "0")) / 1024


def start(
    home: Path, port: int = 0, flags: Sequence[str] = (), checkout: Path = CHECKOUT
) -> Running:
    """A service on a home, of this or another checkout; returns when it listens.

    With a port it returns at once.
    """
    started = time.perf_counter()
    command = [sys.executable, "-m", "engine.cli", "serve", "--home", str(home)]
    process = subprocess.Popen(
        [*command, "--port", str(port), *flags],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None, "asked for by PIPE"
    if port:
        return Running(f"http://127.0.0.1:{port}", process, started)
    line = process.stdout.readline()
    if not line.startswith(READY):
        process.kill()
        process.stdout.close()
        raise RuntimeError(f"the service said {line!r} and exited with {process.wait()}")
    return Running(line.removeprefix(READY).split()[0], process, started)


@contextmanager
def running(
    home: Path | None = None,
    port: int = 0,
    flags: Sequence[str] = (),
    checkout: Path = CHECKOUT,
) -> Generator[Running]:
    """A service on a fresh home (or the one given), stopped at the end."""
    folder = home or Path(tempfile.mkdtemp(prefix="soundstage-benchmark-"))
    service = start(folder, port, flags, checkout)
    try:
        yield service
    finally:
        service.stop()
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)
