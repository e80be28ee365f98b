"""Guidance by APG, RenormCFG and Perp-Neg, against their papers in plain numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nodes import guidance, patches
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling.cfg import CfgInput, plain_cfg, rescale_cfg
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import Guider, cfg_guider, perp_neg_guider
from nodes.models.sampling.projected import AdaptiveProjection
from nodes.models.sampling.renormed import renormed
from nodes.models.sampling.schedules import sigmas
from tests.models.conftest import Loaded
from tests.models.test_attention_guidance import SIGMA, X, alone, found
from tests.models.test_cfg import given, same


def apg(p: CfgInput, eta: float, most: float, momentum: float, sum_before: Tensor) -> Tensor:
    """Algorithm 1 of the paper, a picture at a time; what is summed up is changed in place."""
    ends: list[Tensor] = []
    for cond, uncond, before in zip(p.cond, p.uncond, sum_before, strict=True):
        before.copy_(cond - uncond + momentum * before)
        difference = before.clone()
        length = float(difference.square().sum().sqrt())
        if most > 0 and length > most:
            difference *= most / length
        along = float((difference * cond).sum() / (cond * cond).sum())
        orthogonal = difference - along * cond
        ends.append(cond + (p.scale - 1) * (orthogonal + eta * along * cond))
    return torch.stack(ends)


@pytest.mark.parametrize("momentum", [0.0, -0.5])
@pytest.mark.parametrize(("eta", "most"), [(0.0, 0.0), (0.3, 5.0), (1.0, 0.0), (-1.0, 900.0)])
def test_apg_is_the_algorithm_of_its_paper(eta: float, most: float, momentum: float):
    rule = AdaptiveProjection(eta, most, momentum)
    p, sum_before = given(), torch.zeros(3, 4, 8, 8)
    for step, sigma in enumerate((2.0, 1.0, 0.5)):
        now = replace(p, sigma=torch.tensor(sigma), cond=p.cond * (1 + step))
        expected = apg(now, eta, most, momentum, sum_before)
        assert same(plain_cfg(rule(now)), expected), step
    if eta == 1 and most == 0 and momentum == 0:
        assert same(plain_cfg(rule(p)), plain_cfg(p)), "that is plain CFG"


def test_the_momentum_of_apg_begins_anew_with_each_sampling(tiny: Loaded):
    model = guidance.project_guidance(model=tiny.model, eta=0.5, momentum=-0.7)
    model.bind(tiny.model.network)
    guider = cfg_guider(model, tiny.clip.encode("cat"), tiny.clip.encode("dog"), 3.0)
    down = sigmas(model.space, "normal", 3)
    blank = torch.zeros(1, 4, 8, 8)

    def drawn(asked: Guider) -> Tensor:
        return completed(denoise(asked, blank, sampler="euler", sigmas=down, seed=1))

    first = drawn(guider)
    assert torch.equal(first, drawn(guider))
    still = guidance.project_guidance(model=tiny.model, eta=0.5)
    still.bind(tiny.model.network)
    other = cfg_guider(still, tiny.clip.encode("cat"), tiny.clip.encode("dog"), 3.0)
    assert not torch.allclose(first, drawn(other), atol=1e-3)


def test_the_noise_of_renormed_guidance_is_no_longer_than_that_of_cond():
    p = given()
    for most in (0.5, 1.0, 100.0):
        answer = renormed(most)(p, plain_cfg(p))
        for x, cond, guided, end in zip(p.x, p.cond, plain_cfg(p), answer, strict=True):
            noise, longest = x - guided, most * float((x - cond).square().sum().sqrt())
            length = float(noise.square().sum().sqrt())
            assert same(end, x - noise * min(1.0, longest / length))


def test_renormed_guidance_is_for_the_first_part_of_the_sampling(tiny: Loaded):
    model = guidance.renorm(model=tiny.model, cfg_trunc=0.4, renorm_cfg=0.0)
    middle = tiny.model.space.percent_to_sigma(0.4)
    texts = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    model.bind(tiny.model.network)
    for level, scale in ((middle * 1.1, 4.0), (middle * 0.9, 1.0)):
        asked = [
            StepRequest(cfg_guider(each, *texts, cfg), X, torch.tensor(level))
            for each, cfg in ((model, 4.0), (tiny.model, scale))
        ]
        ours, plain = (evaluate([request])[0] for request in asked)
        assert same(ours, plain)
    assert guidance.renorm(model=tiny.model).guidance.scale_overrides == ()


@pytest.mark.parametrize("scale", [4.0, 1.0])
def test_perp_neg_as_a_patch_guides_as_its_guider(tiny: Loaded, scale: float):
    cat, dog, empty = (tiny.clip.encode(text) for text in ("cat", "dog", ""))
    model = guidance.perpendicular(model=tiny.model, empty_conditioning=empty, neg_scale=0.8)
    guider = perp_neg_guider(tiny.model, cat, dog, empty, scale, 0.8)
    expected = evaluate([StepRequest(guider, X, SIGMA)])[0]
    assert same(found(tiny, model, scale), expected)
    one, none, nothing = (alone(tiny, text) for text in ("cat", "dog", ""))
    across = none - nothing
    across = across - (one - nothing) * float(
        (across * (one - nothing)).sum() / (one - nothing).square().sum()
    )
    assert same(expected, nothing + scale * (one - nothing - 0.8 * across))


@pytest.mark.parametrize("swapped", [False, True])
def test_perp_neg_goes_with_functions_for_cfg_in_any_order(tiny: Loaded, swapped: bool):
    empty = tiny.clip.encode("")

    def perp(model: Denoiser) -> Denoiser:
        return guidance.perpendicular(model=model, empty_conditioning=empty)

    def rescale(model: Denoiser) -> Denoiser:
        return patches.rescale(model=model, multiplier=0.7)

    first, second = (rescale, perp) if swapped else (perp, rescale)
    one, none, nothing = (alone(tiny, text) for text in ("cat", "dog", ""))
    away = none - nothing
    away = away - (one - nothing) * (
        (away * (one - nothing)).sum() / (one - nothing).square().sum()
    )
    p = CfgInput(X, SIGMA, one - away, nothing, 4.0)
    assert same(found(tiny, second(first(tiny.model)), 4.0), rescale_cfg(0.7)(p))


def test_jobs_with_other_conditionings_share_a_batch(tiny: Loaded):
    cat, dog, empty = (tiny.clip.encode(text) for text in ("cat", "dog", ""))
    models = [
        tiny.model,
        guidance.perpendicular(model=tiny.model, empty_conditioning=empty),
        guidance.renorm(model=guidance.project_guidance(model=tiny.model)),
    ]
    requests: list[StepRequest] = []
    for model in models:
        model.bind(tiny.model.network)
        requests.append(StepRequest(cfg_guider(model, cat, dog, 3.0), X, SIGMA))
    assert len({request.key for request in requests}) == 1
    together = evaluate(requests)
    for request, each in zip(requests, together, strict=True):
        assert torch.allclose(each, evaluate([request])[0], atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("sampler", ["euler_cfg_pp", "heun"])
def test_samplers_run_with_all_of_them(tiny: Loaded, sampler: str):
    model = guidance.perpendicular(model=tiny.model, empty_conditioning=tiny.clip.encode(""))
    model = guidance.project_guidance(model=guidance.renorm(model=model), momentum=-0.5)
    model = patches.rescale(model=model)
    model.bind(tiny.model.network)
    guider = cfg_guider(model, tiny.clip.encode("cat"), tiny.clip.encode("dog"), 3.0)
    down = sigmas(model.space, "normal", 3)
    walk = denoise(guider, torch.zeros(1, 4, 8, 8), sampler=sampler, sigmas=down, seed=1)
    assert completed(walk).isfinite().all()
