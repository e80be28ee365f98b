"""The command in a folder of another program, whose modules have the names of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests import patience
from tests.run.conftest import n

THEIRS = ("nodes.py", "server.py", "torch.py", "engine/__init__.py", "comfy/__init__.py")


def test_a_job_runs_where_a_checkout_of_another_program_is(tmp_path: Path):
    checkout = tmp_path / "checkout"
    for name in THEIRS:
        file = checkout / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"raise RuntimeError('{name} of another program was imported')\n")
    prompt = {
        "1": n("EmptyImage", width=8, height=8, batch_size=1, color=0),
        "2": n("SaveImage", images=["1", 0], filename_prefix="here"),
    }
    (checkout / "prompt.json").write_text(json.dumps(prompt))
    home = tmp_path / "home"
    command = [sys.executable, "-P", "-m", "engine.cli", "run", "prompt.json", "--home", str(home)]
    done = subprocess.run(
        command,
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert (done.returncode, "another program" in done.stderr) == (0, False), done.stderr
    assert [file.name for file in (home / "output").iterdir()] == ["here_00001_.png"]
