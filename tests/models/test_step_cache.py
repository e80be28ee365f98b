"""EasyCache and LazyCache: steps that reuse answers, where little changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes import step_cache as nodes
from nodes import unet_patches
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.samplers import Sampler
from nodes.models.sampling.schedules import sigmas
from nodes.models.sampling.step_cache import CachedSteps, StepCache, noise_in, without_noise
from tests.models.conftest import Loaded

STEPS = 8
ALWAYS: Any = {"start_percent": 0.0, "end_percent": 1.0}


def evaluated(
    tiny: Loaded, model: Denoiser, sampler: str | Sampler = "euler"
) -> tuple[Tensor, int]:
    """What a model draws of two texts, and how many latents its network was asked about."""
    count = 0

    def asked(module: object, inputs: tuple[Tensor, ...], output: object) -> None:
        nonlocal count
        count += len(inputs[0])

    model.bind(tiny.model.network)
    guider = cfg_guider(model, tiny.clip.encode("cat"), tiny.clip.encode("dog"), 2.0)
    down = sigmas(model.space, "normal", STEPS)
    hook = tiny.model.network.module.get_submodule("conv_in").register_forward_hook(asked)
    try:
        walk = denoise(guider, torch.zeros(1, 4, 8, 8), sampler=sampler, sigmas=down, seed=1)
        return completed(walk), count
    finally:
        hook.remove()


@pytest.mark.parametrize("node", [nodes.easy_cache, nodes.lazy_cache])
def test_nothing_is_reused_at_a_threshold_of_0(tiny: Loaded, node: Callable[..., Denoiser]):
    plain, whole = evaluated(tiny, tiny.model)
    assert whole == 2 * STEPS
    found, count = evaluated(tiny, node(model=tiny.model, reuse_threshold=0.0, **ALWAYS))
    assert (count, torch.equal(found, plain)) == (whole, True)


@pytest.mark.parametrize("node", [nodes.easy_cache, nodes.lazy_cache])
def test_the_higher_the_threshold_the_more_is_reused(tiny: Loaded, node: Callable[..., Denoiser]):
    counts = [
        evaluated(tiny, node(model=tiny.model, reuse_threshold=threshold, **ALWAYS))[1]
        for threshold in (0.05, 0.3, 3.0)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < 2 * STEPS
    late = node(model=tiny.model, reuse_threshold=3.0, start_percent=0.5, end_percent=0.5)
    assert evaluated(tiny, late)[1] == 2 * STEPS, "nothing outside of the part"
    again = node(model=tiny.model, reuse_threshold=3.0, **ALWAYS)
    first, second = evaluated(tiny, again), evaluated(tiny, again)
    assert torch.equal(first[0], second[0]), "the next sampling begins anew"


def test_an_answer_is_reused_by_the_rule_of_the_paper():
    """Numbers by hand: the error adds up by the rate at the last whole step."""
    sigma, shape = torch.tensor(1.0), (1, 1, 2, 2)

    def full(value: float) -> Tensor:
        return torch.full(shape, value)

    cached = CachedSteps(StepCache(0.5, 2.0, 0.5))
    for x, v in ((1.0, 4.0), (2.0, 6.0)):  # the rate is 2, and v lies 4 beyond x
        assert cached.taken(full(x), sigma, "same") is None
        cached.keep(full(x), [full(v)], "same")
    error, before, output = 0.0, 2.0, 6.0
    for x in (2.5, 3.0, 3.5, 4.0):
        error += 2 * (x - before) / output
        taken = cached.taken(full(x), sigma, "same")
        assert (taken is None) is (error >= 0.5), x
        if taken is None:
            break
        assert torch.equal(taken[0], full(x + 4))
        before, output = x, x + 4
    else:
        raise AssertionError("the error never reached the threshold")
    cached.keep(full(4.0), [full(9.0)], "same")
    assert cached.error == 0
    assert cached.taken(full(4.1), sigma, "other texts") is None
    assert cached.taken(full(4.1), torch.tensor(9.0), "same") is None


def test_reused_answers_are_guided_anew(tiny: Loaded):
    """EasyCache keeps what each text is answered; LazyCache what guidance makes of it."""
    cat, dog = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    levels = [torch.tensor(level) for level in (3.0, 2.9, 2.8)]
    ends: dict[bool, Tensor] = {}
    for guided in (False, True):
        model = replace(tiny.model, caches=(StepCache(9.0, 99.0, 0.0, guided),))
        model.bind(tiny.model.network)
        guider = cfg_guider(model, cat, dog, 3.0)
        for level in levels:
            ends[guided] = evaluate([StepRequest(guider, x * level, level)])[0]
    space = tiny.model.space
    alone = [
        evaluate([StepRequest(cfg_guider(tiny.model, text), x * levels[1], levels[1])])[0]
        for text in (cat, dog)
    ]
    inputs = [space.network_input(x * level, level) for level in levels]
    reused = [
        without_noise(
            x * levels[2],
            noise_in(x * levels[1], each, levels[1]) - inputs[1] + inputs[2],
            levels[2],
        )
        for each in alone
    ]
    expected = reused[1] + 3 * (reused[0] - reused[1])
    assert torch.allclose(ends[False], expected, atol=1e-4)
    kept = alone[1] + 3 * (alone[0] - alone[1])
    noise = noise_in(x * levels[1], kept, levels[1]) - inputs[1] + inputs[2]
    assert torch.allclose(ends[True], without_noise(x * levels[2], noise, levels[2]), atol=1e-4)


def test_another_text_is_never_answered_from_what_is_kept(tiny: Loaded):
    model = replace(tiny.model, caches=(StepCache(9.0, 99.0, 0.0),))
    model.bind(tiny.model.network)
    middle = tiny.model.space.percent_to_sigma(0.5)
    (cat,), (dog,) = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    texts = [(cat[0], {"end_percent": 0.5}), (dog[0], {"start_percent": 0.5})]
    guider = cfg_guider(model, texts)
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    for level in (1.3, 1.2, 1.1):
        evaluate([StepRequest(guider, x, torch.tensor(middle * level))])
    after = torch.tensor(middle * 0.9)
    expected = evaluate([StepRequest(cfg_guider(tiny.model, [dog]), x, after)])[0]
    assert torch.allclose(evaluate([StepRequest(guider, x, after)])[0], expected, atol=1e-5)


@pytest.mark.parametrize("sampler", ["euler_cfg_pp", "heun", "dpmpp_2m_sde"])
def test_samplers_and_extra_passes_go_with_both(tiny: Loaded, sampler: str):
    model = unet_patches.self_attention(model=unet_patches.perturbed_attention(model=tiny.model))
    whole = evaluated(tiny, model, sampler)[1]
    for node in (nodes.easy_cache, nodes.lazy_cache):
        found, count = evaluated(tiny, node(model=model, reuse_threshold=3.0, **ALWAYS), sampler)
        assert found.isfinite().all()
        assert count < whole


def test_reused_steps_are_logged_where_that_is_wanted(
    tiny: Loaded, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO):
        for verbose in (False, True):
            model = nodes.easy_cache(
                model=tiny.model, reuse_threshold=3.0, verbose=verbose, **ALWAYS
            )
            _, count = evaluated(tiny, model)
            lines = [each for each in caplog.messages if each.startswith("EasyCache")]
            assert len(lines) == (STEPS - count // 2 if verbose else 0)


def test_jobs_that_reuse_answers_share_a_batch_with_others(tiny: Loaded):
    cached = replace(tiny.model, caches=(StepCache(9.0, 99.0, 0.0),))
    cached.bind(tiny.model.network)
    text = tiny.clip.encode("cat")
    guiders = [cfg_guider(model, text) for model in (tiny.model, cached, tiny.model)]
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    answers: list[Tensor] = []
    for level in (3.0, 2.9, 2.8):
        requests = [StepRequest(guider, x, torch.tensor(level)) for guider in guiders]
        answers = evaluate(requests)
    assert torch.equal(answers[0], answers[2])
    assert not torch.equal(answers[0], answers[1])
    assert all(each.shape == x.shape for each in answers)
