"""The benchmark for a GPU runs in its tiny form wherever the tests run."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import gpu


def test_every_row_is_measured(tmp_path: Path):
    file = tmp_path / "numbers.json"
    gpu.main(["--tiny", "--json", str(file)])
    rows = {row["name"]: row["values"] for row in json.loads(file.read_text())["rows"]}
    for name in ("tiny-sd15", "tiny-sdxl"):
        assert len(rows[f"{name}: a picture of 64 px, 20 steps"]) == gpu.TINY_RUNS
        assert f"{name}: one LoRA for another" in rows
    assert all(value > 0 for value in rows["tiny-sd15: that against one after another"])
    assert all(len(values) > 0 for values in rows.values())
