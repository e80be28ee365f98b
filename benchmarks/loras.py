"""What a prompt of ten loaders costs where there are 5 000 LoRAs, against a folder of ten.

Also how late the server comes to other requests meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from benchmarks.service import running
from benchmarks.tables import Measures

LOADERS = 10
MANY = 5000
FOLDERS = 20
TIMES = 20


def prompt() -> dict[str, Any]:
    """Ten nodes that choose a LoRA each, and are shown."""
    nodes: dict[str, Any] = {}
    for number in range(LOADERS):
        lora = {"lora": f"s{number}/0.safetensors"}
        shown = {"value": [f"l{number}", 0], "log": os.devnull}
        nodes[f"l{number}"] = {"class_type": "NameOfLora", "inputs": lora}
        nodes[f"s{number}"] = {"class_type": "Show", "inputs": shown}
    return nodes


def fill(loras: Path, files: int) -> None:
    """Files in twenty folders."""
    for folder in range(FOLDERS):
        (loras / f"s{folder}").mkdir(parents=True)
        for number in range(max(1, files // FOLDERS)):
            (loras / f"s{folder}" / f"{number}.safetensors").touch()


async def measure(url: str) -> tuple[list[float], float]:
    """Milliseconds of each POST, and the longest that the event loop came too late."""
    async with ClientSession() as session:
        took: list[float] = []
        for _ in range(TIMES):
            began = time.perf_counter()
            async with session.post(f"{url}/prompt", json={"prompt": prompt()}) as answer:
                assert answer.status == 200, await answer.text()
            took.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.1)
        async with session.get(f"{url}/system_stats") as answer:
            lag: float = (await answer.json())["loop"]["longest_lag_ms"]
    return took, lag


def main() -> None:
    """Print both, and their ratio."""
    measures = Measures(f"{LOADERS} loaders")
    medians: list[float] = []
    for files in (LOADERS, MANY):
        with tempfile.TemporaryDirectory(prefix="soundstage-benchmark-") as folder:
            home = Path(folder)
            fill(home / "models" / "loras", files)
            with running(home, flags=["--nodes", "tests.pack", "--no-preload"]) as service:
                took, lag = asyncio.run(measure(service.url))
        medians.append(sorted(took)[len(took) // 2])
        measures.add(f"POST, {files} LoRAs", took, "ms")
        measures.add(f"the event loop comes late by, {files} LoRAs", [lag], "ms", "< 50")
    measures.add("ratio of the medians", [medians[1] / medians[0]], "x", "< 2")
    measures.print()


if __name__ == "__main__":
    main()
