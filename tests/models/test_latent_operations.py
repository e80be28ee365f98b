"""Operations on latents, and attention that counts more or less, against plain computations."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes import latent_operations as nodes
from nodes import unet_patches
from nodes.models.latents.operations import Sharpen, Tonemap
from nodes.models.networks.unet_patches import ScaledAttention
from tests.models.bench import n, opened
from tests.models.conftest import Loaded
from tests.models.test_attention_guidance import alone, found
from tests.models.test_unet_patches import asked, same, tiny_unet


def length(latents: Tensor) -> Tensor:
    return latents.square().sum(dim=0).sqrt()


def test_lengths_are_pressed_below_a_limit_and_directions_stay():
    latents = torch.randn(2, 4, 8, 8)
    latents[0, :, 3, 3] *= 50
    pressed = Tonemap(1.0)(latents)
    for one, made in zip(latents, pressed, strict=True):
        lengths, after = length(one), length(made)
        limit = lengths.mean() + 5 * lengths.std()
        assert torch.allclose(after, lengths / (lengths / limit + 1), atol=1e-4)
        assert torch.allclose(made / after, one / lengths, atol=1e-4)
    assert torch.equal(Tonemap(1.0)(latents * 0), latents * 0)


@pytest.mark.parametrize("radius", [1, 3, 20])
def test_flat_latents_stay_and_edges_get_sharper(radius: int):
    sharpen = Sharpen(radius, 1.0, 0.1)
    flat = torch.randn(1, 4, 1, 1).expand(1, 4, 12, 12)
    assert torch.allclose(sharpen(flat), flat, atol=1e-4)
    edge = torch.ones(1, 1, 12, 12)
    edge[..., 6:] = -1
    made = sharpen(edge)[0, 0, 6]
    assert float(made[5] - made[6]) > 2


def test_sharpening_takes_away_what_a_gaussian_sees_of_directions():
    latents = torch.randn(1, 3, 6, 7)
    size = length(latents[0])
    units = torch.nn.functional.pad(latents / size, [1] * 4, mode="reflect")[0]
    weights = {(y, x): 2.718281828 ** (-0.5 * (y * y + x * x) / 0.8**2)
               for y in (-1, 0, 1) for x in (-1, 0, 1)}  # fmt: skip
    total = sum(weights.values())
    seen = sum(
        weight / total * units[:, 1 + y : 7 + y, 1 + x : 8 + x]
        for (y, x), weight in weights.items()
    )
    alpha = 0.2 * 10
    expected = size * (units[:, 1:-1, 1:-1] * (1 + alpha) - alpha * seen)
    assert torch.allclose(Sharpen(1, 0.8, 0.2)(latents)[0], expected, atol=1e-4)


def halved(latents: Tensor) -> Tensor:
    return latents * 0.5


def test_an_operation_changes_what_guidance_goes_by(tiny: Loaded):
    cond, uncond = alone(tiny, "cat"), alone(tiny, "dog")
    model = nodes.apply_before_cfg(model=tiny.model, operation=halved)
    assert torch.allclose(found(tiny, model), uncond + (cond - uncond), atol=1e-4)
    assert torch.allclose(found(tiny, model, 1.0), cond * 0.5, atol=1e-4)


@pytest.mark.parametrize("cross", [True, False])
def test_attention_is_that_of_larger_weights(cross: bool):
    torch.default_generator.manual_seed(2)
    unet = tiny_unet()
    patched = asked(unet, ScaledAttention(cross, 1.5, 0.7, 1.2, 0.6))
    plain = asked(unet)
    for name, module in unet.named_modules():
        if name.endswith("attn2" if cross else "attn1"):
            for layer, factor in ((module.to_q, 1.5), (module.to_k, 0.7), (module.to_v, 1.2),
                                  (module.to_out[0], 0.6)):  # fmt: skip
                layer.weight.data *= factor
            module.to_out[0].bias.data *= 0.6
    assert same(patched, asked(unet))
    assert not same(patched, plain)


def test_nodes_scale_each_kind_of_attention(tiny: Loaded):
    for make, cross in (
        (unet_patches.scale_self_attention, False),
        (unet_patches.scale_cross_attention, True),
    ):
        model = make(model=tiny.model, q=2.0)
        assert model.unet_patches == (ScaledAttention(cross, 2.0, 1.0, 1.0, 1.0),)
    config = {key: value for key, value in tiny.model.source.config.items() if "block" not in key}
    other = replace(tiny.model, source=replace(tiny.model.source, config=config))
    with pytest.raises(ValueError, match="UNetSelfAttentionMultiply changes UNets"):
        unet_patches.scale_self_attention(model=other)


async def test_prompts_apply_operations_to_models_of_diffusers_folders(
    tiny_folder: Path, tmp_path: Path
):
    models = tmp_path / "models"
    shutil.copytree(tiny_folder, models / "diffusers" / "tiny")
    prompt: dict[str, Any] = {
        "1": n("DiffusersLoader", model_path="tiny"),
        "2": n("LatentOperationTonemapReinhard", multiplier=1.0),
        "3": n("LatentApplyOperationCFG", model=["1", 0], operation=["2", 0]),
        "4": n("CLIPTextEncode", clip=["1", 1], text="a cat"),
        "5": n("EmptyLatentImage", width=64, height=64, batch_size=1),
        "6": n("KSampler", model=["3", 0], seed=1, steps=1, cfg=2.0, sampler_name="euler",
               scheduler="normal", positive=["4", 0], negative=["4", 0],
               latent_image=["5", 0], denoise=1.0),
        "7": n("LatentOperationSharpen", sharpen_radius=9, sigma=1.0, alpha=0.1),
        "8": n("LatentApplyOperation", samples=["6", 0], operation=["7", 0]),
        "9": n("SaveLatent", samples=["8", 0], filename_prefix="x"),
    }  # fmt: skip
    async with opened(tmp_path / "home", models) as bench:
        (entry,) = await bench.run(prompt)
    assert entry.outcome.status == "success", entry.outcome
