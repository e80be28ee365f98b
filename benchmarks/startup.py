"""From exec to the first 200, and what the idle server weighs; the same with node packs."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request

from benchmarks.service import CHECKOUT, running
from benchmarks.tables import Measures

RUNS = 7
PACKS = CHECKOUT / "tests" / "pack_v1"
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
    with_packs, nodes_of_packs = start_with_packs()
    measures.add("the same with node packs", with_packs, "s", "<= 0.5 s")
    measures.add("exec to the nodes of packs in /object_info", nodes_of_packs, "s", "")
    measures.print()


def start_with_packs() -> tuple[list[float], list[float]]:
    """Seconds to the first answer, and to the first that tells of the packs' nodes."""
    first: list[float] = []
    nodes: list[float] = []
    for _ in range(RUNS):
        with running(port=free_port(), flags=["--custom-nodes", str(PACKS)]) as service:
            wait_for(f"{service.url}/system_stats")
            first.append(time.perf_counter() - service.started)
            wait_for(f"{service.url}/object_info")
            nodes.append(time.perf_counter() - service.started)
    return first, nodes


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
