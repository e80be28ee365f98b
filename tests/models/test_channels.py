"""Models whose latents have more channels, or larger cells: blank latents become their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nodes.models.latents.latents import blank_for
from tests.models.bench import Bench, Prompt, n, opened
from tests.models.conftest import make_tiny_folder

KINDS = {
    "sixteen": {"channels": 16},
    "without_1x1": {"channels": 16, "use_quant_conv": False, "use_post_quant_conv": False},
    "usual_scale": {"channels": 16, "scaling_factor": 0.18215},
    "wide_cells": {"channels": 24, "levels": 5},
    "small_cells": {"channels": 4, "levels": 3},
    "usual": {"channels": 4},
}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    """A home without models of its own, and a folder of tiny ones of all kinds."""
    models = tmp_path / "models"
    for name, kind in KINDS.items():
        made: dict[str, Any] = dict(kind)
        make_tiny_folder(models / "checkpoints" / name, **made)
    async with opened(tmp_path / "home", models) as bench:
        yield bench


def prompt(name: str, blank: dict[str, Any], *, custom: bool) -> Prompt:
    """A picture of 64x48 by a model, from blank latents, by KSampler or with a sampler's parts."""
    texts = {"positive": ["2", 0], "negative": ["2", 0], "latent_image": ["4", 0]}
    sampler = (
        n("SamplerCustom", model=["1", 0], add_noise=True, noise_seed=1, cfg=2.0, sampler=["8", 0],
          sigmas=["9", 0], **texts)
        if custom
        else n("KSampler", model=["1", 0], seed=1, steps=2, cfg=2.0, sampler_name="euler",
               scheduler="normal", denoise=1.0, **texts)
    )  # fmt: skip
    return {
        "1": n("CheckpointLoaderSimple", ckpt_name=name),
        "2": n("CLIPTextEncode", text="cat", clip=["1", 1]),
        "4": blank,
        "5": sampler,
        "6": n("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": n("SaveImage", images=["6", 0], filename_prefix=f"{name}{custom}"),
        "8": n("KSamplerSelect", sampler_name="euler"),
        "9": n("BasicScheduler", model=["1", 0], scheduler="normal", steps=2, denoise=1.0),
        "10": n("VAEDecode", samples=["4", 0], vae=["1", 2]),
        "11": n("SaveImage", images=["10", 0], filename_prefix=f"blank{name}{custom}"),
        "12": n("VAEDecodeTiled", samples=["4", 0], vae=["1", 2], tile_size=64, overlap=0,
                temporal_size=64, temporal_overlap=8),
        "13": n("SaveImage", images=["12", 0], filename_prefix=f"tiled{name}{custom}"),
    }  # fmt: skip


async def test_a_blank_latent_makes_a_picture_of_its_size_with_every_model(bench: Bench):
    blanks = {
        False: n("EmptyLatentImage", width=64, height=48, batch_size=1),
        True: n("EmptySD3LatentImage", width=64, height=48, batch_size=1),
    }
    asked = [(name, custom) for name in KINDS for custom in blanks]
    entries = await bench.run(*(prompt(name, blanks[c], custom=c) for name, c in asked))
    wrong = [e.outcome for e in entries if e.outcome.status != "success"]
    assert not wrong, wrong
    for name, custom in asked:
        assert bench.image(f"{name}{custom}").shape == (48, 64, 3)
        if KINDS[name]["channels"] != 4:  # else it is decoded as any latent of its own
            assert bench.image(f"blank{name}{custom}").shape == (48, 64, 3)
            assert bench.image(f"tiled{name}{custom}").shape == (48, 64, 3)


async def test_a_latent_of_another_model_that_holds_something_is_refused_by_name(bench: Bench):
    other = prompt("sixteen", n("VAEEncode", pixels=["21", 0], vae=["20", 2]), custom=False)
    other["20"] = n("CheckpointLoaderSimple", ckpt_name="usual")
    other["21"] = n("EmptyImage", width=64, height=48, batch_size=1, color=255)
    del other["10"], other["11"], other["12"], other["13"]
    (entry,) = await bench.run(other)
    assert entry.outcome.status == "error"
    assert "the latent has 4 channels and this model works on 16" in str(entry.outcome)


SIDES = st.integers(1, 40)


@given(
    kind=st.sampled_from([4, 16, 64, 128]),
    channels=st.integers(1, 64),
    factor=st.sampled_from([1, 2, 4, 8, 16, 32]),
    sides=st.tuples(st.integers(1, 3), SIDES, SIDES),
)
def test_a_blank_latent_keeps_its_count_and_pixels(
    kind: int, channels: int, factor: int, sides: tuple[int, int, int]
):
    count, rows, columns = sides
    blank = torch.zeros(count, kind, rows, columns)
    made = blank_for(blank, channels, factor)
    assert not made.any()
    assert made.shape[:2] == (count, channels)
    if kind == channels != 4:
        return
    side = {64: 32, 128: 16}.get(kind, 8)
    for now, before in zip(made.shape[2:], (rows, columns), strict=True):
        assert now == 1 or now * factor <= before * side < (now + 1) * factor
    blank[0, 0, 0, 0] = 1
    assert blank_for(blank, channels, factor) is blank, "it holds something"
