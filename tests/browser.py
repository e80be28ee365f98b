"""Chromium for the tests: one process for a whole run, without a way to the outside."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests import patience

# The first has no window to draw around a page, and takes a third less of a core.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--remote-debugging-port=0",
)


def find() -> str | None:
    """The path of a Chromium on this machine."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def own_address() -> str | None:
    """An address of this machine that is not the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


@contextmanager
def running(program: str, profile: Path) -> Generator[str]:
    """Chromium with a profile of its own; the address at which it takes DevTools commands."""
    reached = ["127.0.0.1", "localhost", own_address() or "127.0.0.1"]
    rules = ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in reached)])
    process = subprocess.Popen(
        [program, *FLAGS, f"--host-resolver-rules={rules}", f"--user-data-dir={profile}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        yield _address(process, profile / "DevToolsActivePort")
    finally:
        # All of its group: Debian's command is a shell script, which leaves Chromium behind.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(patience.SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _address(process: subprocess.Popen[bytes], written: Path) -> str:
    """Wait until Chromium has written where it listens: the port, then a path."""
    deadline = time.monotonic() + patience.SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        lines = written.read_text().splitlines() if written.exists() else []
        if len(lines) == 2:
            return f"http://127.0.0.1:{lines[0]}"
        time.sleep(0.05)
    raise AssertionError(f"Chromium does not listen; its exit code: {process.poll()}")
