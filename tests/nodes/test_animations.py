"""Animated files."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from nodes.models.images.animations import apng, webp
from nodes.models.images.pictures import PictureError
from tests.models.bench import Bench, n


async def test_a_batch_becomes_one_moving_file(bench: Bench):
    prompt = {
        "1": n("EmptyImage", width=20, height=10, batch_size=2, color=0xFF0000),
        "2": n("EmptyImage", width=20, height=10, batch_size=1, color=0x0000FF),
        "3": n("ImageBatch", image1=["1", 0], image2=["2", 0]),
        "4": n("SaveAnimatedWEBP", images=["3", 0], filename_prefix="a %width%", fps=5.0,
               lossless=True, quality=50, method="fastest"),
        "5": n("SaveAnimatedPNG", images=["3", 0], filename_prefix="b", fps=5.0, compress_level=9),
    }  # fmt: skip
    (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry
    assert [shown["animated"] for shown in entry.outcome.shown.values()] == [[True]] * 2
    output = bench.home / "output"
    with Image.open(output / "a 20_00001_.webp") as file:
        exif = file.getexif()
        assert json.loads(exif[0x0110].removeprefix("prompt:")) == prompt
        assert json.loads(exif[0x010F].removeprefix("workflow:")) == {"nodes": []}
        assert total_milliseconds(file) == 600
        assert file.convert("RGB").getpixel((0, 0)) == (0, 0, 255)
    with Image.open(output / "b_00001_.png") as file:
        assert json.loads(file.info["prompt"]) == prompt
        assert total_milliseconds(file) == 600
        assert file.convert("RGB").getpixel((0, 0)) == (0, 0, 255)


def total_milliseconds(file: Image.Image) -> float:
    """How long all frames of a file last; equal ones may be stored as one."""
    total = 0.0
    for index in range(getattr(file, "n_frames", 1)):
        file.seek(index)
        file.load()
        total += file.info["duration"]
    return total


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_any_kind_move(channels: int):
    pictures = torch.rand(2, 6, 8, channels)
    assert apng(pictures, {}, fps=1000.0, compression=0).startswith(b"\x89PNG")
    moving = webp(pictures, {}, fps=0.01, lossless=False, quality=0, effort=6)
    assert moving[:4] == b"RIFF"


def test_pictures_of_two_channels_do_not():
    with pytest.raises(PictureError, match="images: pictures of 2 channels cannot be saved"):
        apng(torch.rand(1, 4, 4, 2), {}, fps=1.0, compression=0)
