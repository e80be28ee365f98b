"""The pictures that operations without a model give, against the reference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from tests.models.bench import Bench


async def test_every_operation_gives_the_reference_picture(bench: Bench, reference: Path):
    shutil.copy(reference / "parity_in.png", bench.home / "input")
    workflow = json.loads((reference / "ops.workflow_api.json").read_text())
    (entry,) = await bench.run(workflow)
    assert entry.outcome.status == "success", entry
    names: dict[str, str] = json.loads((reference / "ops.names.json").read_text())
    found = {
        name: difference(
            bench.home / "output" / f"op_{name}_00001_.png", reference / "ops" / f"{name}.png"
        )
        for name in names.values()
    }
    assert len(found) == 12
    assert {name: most for name, most in found.items() if most > 1} == {}


def difference(one: Path, other: Path) -> int:
    """The largest difference between two pictures' bytes."""
    with Image.open(one) as first, Image.open(other) as second:
        pixels = [np.asarray(picture).astype(int) for picture in (first, second)]
    assert pixels[0].shape == pixels[1].shape
    return int(np.abs(pixels[0] - pixels[1]).max())
