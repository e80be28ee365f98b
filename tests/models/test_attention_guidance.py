"""Guidance by disturbed attention, and patches of a UNet where a model is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nodes import patches as cfg_nodes
from nodes import unet_patches as nodes
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.patched_unet import UNetPatch
from nodes.models.networks.unet_patches import PerturbedAttention, RecordedAttention
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.noise import initial_noise
from nodes.models.sampling.schedules import sigmas
from tests.models.conftest import Loaded

X = initial_noise(torch.zeros(2, 4, 8, 8), 3) * 3
SIGMA = torch.tensor(3.0)


def found(tiny: Loaded, model: Denoiser, scale: float = 2.0, x: Tensor = X) -> Tensor:
    """What a patched model answers to two texts."""
    model.bind(tiny.model.network)
    guider = cfg_guider(model, tiny.clip.encode("cat"), tiny.clip.encode("dog"), scale)
    return evaluate([StepRequest(guider, x, SIGMA)])[0]


def alone(tiny: Loaded, text: str, *patches: UNetPatch, x: Tensor = X) -> Tensor:
    """What the network answers to one text."""
    guider = cfg_guider(replace(tiny.model, unet_patches=patches), tiny.clip.encode(text))
    guider.model.bind(tiny.model.network)
    return evaluate([StepRequest(guider, x, SIGMA)])[0]


def test_perturbed_attention_is_guided_away_from(tiny: Loaded):
    cond, uncond = alone(tiny, "cat"), alone(tiny, "dog")
    disturbed = alone(tiny, "cat", PerturbedAttention())
    model = nodes.perturbed_attention(model=tiny.model, scale=1.5)
    expected = uncond + 2 * (cond - uncond) + 1.5 * (cond - disturbed)
    assert torch.allclose(found(tiny, model), expected, atol=1e-4)
    assert torch.allclose(found(tiny, model, 1.0), cond + 1.5 * (cond - disturbed), atol=1e-4)
    assert not torch.allclose(cond, disturbed, atol=1e-3)
    norm = cfg_nodes.norm(model=model).patched_model
    after = norm.guidance.post_cfg[1]
    assert callable(after)
    assert torch.allclose(found(tiny, norm), norm_of(expected, cond), atol=1e-4), "in their order"


def norm_of(answer: Tensor, cond: Tensor) -> Tensor:
    lengths = [tensor.square().sum(dim=1, keepdim=True).sqrt() for tensor in (cond, answer)]
    return answer * (lengths[0] / lengths[1]).clamp(max=1)


@pytest.mark.parametrize("scale", [2.0, 1.0])
def test_what_is_looked_at_is_blurred_and_guided_away_from(tiny: Loaded, scale: float):
    cond, uncond = alone(tiny, "cat"), alone(tiny, "dog")
    seen = RecordedAttention()
    alone(tiny, "dog", seen)
    mask = (torch.cat(seen.seen) > 1).float().reshape(2, 1, 4, 4)
    assert 0 < float(mask.mean()) < 1
    mask = mask.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    places = torch.arange(-4.0, 5.0)
    line = torch.exp(-(places**2) / (2 * 2.0**2))
    line = line / line.sum()
    mirrored = torch.nn.functional.pad(uncond, [4] * 4, mode="reflect")
    blurred = torch.zeros_like(uncond)
    for row in range(9):
        for column in range(9):
            part = mirrored[..., row : row + 8, column : column + 8]
            blurred += line[row] * line[column] * part
    degraded = blurred * mask + uncond * (1 - mask)
    again = alone(tiny, "dog", x=degraded + X - uncond)
    model = nodes.self_attention(model=tiny.model, scale=0.5)
    expected = uncond + scale * (cond - uncond) + 0.5 * (degraded - again)
    assert torch.allclose(found(tiny, model, scale), expected, atol=1e-4)


def test_small_latents_are_not_blurred(tiny: Loaded):
    x = X[..., :4, :]
    model = nodes.self_attention(model=tiny.model)
    assert torch.allclose(found(tiny, model, x=x), found(tiny, tiny.model, x=x), atol=1e-5)


def test_jobs_with_and_without_patches_share_a_batch(tiny: Loaded):
    """Each is answered as alone, though their requests have one key."""
    models = [
        tiny.model,
        nodes.hyper_tile(model=tiny.model, tile_size=32),
        nodes.perturbed_attention(model=tiny.model),
        nodes.self_attention(model=nodes.merge_tokens(model=tiny.model, ratio=0.5)),
        nodes.downscale(
            model=tiny.model, block_number=1, downscale_method="bicubic", upscale_method="bicubic",
            end_percent=1.0,
        ),
    ]  # fmt: skip
    text, none = tiny.clip.encode("cat"), tiny.clip.encode("")
    requests: list[StepRequest] = []
    for model in models:
        model.bind(tiny.model.network)
        requests.append(StepRequest(cfg_guider(model, text, none, 2.0), X, SIGMA))
    assert len({request.key for request in requests}) == 1
    together = evaluate(requests)
    for request, each in zip(requests, together, strict=True):
        assert torch.allclose(each, evaluate([request])[0], atol=1e-5)
    for index, each in enumerate(together[1:], 1):
        assert not torch.allclose(each, together[0], atol=1e-3), index


def test_a_deep_shrink_ends_at_its_percent(tiny: Loaded):
    model = nodes.downscale(
        model=tiny.model, block_number=1, downscale_method="area", upscale_method="bilinear",
        start_percent=0.0, end_percent=0.5,
    )  # fmt: skip
    model.bind(tiny.model.network)
    middle = tiny.model.space.percent_to_sigma(0.5)
    text = tiny.clip.encode("cat")
    for factor, differs in ((1.1, True), (0.9, False)):
        level = torch.tensor(middle * factor)
        ends = [
            evaluate([StepRequest(cfg_guider(each, text), X, level)])[0]
            for each in (model, tiny.model)
        ]
        assert torch.allclose(ends[0], ends[1], atol=1e-5) is not differs


@pytest.mark.parametrize("sampler", ["euler", "euler_cfg_pp", "heun"])
def test_samplers_run_with_every_patch_at_once(tiny: Loaded, sampler: str):
    model = nodes.free_u_v2(model=tiny.model)
    model = nodes.perturbed_attention(model=nodes.hyper_tile(model=model))
    model = nodes.self_attention(model=nodes.merge_tokens(model=model))
    model = cfg_nodes.rescale(model=cfg_nodes.cfg_zero_star(model=model).patched_model)
    model = cfg_nodes.tangential_damping(model=model).patched_model
    model.bind(tiny.model.network)
    guider = cfg_guider(model, tiny.clip.encode("cat"), tiny.clip.encode("dog"), 3.0)
    down = sigmas(model.space, "normal", 3)
    walk = denoise(guider, torch.zeros(1, 4, 8, 8), sampler=sampler, sigmas=down, seed=1)
    assert completed(walk).isfinite().all()


def test_models_without_a_unet_are_refused_by_name(tiny: Loaded):
    config = {key: value for key, value in tiny.model.source.config.items() if "block" not in key}
    other = replace(tiny.model, source=replace(tiny.model.source, config=config))
    with pytest.raises(ValueError, match="FreeU changes UNets"):
        nodes.free_u(model=other)
