"""From exec to the first 200, and what the idle server weighs."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request

from benchmarks.service import running
from benchmarks.tables import Measures

RUNS = 7
IDLE_SECONDS = 3.0


def main() -> None:
    """Measure and print."""
    first_answer: list[float] = []
    rss: list[float] = []
    for _ in range(RUNS):
        with running(port=free_port()) as service:
            wait_for(f"{service.url}/system_stats")
            first_answer.append(time.perf_counter() - service.started)
            time.sleep(IDLE_SECONDS)
            rss.append(service.rss_megabytes())
    measures = Measures("Start")
    measures.add("exec to first 200 on /system_stats", first_answer, "s", "<= 0.5 s")
    measures.add("resident memory of the idle server", rss, "MB", "<= 120 MB")
    measures.print()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    """Ask until it answers 200."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except urllib.error.URLError:
            time.sleep(0.002)


if __name__ == "__main__":
    main()
