"""Control nets that are given a text of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nodes.models.conditioning.control import Control, with_control
from tests.models.bench import n, opened
from tests.models.conftest import WIDTH, Loaded
from tests.models.test_control import (
    TINY,
    asked,
    by_diffusers,
    hint,
    make,
    net_of,
    plain_folder,
    text,
    tiny_model,
)

__all__ = ["plain_folder", "tiny_model"]


def test_a_control_net_sees_another_text_than_the_denoiser(
    tiny_model: Loaded, plain_folder: Path, tmp_path: Path
):
    module = make(tmp_path, **TINY)
    (positive,) = with_control([[(text(), {})]], Control(net_of(tmp_path), hint(), 0.7))
    other = torch.randn(1, 48, WIDTH, generator=torch.Generator().manual_seed(9))
    told = [(own, {**options, "cross_attn_controlnet": other}) for own, options in positive]
    nets = [(module, hint(), 0.7)]
    expected = by_diffusers(tiny_model, plain_folder, nets, text(), other)
    assert torch.allclose(asked(tiny_model, told, []), expected, atol=1e-4, rtol=1e-4)
    alike = by_diffusers(tiny_model, plain_folder, nets, text())
    assert not torch.allclose(expected, alike, atol=1e-3)


@pytest.mark.parametrize("words", ["dog", "cat"])
async def test_a_prompt_gives_control_nets_a_text(plain_folder: Path, tmp_path: Path, words: str):
    models = tmp_path / "models"
    (models / "checkpoints").mkdir(parents=True)
    (models / "checkpoints" / "tiny").symlink_to(plain_folder, target_is_directory=True)
    make(models / "controlnet", **TINY)
    prompt = {
        "load": n("CheckpointLoaderSimple", ckpt_name="tiny"),
        "cat": n("CLIPTextEncode", text="cat", clip=["load", 1]),
        "told": n(
            "CLIPTextEncodeControlnet", clip=["load", 1], conditioning=["cat", 0], text=words
        ),
        "net": n("ControlNetLoader", control_net_name="net.safetensors"),
        "hint": n("EmptyImage", width=64, height=64, batch_size=1, color=0xFF8800),
        "blank": n("EmptyLatentImage", width=64, height=64, batch_size=1),
    }
    for name in ("cat", "told"):
        prompt |= {
            f"{name} steered": n(
                "ControlNetApply", conditioning=[name, 0], control_net=["net", 0],
                image=["hint", 0], strength=1.0,
            ),
            f"{name} drawn": n(
                "KSampler", model=["load", 0], seed=1, steps=2, cfg=1.0, sampler_name="euler",
                scheduler="normal", positive=[f"{name} steered", 0], negative=["cat", 0],
                latent_image=["blank", 0], denoise=1.0,
            ),
            f"{name} decoded": n("VAEDecode", samples=[f"{name} drawn", 0], vae=["load", 2]),
            f"{name} saved": n("SaveImage", images=[f"{name} decoded", 0], filename_prefix=name),
        }  # fmt: skip
    async with opened(tmp_path / "home", models) as bench:
        (entry,) = await bench.run(prompt)
        assert entry.outcome.status == "success", entry
        difference = abs(bench.image("cat") - bench.image("told")).max()
    assert bool(difference > 1.01 / 255) is (words == "dog")
