"""What a POST costs while thousands wait: the first five hundred against the last."""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import time
import uuid
from itertools import count
from typing import Any

from aiohttp import ClientSession

from benchmarks.service import running
from benchmarks.tables import Measures
from benchmarks.trivial_prompt import Caller

LONG = 4  # as many as run at once, so that the others wait
WAITING = 5000
SLICE = 500


def long() -> dict[str, Any]:
    """A prompt that runs until it is interrupted."""
    log = {"log": os.devnull}
    sleep = {"value": 1, "steps": 10**5, "seconds": 10**4} | log
    return {
        "1": {"class_type": "Sleep", "inputs": sleep},
        "2": {"class_type": "Show", "inputs": {"value": ["1", 0]} | log},
    }


async def measure(url: str) -> list[float]:
    """Milliseconds of each POST, one after the other, on one connection."""
    async with ClientSession() as session:
        for _ in range(LONG):
            async with session.post(f"{url}/prompt", json={"prompt": long()}) as answer:
                assert answer.status == 200, await answer.text()
    host, port = url.removeprefix("http://").split(":")
    caller = Caller(*await asyncio.open_connection(host, int(port)), uuid.uuid4().hex)
    found: list[float] = []
    for color in count(secrets.randbelow(2**23)):
        began = time.perf_counter()
        await caller.post(color)
        found.append(1e3 * (time.perf_counter() - began))
        if len(found) == WAITING:
            break
    return found


def main() -> None:
    """Measure and print."""
    with running(flags=("--nodes", "tests.pack")) as service:
        posts = asyncio.run(measure(service.url))
    first, last = posts[:SLICE], posts[-SLICE:]
    measures = Measures(f"POST /prompt while up to {WAITING} jobs wait")
    measures.add(f"the first {SLICE}", first, "ms")
    measures.add(f"the last {SLICE}", last, "ms")
    ratio = statistics.median(last) / statistics.median(first)
    measures.add("last by first", [ratio], "", "about 1")
    measures.print()


if __name__ == "__main__":
    main()
