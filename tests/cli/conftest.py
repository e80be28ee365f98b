"""The `soundstage` command as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import patience
from tests.conftest import CHECKOUT


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Soundstage = Callable[..., Said]


@pytest.fixture
def soundstage(tmp_path: Path) -> Soundstage:
    """Run a command with a home of the test's own: ``soundstage("run", "x.json")``."""

    def run(*arguments: str, **environment: str) -> Said:
        made = {"SOUNDSTAGE_HOME": str(tmp_path / "home"), "COLUMNS": "200", **environment}
        done = subprocess.run(
            [sys.executable, "-m", "engine.cli", *arguments],
            cwd=CHECKOUT,
            env=os.environ | made,
            capture_output=True,
            text=True,
            timeout=patience.SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    return run
