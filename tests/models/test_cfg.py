"""Rules of guidance, by what their papers say of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes import model_sampling, patches
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling import guiders
from nodes.models.sampling.cfg import (
    CfgInput,
    Guidance,
    cfg_norm,
    cfg_norm_of_noise,
    cfg_zero_star,
    epsilon_scaling,
    fresca,
    mahiro,
    perp_neg,
    plain_cfg,
    rescale_cfg,
    tangential_damping,
    temporal_score_rescaling,
    video_cfg,
)
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider, perp_neg_guider
from nodes.models.sampling.noise import initial_noise
from nodes.models.sampling.schedules import sigmas
from tests.models.conftest import Loaded

linalg: Any = torch.linalg  # has no types
DIMS = (1, 2, 3)


def given(scale: float = 5.0, sigma: float = 2.0, count: int = 3) -> CfgInput:
    x, cond, uncond = (
        initial_noise(torch.zeros(count, 4, 8, 8), seed) * size
        for seed, size in ((1, 3.0), (2, 1.0), (3, 1.0))
    )
    return CfgInput(x, torch.tensor(sigma), cond, uncond, scale)


def same(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, atol=1e-4)


def length(latents: Tensor) -> Tensor:
    return (latents**2).sum(dim=1).sqrt()


def test_rescaled_guidance_has_the_spread_of_what_is_wanted():
    p = given()

    def velocity(denoised: Tensor) -> Tensor:
        return (p.x / (p.sigma**2 + 1) - denoised) * (p.sigma**2 + 1).sqrt() / p.sigma

    assert same(rescale_cfg(0.0)(p), plain_cfg(p))
    found = velocity(rescale_cfg(1.0)(p)).std(dim=DIMS)
    assert same(found, velocity(p.cond).std(dim=DIMS))
    assert not same(velocity(plain_cfg(p)).std(dim=DIMS), found)
    half = (rescale_cfg(0.0)(p) + rescale_cfg(1.0)(p)) / 2
    assert same(rescale_cfg(0.5)(p), half)


def test_uncond_counts_as_much_as_it_is_like_cond():
    """CFG-Zero*: on denoised latents, with the share of the noise, in plain sums."""
    p = given()
    cond, uncond = ((p.x - answer).flatten(1) for answer in (p.cond, p.uncond))
    share = ((cond * uncond).sum(1) / (uncond * uncond).sum(1)).reshape(-1, 1, 1, 1)
    expected = share * p.uncond + 5 * (p.cond - share * p.uncond)
    assert same(cfg_zero_star(p, plain_cfg(p)), expected)
    alike = replace(p, uncond=p.cond)
    assert same(cfg_zero_star(alike, plain_cfg(alike)), p.cond)
    assert not same(cfg_zero_star(p, p.cond), cfg_zero_star(p, plain_cfg(p))), "keeps the answer"


def test_guidance_is_as_long_as_cond():
    p = given()
    rule = cfg_norm_of_noise(1.0)
    assert same(length(p.x - rule(p)), length(p.x - p.cond))
    assert same(cfg_norm_of_noise(0.0)(p), plain_cfg(p))
    found = cfg_norm(0.5)(p, plain_cfg(p))
    assert same(length(found), length(plain_cfg(p)).minimum(length(p.cond)) / 2)


def test_damped_noise_of_uncond_lies_along_what_it_shares_with_cond():
    p = given()
    found = tangential_damping(p)
    assert found.cond is p.cond
    for x, cond, uncond, damped in zip(p.x, p.cond, p.uncond, found.uncond, strict=True):
        noise = torch.stack([(x - uncond).flatten(), (x - cond).flatten()])
        vectors: Tensor = linalg.eigh(noise @ noise.T)[1]  # the last is of the largest value
        shared = vectors[:, -1] @ noise
        shared = shared / shared.square().sum().sqrt()
        assert same((x - damped).flatten(), (noise[0] @ shared) * shared)


def test_mahiro_lies_between_the_answer_and_scaled_cond():
    p = given()
    answer = plain_cfg(p)
    opposite = replace(p, uncond=-(5 * p.cond + answer) / 10)
    assert same(mahiro(opposite, answer), 5 * p.cond), "nothing is alike"
    alike = replace(p, uncond=(5 * p.cond + answer) / 10)
    assert same(mahiro(alike, answer), answer)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_function_for_cfg_and_one_after_it_both_act(tiny: Loaded, swapped: bool):
    def rescale(model: Denoiser) -> Denoiser:
        return patches.rescale(model=model, multiplier=0.7)

    def norm(model: Denoiser) -> Denoiser:
        return patches.norm(model=model, strength=0.9).patched_model

    def zero(model: Denoiser) -> Denoiser:
        return patches.cfg_zero_star(model=model).patched_model

    p = given()
    for after in (norm, zero):
        first, second = (after, rescale) if swapped else (rescale, after)
        found = second(first(tiny.model)).guidance.combine(p)
        expected = after(tiny.model).guidance.apply_post_cfg(p, rescale_cfg(0.7)(p))
        assert same(found, expected)
        assert not same(found, after(tiny.model).guidance.combine(p))


def test_coarse_and_fine_are_guided_apart():
    p = given()
    assert same(fresca(1.0, 1.0, 2)(p).cond, p.cond)
    fine = fresca(0.0, 1.0, 1)(p)
    assert same((fine.cond - fine.uncond).mean(dim=(2, 3)), torch.zeros(3, 4))
    flat = replace(p, cond=p.uncond + 1)
    assert same(fresca(3.0, 0.0, 1)(flat).cond, p.uncond + 3)
    assert same(fresca(2.0, 0.0, 99)(p).cond, p.uncond + 2 * (p.cond - p.uncond))


def test_pictures_of_a_video_are_guided_more_and_more():
    p = given(scale=5.0)
    grown = video_cfg(1.0, there_and_back=False)(p)
    back = video_cfg(1.0, there_and_back=True)(p)
    for place, (up, round_trip) in enumerate([(1.0, 1.0), (3.0, 5.0), (5.0, 1.0)]):
        assert same(grown[place], plain_cfg(replace(p, scale=up))[place])
        assert same(back[place], plain_cfg(replace(p, scale=round_trip))[place])
    one = given(count=1)
    assert same(video_cfg(1.0, there_and_back=False)(one), one.cond)


def test_noise_that_is_found_is_scaled():
    p = given()
    assert same(epsilon_scaling(1.0)(p, p.cond), p.cond)
    assert same(epsilon_scaling(2.0)(p, p.cond), (p.x + p.cond) / 2)
    assert same(temporal_score_rescaling(1.0, 1.0)(p, p.cond), p.cond)
    late, early = replace(p, sigma=torch.tensor(1e-4)), replace(p, sigma=torch.tensor(1e4))
    assert same(temporal_score_rescaling(0.5, 1.0)(late, p.cond), (p.x + p.cond) / 2)
    assert same(temporal_score_rescaling(0.5, 1.0)(early, p.cond), p.cond)


def test_only_what_is_across_counts_of_the_negative():
    p = replace(given(), cond=torch.zeros(1, 4, 2, 2), scale=2.0)
    p.cond[:, 0], empty = 1.0, torch.zeros(1, 4, 2, 2)
    across = torch.zeros(1, 4, 2, 2)
    across[:, 1] = 1.0
    assert same(perp_neg(replace(p, uncond=3 * p.cond), empty, 1.0), 2 * p.cond)
    found = perp_neg(replace(p, uncond=3 * p.cond + across), empty, 0.5)
    assert same(found, 2 * (p.cond - across / 2))


def asked(request: StepRequest) -> Tensor:
    return evaluate([request])[0]


def patched(tiny: Loaded, model: Denoiser) -> Denoiser:
    """A model with the weights of the tiny one."""
    model.bind(tiny.model.network)
    return model


def test_rules_hold_where_a_model_is_asked(tiny: Loaded):
    positive, negative = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    x = initial_noise(torch.zeros(1, 4, 8, 8), 3) * 3

    def found(model: Denoiser, scale: float, sigma: float = 3.0) -> Tensor:
        guided = patched(tiny, model)
        return asked(
            StepRequest(cfg_guider(guided, positive, negative, scale), x, torch.tensor(sigma))
        )

    early = patches.override(model=tiny.model, cfg=5.0, start_percent=0.0, end_percent=0.5)
    middle = tiny.model.space.percent_to_sigma(0.5)
    above, below = middle * 1.1, middle * 0.9
    assert same(found(early, 1.0, above), found(tiny.model, 5.0, above))
    assert same(found(early, 2.0, below), found(tiny.model, 2.0, below))
    last = patches.override(model=early, cfg=3.0)
    assert same(found(last, 1.0, above), found(tiny.model, 3.0, above)), "the last one counts"
    sharp = patches.scale_noise(model=tiny.model, scaling_factor=1.25)
    assert same(found(sharp, 4.0), x - (x - found(tiny.model, 4.0)) / 1.25)
    assert same(found(sharp, 1.0), x - (x - found(tiny.model, 1.0)) / 1.25)
    doubled = patches.scale_frequencies(model=tiny.model, scale_low=2.0, scale_high=2.0)
    assert same(found(doubled, 2.0), found(tiny.model, 4.0))
    scales, guided = (2.0, 3.0), patched(tiny, sharp)
    dual = guiders.dual_cfg_guider(guided, positive, positive, negative, scales)
    bare = guiders.dual_cfg_guider(tiny.model, positive, positive, negative, scales)
    of_both = [asked(StepRequest(each, x, torch.tensor(3.0))) for each in (dual, bare)]
    assert same(of_both[0], x - (x - of_both[1]) / 1.25)
    across = perp_neg_guider(guided, positive, positive, negative, 2.0, 1.0)
    expected = x - (x - found(tiny.model, 2.0)) / 1.25
    assert same(asked(StepRequest(across, x, torch.tensor(3.0))), expected)


def test_guidance_is_no_matter_of_the_network(tiny: Loaded):
    text, x = tiny.clip.encode("cat"), torch.zeros(1, 4, 8, 8)

    def key(model: Denoiser) -> Any:
        return StepRequest(cfg_guider(model, text), x, torch.ones(())).key

    other = model_sampling.discrete_sampling(model=tiny.model, sampling="eps")
    assert key(other) != key(tiny.model), "what was trained otherwise is asked apart"
    assert key(patches.rescale(model=tiny.model)) == key(tiny.model)


def test_a_mask_says_when_a_place_begins_to_change(tiny: Loaded):
    latents = torch.randn(1, 4, 8, 8)
    mask = torch.full((1, 8, 8), 0.5)
    mask[..., :2], mask[..., 6:] = 0.0, 1.0
    down = sigmas(tiny.model.space, "normal", 6, 0.9)
    text = tiny.clip.encode("cat")

    def found(strength: float | None) -> Tensor:
        model = patched(tiny, patches.differ(model=tiny.model, strength=strength))
        more: dict[str, Any] = {"sampler": "euler", "sigmas": down, "seed": 1, "mask": mask}
        return completed(denoise(cfg_guider(model, text), latents, **more))

    by_time, blended = found(None), found(0.0)
    plain_mask: dict[str, Any] = {"sampler": "euler", "sigmas": down, "seed": 1, "mask": mask}
    assert torch.equal(
        blended, completed(denoise(cfg_guider(tiny.model, text), latents, **plain_mask))
    )
    assert not torch.allclose(by_time[..., 3:5], blended[..., 3:5], atol=1e-2)
    assert torch.allclose(by_time[..., :2], latents[..., :2], atol=0.2), "in the last step alone"
    assert not torch.allclose(by_time[..., 6:], latents[..., 6:], atol=0.5)


def test_nodes_change_guidance_and_leave_their_models_alone(tiny: Loaded):
    model = tiny.model
    for patched in (
        patches.rescale(model=model),
        patches.norm(model=model, pre_cfg=True).patched_model,
        patches.guide_linearly(model=model),
        patches.guide_there_and_back(model=model),
    ):
        assert patched.guidance.cfg_function is not plain_cfg
    for patched in (
        patches.cfg_zero_star(model=model),
        patches.mahiro(model=model),
        patches.norm(model=model),
        patches.rescale_score(model=model),
    ):
        assert len(patched.patched_model.guidance.post_cfg) == 1
    assert len(patches.tangential_damping(model=model).patched_model.guidance.pre_cfg) == 1
    assert model.guidance == Guidance()
