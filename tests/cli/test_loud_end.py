"""A service that cannot run jobs any more ends, and says why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import patience


def test_a_service_whose_worker_can_never_be_started_ends_with_the_reason(tmp_path: Path):
    home = os.fsencode(tmp_path) + b"/caf\xe9"  # no UTF-8: no settings can be sent to a worker
    command = [sys.executable, "-m", "engine.cli", "serve", "--port", "0", "--home", home]
    ended = subprocess.run(
        command, capture_output=True, timeout=patience.SECONDS, check=False, errors="replace"
    )
    assert ended.returncode == 1
    assert "the service ends as no job can run any more" in ended.stderr.splitlines()[-1]
