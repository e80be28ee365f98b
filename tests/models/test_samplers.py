"""Samplers, where the right answer is known: from a reference, or because of mathematics."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

from nodes import samplers as nodes
from nodes.models.sampling.brownian import Brownian
from nodes.models.sampling.flows import Flow
from nodes.models.sampling.noise import StepNoise, initial_noise
from nodes.models.sampling.samplers import BROWNIAN, SAMPLERS, ModelCall, Noise, Sampler
from nodes.models.sampling.samplers.stochastic import reverse_scale
from nodes.models.sampling.schedules import sigmas
from nodes.models.sampling.sigma_space import SigmaSpace, sigma_space

CallT = TypeVar("CallT")
FoundT = TypeVar("FoundT")
SPREAD = 0.5
"""Of pictures that are nothing but normal numbers: what a model says of them is known."""


def driven(asking: Generator[CallT, Tensor, FoundT], reply: Callable[[CallT], Tensor]) -> FoundT:
    """What a generator returns when each of its calls gets a reply."""
    try:
        call = next(asking)
        while True:
            call = asking.send(reply(call))
    except StopIteration as end:
        return end.value


def fresh(name: str, noise: Tensor, down: Tensor, seed: int = 42) -> Noise:
    if name in BROWNIAN:
        return Brownian(noise, seed, float(down[down > 0].min()), float(down.max()))
    return StepNoise(noise, seed)


def walked(name: str, down: Tensor, start: Tensor, **numbers: Any) -> Tensor:
    """Where a sampler ends when pictures are normal numbers."""

    def reply(call: ModelCall) -> Tensor:
        denoised = call.x * SPREAD**2 / (SPREAD**2 + call.sigma**2)
        return torch.stack([denoised, denoised]) if Sampler(name).cfg_pp else denoised

    steps = Sampler(name, numbers).steps(start, down, fresh(name, start, down), sigma_space({}))
    return driven(steps, reply)


def exact(start: Tensor, down: Tensor, end: float) -> Tensor:
    """Where the way without fresh noise ends."""
    return start * math.sqrt((SPREAD**2 + end**2) / (SPREAD**2 + float(down[0]) ** 2))


UNREFERENCED = {
    "euler_ancestral_cfg_pp", "dpm_adaptive", "dpmpp_2s_ancestral_cfg_pp", "dpmpp_2m_sde_heun",
    "dpmpp_2m_sde_heun_gpu", "ipndm_v", "res_multistep_cfg_pp", "res_multistep_ancestral_cfg_pp",
    "gradient_estimation_cfg_pp", "seeds_2", "seeds_3", "sa_solver_pece", "uni_pc_bh2",
}  # fmt: skip
"""Samplers of which no reference numbers are at hand."""


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in UNREFERENCED])
def test_samplers_walk_as_the_reference(name: str, reference: Path):
    def denoised(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        fall = 1 + sigma**2
        return (x + 0.3 * x.tanh()) / fall, 0.8 * x / fall

    compared(name, reference, "sd15_eps", sigma_space({}), denoised)


FLOWS = (
    "euler", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_sde", "lcm", "res_multistep", "uni_pc",
)  # fmt: skip
"""Samplers with reference numbers in a flow model."""


@pytest.mark.parametrize("name", FLOWS)
def test_samplers_walk_as_the_reference_in_a_flow(name: str, reference: Path):
    def denoised(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        part = (1 - sigma) / ((1 - sigma) ** 2 + sigma**2)
        return part * (x + 0.3 * x.tanh()), part * 0.8 * x

    compared(name, reference, "flow_shift3_sd3", Flow(3.0), denoised)


def compared(
    name: str,
    reference: Path,
    model: str,
    space: SigmaSpace,
    denoised: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
) -> None:
    """Compare a sampler with its reference numbers for a model that is a formula."""
    cases = json.loads((reference / "samplers.json").read_text())["samplers"]
    known = {case["sampler"]: case for case in cases if case["model"] == model}
    case = known[name.removesuffix("_gpu")]
    down = torch.tensor(case["sigmas"])
    noise = initial_noise(torch.zeros(1, 4, 4, 4), 42)
    asked: list[Tensor] = []

    def reply(call: ModelCall) -> Tensor:
        asked.append(call.sigma)
        cond, uncond = denoised(call.x, call.sigma)
        return torch.stack([cond, uncond]) if Sampler(name).cfg_pp else cond

    start = space.noised(torch.zeros_like(noise), noise, down[0], first=True)
    found = driven(Sampler(name).steps(start, down, fresh(name, noise, down), space), reply)
    found = space.finished(found, down[-1])
    expected = torch.tensor(case["result"])
    assert len(asked) == case["model_calls"]
    assert (found.flatten() - expected).abs().max() <= 1e-5 * expected.abs().max()


QUIET: dict[str, tuple[dict[str, Any], int]] = {
    "heunpp2": ({}, 1),
    "dpmpp_2s_ancestral": ({"eta": 0.0}, 2),
    "dpmpp_sde": ({"eta": 0.0}, 2),
    "dpmpp_2m_sde": ({"eta": 0.0}, 2),
    "dpmpp_2m_sde_heun": ({"eta": 0.0}, 2),
    "dpmpp_3m_sde": ({"eta": 0.0}, 2),
    "ipndm_v": ({}, 1),
    "deis": ({}, 2),
    "res_multistep": ({}, 2),
    "er_sde": ({"s_noise": 0.0, "scale": partial(reverse_scale, eta=0.0)}, 2),
    "seeds_2": ({"eta": 0.0}, 2),
    "seeds_3": ({"eta": 0.0}, 3),
    "sa_solver": ({"eta": 0.0}, 2),
    "sa_solver_pece": ({"eta": 0.0}, 2),
    "uni_pc": ({}, 2),
    "uni_pc_bh2": ({}, 2),
}
"""The numbers that a sampler takes for the way without fresh noise, and its order."""


@pytest.mark.parametrize("name", QUIET)
def test_twice_the_steps_leave_as_little_error_as_the_order_says(name: str):
    """Down to a level above 0, where the last step of no method is special."""
    numbers, order = QUIET[name]
    start, errors = torch.tensor([[4.0]]).double(), list[float]()
    for steps in (40, 80):
        down = torch.linspace(math.log(4), math.log(0.1), steps + 1).double().exp()
        found = walked(name, down, start, **numbers)
        errors.append(float((found - exact(start, down, 0.1)).abs().max()))
    assert errors[1] < errors[0] / 2 ** (order - 0.35), errors


@pytest.mark.parametrize(
    "name",
    [
        "dpmpp_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde", "er_sde", "seeds_2",
        "seeds_3", "sa_solver", "sa_solver_pece", "res_multistep_ancestral",
        "euler_ancestral_cfg_pp",
    ],
)  # fmt: skip
def test_fresh_noise_keeps_as_much_spread_as_pictures_have(name: str):
    down = sigmas(sigma_space({}), "karras", 60)
    start = initial_noise(torch.zeros(1, 1, 128, 128), 5) * (SPREAD**2 + down[0] ** 2).sqrt()
    found = walked(name, down, start)
    assert float(found.std()) == pytest.approx(SPREAD, rel=0.06)
    together = float((found * start).mean() / found.std() / start.std())
    assert abs(together) < 0.7, "much of the noise at the end is fresh"


@pytest.mark.parametrize("name", [name for name in SAMPLERS if Sampler(name).cfg_pp])
def test_guidance_apart_is_the_plain_sampler_where_guidance_does_nothing(name: str):
    down = sigmas(sigma_space({}), "karras", 8)
    start = initial_noise(torch.zeros(1, 1, 4, 4), 5) * down[0]
    plain = walked(name.removesuffix("_cfg_pp"), down, start)
    assert torch.allclose(walked(name, down, start), plain, rtol=1e-5, atol=1e-6)


def test_an_adaptive_step_is_as_exact_as_asked():
    start, down = torch.tensor([[4.0]]).double(), torch.tensor([4.0, 0.1, 0.0]).double()
    rough, fine = (
        float(
            (
                walked("dpm_adaptive", down, start, rtol=rtol, atol=1e-9) - exact(start, down, 0.1)
            ).abs()
        )
        for rtol in (1e-2, 1e-5)
    )
    assert fine < 1e-4
    assert fine < rough / 10
    assert torch.equal(
        walked("dpm_adaptive", down, start, eta=0.5, order=2),
        walked("dpm_adaptive", down, start, eta=0.5, order=2),
    )


def test_simple_weights_change_little_where_steps_are_small():
    start = torch.tensor([[4.0]]).double()
    down = torch.linspace(math.log(4), math.log(0.1), 81).double().exp()
    orders = {"predictor_order": 2, "corrector_order": 2, "eta": 0.0}
    found = [
        walked("sa_solver", down, start, **orders, simple_order_2=simple)
        for simple in (False, True)
    ]
    assert not torch.equal(*found)
    assert torch.allclose(*found, rtol=1e-3)


def test_more_steps_than_levels_do_no_harm():
    down = sigmas(sigma_space({"num_train_timesteps": 20}), "simple", 30)
    assert bool((down[:-1] == down[1:]).any()), "some steps go nowhere"
    for name in SAMPLERS:
        assert walked(name, down, torch.ones(1, 1, 2, 2) * down[0]).isfinite().all(), name


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_few_steps_do_no_harm(steps: int):
    down = sigmas(sigma_space({}), "karras", steps)
    for name in SAMPLERS:
        assert walked(name, down, torch.ones(1, 1, 2, 2) * down[0]).isfinite().all(), name


def test_a_path_of_noise_is_the_same_however_it_is_asked_for():
    like = torch.zeros(1, 4, 8, 8)
    low, middle, high = (torch.tensor(level) for level in (0.0291675, 1.25, 14.614642))
    path = Brownian(like, 2**64 - 1, float(low), float(high))
    whole = path(high, low) * (high - low).sqrt()
    parts = path(high, middle) * (high - middle).sqrt() + path(middle, low) * (middle - low).sqrt()
    assert torch.allclose(whole, parts, atol=1e-5)
    assert torch.allclose(whole, -path(low, high) * (high - low).sqrt(), atol=1e-5)
    again = Brownian(like, 2**64 - 1, float(low), float(high))
    assert torch.equal(again(middle, low), path(middle, low))
    assert not torch.equal(
        Brownian(like, 1, float(low), float(high))(middle, low), path(middle, low)
    )
    assert float(path(middle, low).std()) == pytest.approx(1, abs=0.2)


def test_the_nodes_of_samplers_give_them_their_numbers():
    down = sigmas(sigma_space({}), "karras", 12)
    start = initial_noise(torch.zeros(1, 1, 8, 8), 5) * down[0]

    def ends(way: Sampler) -> Tensor:
        return walked(way.name, down, start, **way.numbers)

    assert torch.equal(
        ends(nodes.dpmpp_2m_sde(solver_type="midpoint", eta=0.0, noise_device="gpu")),
        walked("dpmpp_2m_sde_gpu", down, start, eta=0.0),
    )
    assert torch.equal(
        ends(nodes.dpmpp_2m_sde(solver_type="heun", noise_device="cpu")),
        walked("dpmpp_2m_sde_heun", down, start),
    )
    loud = nodes.dpmpp_3m_sde(noise_device="cpu")
    assert not torch.allclose(ends(loud), ends(nodes.dpmpp_3m_sde(eta=0.0, noise_device="gpu")))
    with pytest.raises(ValueError, match="r: it must be above 0"):
        nodes.dpmpp_sde(r=0.0, noise_device="cpu")
    assert torch.equal(ends(nodes.dpmpp_sde(noise_device="cpu")), walked("dpmpp_sde", down, start))
    still = ends(nodes.er_sde(solver_type="ODE"))
    assert torch.equal(still, ends(nodes.er_sde(solver_type="Reverse-time SDE", eta=0.0)))
    assert torch.allclose(still, exact(start, down, 0.0), rtol=0.1)
    assert torch.equal(ends(nodes.er_sde(solver_type="ER-SDE")), walked("er_sde", down, start))
    first = ends(nodes.er_sde(solver_type="ODE", max_stage=1))
    assert torch.allclose(first, walked("euler", down, start), rtol=1e-4)
    rough = ends(nodes.dpm_adaptive(rtol=10.0, atol=10.0))
    assert not torch.allclose(rough, ends(nodes.dpm_adaptive()))
    assert nodes.euler_ancestral_cfg_pp(eta=0.5).numbers == {"eta": 0.5, "s_noise": 1.0}
