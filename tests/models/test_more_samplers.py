"""Samplers and levels of custom sampling that have no name in KSampler."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from nodes import samplers, sigmas
from nodes.models.latents.latents import resized
from nodes.models.sampling import trajectory
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.noise import StepNoise, initial_noise
from nodes.models.sampling.samplers import ModelCall, Sampler
from nodes.models.sampling.schedules import sigmas as scheduled
from nodes.models.sampling.sigma_space import sigma_space
from tests.models.conftest import Loaded

SPACE = sigma_space({})
BLANK = torch.zeros(1, 4, 8, 8)


def test_the_alternative_euler_cfg_pp_is_euler_with_twice_the_guidance(tiny: Loaded):
    texts = tiny.clip.encode("cat"), tiny.clip.encode("dog")
    down = scheduled(tiny.model.space, "normal", 4)

    def drawn(sampler: str | Sampler, scale: float) -> Tensor:
        guider = cfg_guider(tiny.model, *texts, scale)
        return completed(denoise(guider, BLANK, sampler=sampler, sigmas=down, seed=1))

    other = samplers.euler_cfg_pp(version="alternative")
    assert torch.allclose(drawn(other, 1.5), drawn("euler", 3.0), atol=1e-4)
    regular = samplers.euler_cfg_pp(version="regular")
    assert torch.equal(drawn(regular, 1.5), drawn("euler_cfg_pp", 1.5))
    assert not torch.allclose(drawn(regular, 1.5), drawn(other, 1.5), atol=1e-2)


@pytest.mark.parametrize(
    ("ratio", "steps", "sizes"),
    [
        (2.0, -1, [8, 12, 16, 16]),
        (2.0, 1, [8, 16, 16, 16]),
        (1.75, 3, [8, 10, 12, 14]),
        (2.0, 99, [8, 11, 13, 16]),
        (0.5, 2, [8, 6, 4, 4]),
        (1.0, -1, [8, 8, 8, 8]),
    ],
)
def test_latents_grow_evenly_over_the_first_steps(ratio: float, steps: int, sizes: list[int]):
    down = torch.tensor([10.0, 5.0, 2.0, 1.0, 0.0])
    chosen = samplers.lcm_upscale(
        scale_ratio=ratio, scale_steps=steps, upscale_method="nearest-exact"
    )
    walk = chosen.steps(BLANK, down, StepNoise(BLANK, 1), SPACE)
    noise = StepNoise(BLANK, 1)
    seen: list[int] = []
    call: ModelCall = next(walk)
    try:
        while True:
            seen.append(call.x.shape[-1])
            call = walk.send(call.x * 0 + 0.5)
            fresh = noise.of(call.x.shape)
            assert torch.allclose(call.x, 0.5 + fresh * call.sigma, atol=1e-5)
    except StopIteration as stop:
        end: Tensor = stop.value
    assert seen == sizes
    assert torch.equal(end, torch.full((1, 4, sizes[-1], sizes[-1]), 0.5))


def test_growing_latents_keep_what_a_mask_holds(tiny: Loaded):
    latents = initial_noise(BLANK, 5)
    mask = torch.ones(1, 8, 8)
    mask[..., :4] = 0
    chosen = samplers.lcm_upscale(scale_ratio=2.0, upscale_method="bislerp")
    down = scheduled(tiny.model.space, "normal", 4)
    guider = cfg_guider(tiny.model, tiny.clip.encode("cat"), tiny.clip.encode("dog"), 1.5)
    end = completed(denoise(guider, latents, sampler=chosen, sigmas=down, seed=1, mask=mask))
    assert end.shape == (1, 4, 16, 16)
    held = torch.nn.functional.interpolate(latents, size=(16, 16), mode="bilinear")
    assert torch.allclose(end[..., :6], held[..., :6], atol=1e-4)
    assert not torch.allclose(end[..., 10:], held[..., 10:], atol=0.3)


def test_without_growth_it_is_lcm(tiny: Loaded):
    down = scheduled(tiny.model.space, "normal", 3)
    guider = cfg_guider(tiny.model, tiny.clip.encode("cat"))
    chosen = samplers.lcm_upscale(upscale_method="bicubic")
    ends = [
        completed(denoise(guider, BLANK, sampler=sampler, sigmas=down, seed=1))
        for sampler in (chosen, "lcm")
    ]
    assert torch.allclose(ends[0], ends[1], atol=1e-5)
    assert resized(BLANK, "bicubic", 8, 8, crop=False).shape == BLANK.shape


BEND: dict[str, Callable[[float], float]] = {
    "linear": lambda way: way,
    "cosine": lambda way: math.sin(way * math.pi / 2),
    "sine": lambda way: 1 - math.cos(way * math.pi / 2),
}


@pytest.mark.parametrize("spacing", BEND)
@pytest.mark.parametrize(("start", "end"), [(-1.0, 12.0), (8.0, 2.0), (-1.0, 0.0), (0.0, 0.0)])
def test_levels_are_put_between_those_of_a_range(spacing: str, start: float, end: float):
    down = torch.tensor([14.0, 8.0, 2.0, 1.0, 0.0])
    expected: list[float] = []
    for level, to in pairwise([14.0, 8.0, 2.0, 1.0, 0.0]):
        inside = level >= end and (level <= start or start < 0)
        for part in range(3 if inside else 1):
            expected.append(level + (to - level) * BEND[spacing](part / 3))
    found = sigmas.extend_sigmas(
        sigmas=down, steps=3, start_at_sigma=start, end_at_sigma=end, spacing=spacing
    )
    assert torch.allclose(found, torch.tensor([*expected, 0.0]), atol=1e-5)
    assert (found[1:] < found[:-1]).all()


def test_few_levels_stay_as_they_are():
    for levels in (torch.empty(0), torch.tensor([3.0])):
        found = sigmas.extend_sigmas(sigmas=levels, spacing="linear")
        assert torch.equal(found, levels)
    down = torch.tensor([3.0, 1.0, 0.0])
    assert torch.equal(
        sigmas.extend_sigmas(sigmas=down, steps=1, end_at_sigma=0.0, spacing="sine"), down
    )


CIFAR = (80.0, 10.9836, 3.8811, 1.584, 0.5666, 0.1698, 0.002)
"""Six steps for CIFAR-10 with a coefficient of 1.15, as the authors of GITS publish them."""


def test_gits_finds_the_levels_of_its_paper():
    given = list(trajectory.places(0.002, 80.0))
    found = trajectory.levels(6, 1.15, 0.002, 80.0, power=3.0, deviation=0.5, side=32)
    assert found[:4] == pytest.approx(CIFAR[:4], rel=1e-4)

    def place(level: float) -> int:
        return min(range(len(given)), key=lambda n: abs(math.log(given[n] / level)))

    assert all(abs(place(a) - place(b)) <= 2 for a, b in zip(found, CIFAR, strict=True))


def test_gits_gives_falling_levels_of_stable_diffusion():
    for steps in (2, 10, 20, 21, 100):
        found = sigmas.gits_schedule(steps=steps)
        assert (len(found), float(found[-1])) == (steps + 1, 0.0)
        assert float(found[0]) == pytest.approx(14.614642)
        assert (found[1:] < found[:-1]).all(), steps
    ten = sigmas.gits_schedule(steps=10)
    assert torch.equal(sigmas.gits_schedule(steps=10, denoise=0.3), ten[-4:])
    assert len(sigmas.gits_schedule(steps=10, denoise=0.0)) == 0
    middles = [float(sigmas.gits_schedule(coeff=c, steps=10)[5]) for c in (0.8, 1.0, 1.2, 1.5)]
    assert middles == sorted(middles, reverse=True)
