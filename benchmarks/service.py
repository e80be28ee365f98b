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
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


@contextmanager
def running(
    home: Path | None = None, port: int = 0, flags: Sequence[str] = ()
) -> Generator[Running]:
    """A service on a fresh home (or the one given), stopped at the end."""
    folder = home or Path(tempfile.mkdtemp(prefix="soundstage-benchmark-"))
    started = time.perf_counter()
    command = [sys.executable, "-m", "engine.cli", "serve", "--home", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", str(port), *flags],
        cwd=CHECKOUT,
        env={**os.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None, "asked for by PIPE"
        if port:
            yield Running(f"http://127.0.0.1:{port}", process, started)
        else:
            yield Running(
                process.stdout.readline().removeprefix(READY).split()[0], process, started
            )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)
