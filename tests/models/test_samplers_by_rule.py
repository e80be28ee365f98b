"""Samplers by rules: flows, steps of no length, leftover noise, latents of any number of axes."""

from __future__ import annotations

import weakref
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nodes.models.sampling.brownian import Brownian
from nodes.models.sampling.denoise import denoise, fitted_mask
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.flows import Flow
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.noise import StepNoise, initial_noise
from nodes.models.sampling.samplers import SAMPLERS, ModelCall, Sampler
from nodes.models.sampling.samplers.multistep import ipndm_v
from nodes.models.sampling.schedules import sigmas
from nodes.models.sampling.sigma_space import SigmaSpace, sigma_space
from tests.models.bench import numbers
from tests.models.conftest import Loaded
from tests.models.test_samplers import SPREAD, driven, fresh

BLURRING = {"lcm"}
"""Goes to the mean of what is possible at once, from where spread does not come back."""


def of_normal_pictures(name: str, down: Tensor, start: Tensor, space: SigmaSpace) -> Tensor:
    """Where a sampler ends when pictures are normal numbers of the deviation `SPREAD`."""

    def reply(call: ModelCall) -> Tensor:
        alpha = space.alpha(call.sigma)
        signal = alpha * SPREAD**2
        denoised = call.x * signal / (alpha * signal + call.sigma**2)
        return torch.stack([denoised, denoised]) if Sampler(name).cfg_pp else denoised

    return driven(Sampler(name).steps(start, down, fresh(name, start, down), space), reply)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in BLURRING])
def test_in_a_flow_every_sampler_ends_with_as_much_spread_as_pictures_have(name: str):
    space = Flow(3.0)
    down = sigmas(space, "simple", 60)
    start = initial_noise(torch.zeros(1, 1, 96, 96), 5)
    found = of_normal_pictures(name, down, start, space)
    assert float(found.std()) == pytest.approx(SPREAD, rel=0.1)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 4, 3, 4, 6)])
def test_every_sampler_takes_sounds_and_videos(name: str, shape: tuple[int, ...]):
    """The numbers of a latent are sampled each for itself, however they are laid out."""
    space = Flow(3.0)
    down = sigmas(space, "simple", 5)
    start = initial_noise(torch.zeros(shape), 5)
    found = of_normal_pictures(name, down, start, space)
    flat = of_normal_pictures(name, down, start.reshape(1, 1, 1, -1), space)
    assert torch.allclose(found.reshape(flat.shape), flat, atol=1e-6)


def test_ipndm_v_is_the_published_rule():
    """On a slope that is sigma cubed, worked out here from the formulas in plain floats."""
    t = [9.0, 6.0, 3.5, 1.5, 0.5]
    d = [level**3 for level in t]
    h = [b - a for a, b in pairwise(t)]
    second = (1 - h[2] / (3 * (h[2] + h[1])) * h[2] * (h[2] + h[1]) / (h[1] * (h[1] + h[0]))) / 2
    expected = 0.0
    expected += h[0] * d[0]
    expected += h[1] * ((2 + h[1] / h[0]) / 2 * d[1] - h[1] / h[0] / 2 * d[0])
    expected += h[2] * (
        ((2 + h[2] / h[1]) / 2 + second) * d[2]
        - (h[2] / h[1] / 2 + (1 + h[1] / h[0]) * second) * d[1]
        + second * h[1] / h[0] * d[0]
    )
    a, b, c, e = h[3], h[2], h[1], h[0]
    one = (1 - a / (3 * (a + b)) * a * (a + b) / (b * (b + c))) / 2
    two = (1 - a / (3 * (a + b))) / 2 + (1 - a / (2 * (a + b))) * a / (6 * (a + b + c))
    two *= a * (a + b) * (a + b + c) / (b * (b + c) * (b + c + e))
    q = b * (b + c) / (c * (c + e))
    expected += a * (
        ((2 + a / b) / 2 + one + two) * d[3]
        - (a / b / 2 + (1 + b / c) * one + (1 + b / c + q) * two) * d[2]
        + (one * b / c + (b / c + q * (1 + c / e)) * two) * d[1]
        - two * q * b / c * d[0]
    )
    walk = ipndm_v(torch.zeros(1).double(), torch.tensor(t).double(), StepNoise(torch.zeros(1), 0))
    found = driven(walk, lambda call: call.x - call.sigma**4)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_heunpp2_asks_at_no_sigma_where_it_ends():
    """With leftover noise as well: its last step is Euler's."""
    down = torch.tensor([4.0, 2.0, 1.0, 0.5])
    asked: list[float] = []

    def reply(call: ModelCall) -> Tensor:
        asked.append(float(call.sigma))
        return torch.zeros_like(call.x)

    space = sigma_space({})
    driven(Sampler("heunpp2").steps(torch.ones(1), down, StepNoise(torch.ones(1), 1), space), reply)
    assert asked == [4, 2, 1, 2, 1, 1]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_step_of_no_length_harms_nothing(name: str):
    space = sigma_space({})
    down = torch.tensor([9.0, 4.0, 4.0, 2.0, 1.0, 1.0, 0.3, 0.0])
    start = initial_noise(torch.zeros(1, 1, 4, 4), 5) * 9
    assert of_normal_pictures(name, down, start, space).isfinite().all()


@pytest.mark.parametrize("name", ["euler", "lms", "deis", "ipndm_v", "uni_pc", "res_multistep"])
def test_a_step_of_no_length_leaves_the_way_of_an_ode_alone(name: str):
    space = sigma_space({})
    twice = torch.tensor([9.0, 4.0, 4.0, 2.0, 1.0, 1.0, 0.3, 0.0])
    once = torch.tensor([9.0, 4.0, 2.0, 1.0, 0.3, 0.0])
    start = initial_noise(torch.zeros(1, 1, 4, 4), 5) * 9
    ends = [of_normal_pictures(name, down, start, space) for down in (twice, once)]
    assert torch.allclose(*ends, rtol=1e-5)


def test_the_noise_of_an_ancestral_step_counts_every_step():
    """The noise after a repeated sigma is the second that is drawn, not the first."""
    space = sigma_space({})
    start = torch.zeros(1, 1, 2, 2)
    drawn = StepNoise(start, 7)
    _, second = (drawn(torch.ones(()), torch.ones(())) for _ in range(2))
    down = torch.tensor([2.0, 2.0, 1.0])
    walk = Sampler("euler_ancestral").steps(start, down, StepNoise(start, 7), space)
    found = driven(walk, lambda call: call.x)
    assert torch.allclose(found, second * 0.75**0.5)


class Draws(TorchDispatchMode):
    """Counts how often random numbers are drawn."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += "normal" in str(func) or "randn" in str(func)
        return func(*args, **(kwargs or {}))


def test_a_path_of_noise_draws_nothing_twice_that_it_drew_lately():
    like = torch.zeros(1, 4, 8, 8)
    down = sigmas(sigma_space({}), "karras", 20)[:-1]

    def drawn(path: Brownian, *levels: Tensor) -> int:
        with Draws() as draws:
            path(*levels)
        return draws.count

    def path() -> Brownian:
        return Brownian(like, 3, float(down[-1]), float(down[0]))

    one = path()
    along = sum(drawn(one, start, end) for start, end in pairwise(down))
    apart = sum(drawn(path(), start, end) for start, end in pairwise(down))
    assert along < 0.46 * apart, "half would be each moment once from the root"
    middle = (down[3] + down[4]) / 2
    assert drawn(one, down[-2], down[-1]) < 5, "these were the last"
    assert torch.equal(one(down[3], middle), path()(down[3], middle))


@pytest.mark.parametrize("name", [name for name in SAMPLERS if not Sampler(name).cfg_pp])
def test_samplers_keep_the_last_answers_alone(name: str):
    space = sigma_space({})
    down = sigmas(space, "karras", 20)
    start = initial_noise(torch.zeros(1, 1, 4, 4), 5) * down[0]
    given: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def reply(call: ModelCall) -> Tensor:
        alive.append(sum(answer() is not None for answer in given))
        answer = call.x / (1 + call.sigma**2)
        given.append(weakref.ref(answer))
        return answer

    driven(Sampler(name).steps(start, down, fresh(name, start, down), space), reply)
    assert max(alive) <= 5, "four are used at most, and the one that is just given"


@pytest.mark.parametrize("name", ["heun", "dpm_2", "dpmpp_2s_ancestral", "sa_solver_pece"])
def test_what_a_step_denoised_is_its_first_answer(tiny: Loaded, name: str):
    down = torch.tensor([6.0, 3.1, 1.5])
    calls: list[tuple[float, Tensor]] = []

    def reply(request: StepRequest) -> Tensor:
        (found,) = evaluate([request])
        calls.append((float(request.sigma), found))
        return found

    asked = cfg_guider(tiny.model, tiny.clip.encode("cat"))
    walk = denoise(asked, torch.zeros(1, 4, 8, 8), sampler=name, sigmas=down, seed=1)
    finished = driven(walk, reply)
    first = next(i for i, (sigma, _) in enumerate(calls) if sigma == float(down[1]))
    if name == "heun":
        first += 1  # its corrector asks there too, before the last step
    assert torch.equal(finished.denoised, calls[first][1] / tiny.model.latent.scaling_factor)
    assert len(calls) > first + 1


def test_a_mask_is_laid_on_the_guided_answer_alone(tiny: Loaded):
    """CFG++ takes the noise from the unconditional answer as the model gave it."""
    mask = torch.zeros(1, 64, 64)
    mask[..., 32:] = 1
    latents = initial_noise(torch.zeros(1, 4, 8, 8), 4)
    text = tiny.clip.encode("cat")
    asked = cfg_guider(tiny.model, text, tiny.clip.encode(""), 2.0)
    down = torch.tensor([6.0, 3.0])
    noise = initial_noise(latents, 1)

    def reply(request: StepRequest) -> Tensor:
        return torch.stack([torch.zeros_like(noise), torch.ones_like(noise)])

    walk = denoise(asked, latents, sampler="euler_cfg_pp", sigmas=down, seed=1, mask=mask)
    found = driven(walk, reply).latents * tiny.model.latent.scaling_factor
    clean = latents * tiny.model.latent.scaling_factor
    x = clean + noise * 6.0
    kept = torch.cat([clean[..., :4], torch.zeros(1, 4, 8, 4)], dim=-1)
    assert torch.allclose(found, kept + (x - 1) / 6.0 * 3.0, atol=1e-5)


def test_a_mask_covers_latents_of_any_number_of_axes():
    half = torch.zeros(1, 8, 8)
    half[..., 4:] = 1
    assert fitted_mask(half, torch.zeros(2, 4, 4, 4)).shape == (2, 1, 4, 4)
    video = fitted_mask(half, torch.zeros(2, 16, 3, 4, 4))
    assert video.shape == (2, 1, 3, 4, 4)
    assert numbers(video[1, 0, 2, 0]) == [0, 0, 1, 1]
    assert fitted_mask(torch.ones(1, 6), torch.zeros(1, 64, 12)).shape == (1, 1, 12)
