"""Saving a picture into a folder that holds fifty thousand already."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.tables import Measures
from engine.store.anonymous_files import AnonymousFiles
from engine.store.db import connect
from engine.store.folders import Folders
from engine.store.outputs import Outputs

FILES = 50_000
RUNS = 500
PICTURE = b"x" * 100_000


def timed(save: Callable[[int], object]) -> list[float]:
    """Milliseconds of each of many runs."""
    found: list[float] = []
    for number in range(RUNS):
        began = time.perf_counter()
        save(number)
        found.append(1e3 * (time.perf_counter() - began))
    return found


def main() -> None:
    """Measure and print."""
    home = Path(tempfile.mkdtemp(prefix="soundstage-benchmark-"))
    try:
        folders = Folders(home)
        folders.create()
        output = folders.root("output")
        for number in range(1, FILES + 1):
            (output / f"ComfyUI_{number:05}_.png").touch()
        outputs = Outputs(folders, connect(home / "cache.db"), AnonymousFiles())
        plain = timed(lambda number: (output / f"plain {number}").write_bytes(PICTURE))

        def save(prefix: str) -> object:
            saved = outputs.save(prefix, "png", PICTURE, "output")
            outputs.flush_counters()
            return saved

        began = time.perf_counter()
        save("ComfyUI")
        first = 1e3 * (time.perf_counter() - began)
        again = timed(lambda _: save("ComfyUI"))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    measures = Measures(f"A picture of 100 kB into a folder of {FILES} files")
    measures.add("written under a name that is known", plain, "ms")
    measures.add("saved under the next free number", again, "ms")
    usual = sorted(plain)[RUNS // 2]
    measures.add("   of that, bookkeeping", [one - usual for one in again], "ms", "<= 1 ms")
    measures.add("the first of its name, which looks at the folder", [first], "ms")
    measures.print()


if __name__ == "__main__":
    main()
