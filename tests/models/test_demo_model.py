"""The built-in model through the nodes: thirty names asked for, thirty pictures looked at."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes.models.files.checkpoints import read_checkpoint
from nodes.models.sampling.sigma_space import Discrete
from tests.models.bench import Bench, Prompt, n, opened
from tests.training.test_demo_model import ASKED
from training import score

RIGHT_AT_LEAST = 27
SIDE = 128


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    """A home without any model of its own."""
    async with opened(tmp_path / "home", tmp_path / "models") as made:
        yield made


def picture(name: str, seed: int) -> Prompt:
    """The prompt that draws a name."""
    sampler: dict[str, Any] = {
        "model": ["1", 0],
        "seed": seed,
        "steps": 20,
        "cfg": 3.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "positive": ["2", 0],
        "negative": ["3", 0],
        "latent_image": ["4", 0],
        "denoise": 1.0,
    }
    return {
        "1": n("CheckpointLoaderSimple", ckpt_name="demo"),
        "2": n("CLIPTextEncode", text=name, clip=["1", 1]),
        "3": n("CLIPTextEncode", text="", clip=["1", 1]),
        "4": n("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=1),
        "5": n("KSampler", **sampler),
        "6": n("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": n("SaveImage", images=["6", 0], filename_prefix=name),
    }


async def test_thirty_names_are_drawn_so_that_their_pictures_are_nearest(bench: Bench):
    prompts = [picture(name, seed) for seed, name in enumerate(ASKED)]
    entries = await bench.run(*prompts)
    assert {entry.outcome.status for entry in entries} == {"success"}, entries
    found = [score.nearest(bench.image(name)) for name in ASKED]
    wrong = {name: other for name, other in zip(ASKED, found, strict=True) if name != other}
    assert len(ASKED) - len(wrong) >= RIGHT_AT_LEAST, wrong


async def test_an_asked_for_white_background_is_white(bench: Bench):
    (entry,) = await bench.run(picture("rocket, white background", 1))
    assert entry.outcome.status == "success", entry
    shown = bench.image("rocket, white background")
    corners = np.stack([shown[:8, :8], shown[:8, -8:], shown[-8:, :8], shown[-8:, -8:]])
    assert float(np.median(corners)) > 0.96


def test_the_model_is_a_diffusers_folder_in_the_package():
    folder = Path(score.HERE).parent / "nodes" / "models" / "demo"
    found = read_checkpoint(folder)
    assert found.denoiser.latent.scaling_factor == 1.0
    assert isinstance(found.denoiser.space, Discrete)
    assert found.denoiser.space.prediction == "v_prediction"
    assert (folder / "NOTICE").exists()
