"""The shipped demo model, loaded by diffusers from its folder, draws what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

from training import score, sheet

ASKED = [
    "red apple",
    "pizza",
    "rocket",
    "cat face",
    "dog face",
    "guitar",
    "banana",
    "strawberry",
    "hamburger",
    "doughnut",
    "birthday cake",
    "sunflower",
    "cactus",
    "mushroom",
    "penguin",
    "frog",
    "panda",
    "tropical fish",
    "octopus",
    "butterfly",
    "house",
    "sailboat",
    "automobile",
    "airplane",
    "rainbow",
    "soccer ball",
    "umbrella",
    "red heart",
    "robot",
    "crown",
]


@pytest.fixture(scope="module")
def pipeline() -> Iterator[StableDiffusionPipeline]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield sheet.load(sheet.FOLDER)
    torch.set_num_threads(threads)


def test_names_are_recognised_among_all_pictures(pipeline: StableDiffusionPipeline):
    """A few of those that are drawn by nodes, see `tests.models.test_demo_model`."""
    few = ASKED[:6]
    found = [score.nearest(image) for image in sheet.draw(pipeline, few)]
    assert sum(name == other for name, other in zip(few, found, strict=True)) >= 5, found


def test_the_background_is_white(pipeline: StableDiffusionPipeline):
    image = sheet.draw(pipeline, ["rocket, white background"])[0]
    corners = np.stack([image[:8, :8], image[:8, -8:], image[-8:, :8], image[-8:, -8:]])
    assert np.median(corners) > 0.96


def test_the_folder_is_small_and_names_its_sources():
    files = [path for path in sheet.FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40 * 2**20
    assert not [path for path in files if path.suffix in {".bin", ".pt", ".ckpt", ".pkl"}]
    notice = (sheet.FOLDER / "NOTICE").read_text()
    assert "Fluent Emoji" in notice
    assert "emojibase" in notice


def test_at_least_two_hundred_pictures_are_told_apart():
    labels = (Path(score.HERE) / "labels.txt").read_text().splitlines()
    assert len(set(labels)) == len(labels) >= 200
    assert set(ASKED) <= set(labels)
    tiles = score.references()
    noise = np.random.default_rng(0).normal(0, 0.1, tiles.shape)
    assert [score.nearest(tile) for tile in tiles + noise] == labels
