"""Random `kill -9` of the worker or the service while jobs run: none is lost or ends twice.

    python -m benchmarks.kills --count 1000
    python -m benchmarks.kills --seed 7 --first 412 --count 1

What runs, what is killed and after how many messages follows from the seed and the number of the
kill, so that a part of a sequence can be repeated.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.kill_drill import Drill, Findings
from benchmarks.kill_jobs import KINDS
from engine.models.pull import PullError, pull

FLAGS = ("--nodes", "tests.pack", "--no-preload")
WEIGHTS = {"text": 8, "trivial": 4, "sampler": 3, "speech": 1}


def main() -> None:
    """Strike, then print what was found; the exit code is 1 if something must not be."""
    given = parsed()
    home = Path(tempfile.mkdtemp(prefix="soundstage-kills-"))
    kinds = {kind: WEIGHTS[kind] for kind in given.kinds}
    if "speech" in kinds and not bring_voice(home):
        del kinds["speech"]
    drill = Drill(home, given.seed, kinds, FLAGS)
    numbers = range(given.first, given.first + given.count)
    began = time.monotonic()
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task(f"kills, seed {given.seed}", total=given.count)
        found = asyncio.run(drill.run(numbers, lambda: progress.advance(task)))
    show(found, time.monotonic() - began)
    if found.faults:
        print(*found.faults, sep="\n")
        again = f"--seed {given.seed} --first {given.first} --count {given.count}"
        print(f"its home is {home}; to repeat it: python -m benchmarks.kills {again}")
        sys.exit(1)
    shutil.rmtree(home)


def parsed() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many kills (default: 100)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    parser.add_argument("--first", type=int, default=0, help="number of the first kill")
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS], default=[*KINDS])
    return parser.parse_args()


def bring_voice(home: Path) -> bool:
    """Let the home have the default voice; whether there is one."""
    source = Path(os.environ.get("SOUNDSTAGE_HOME", "home")) / "models"
    try:
        pull("kokoro", source, lambda file, done, total: None)
    except PullError as error:
        print(f"no speech jobs: {error}")
        return False
    (home / "models").mkdir(parents=True)
    (home / "models" / "kokoro").symlink_to((source / "kokoro").resolve())
    return True


def show(found: Findings, seconds: float) -> None:
    """The table."""
    kills = sum(found.kills.values())
    victims = ", ".join(f"{count} of the {victim}" for victim, count in found.kills.items())
    table = Table("what", "number", "goal", title=f"{kills} kills ({victims}) in {seconds:.0f} s")
    for (kind, status), count in sorted(found.ended.items()):
        table.add_row(f"{kind} jobs that ended with {status}", str(count), "")
    table.add_row("jobs that are lost", str(len(found.lost)), "0")
    table.add_row("jobs that ended twice", str(len(found.twice)), "0")
    table.add_row("files that cannot be opened", str(len(found.corrupt)), "0")
    table.add_row("jobs that failed for another reason than kills", str(len(found.failed)), "0")
    table.add_row(
        "files that were saved just before a kill, and again", str(len(found.unnamed)), ""
    )
    Console().print(table)


if __name__ == "__main__":
    main()
