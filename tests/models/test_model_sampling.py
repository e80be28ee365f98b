"""Nodes that say what noise means to a denoiser."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor

from nodes import model_sampling as nodes
from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.noise import initial_noise
from nodes.models.sampling.schedules import sigmas
from nodes.models.sampling.sigma_space import sigma_space
from tests.models.bench import numbers
from tests.models.conftest import Loaded

Numbers: TypeAlias = Callable[[float], float]
Outputs: TypeAlias = Callable[[float], Tensor]
CLEAN, NOISE = (initial_noise(torch.zeros(2, 4, 4, 4), seed) for seed in (1, 2))


def velocity(sigma: float, data: float = 1.0) -> Tensor:
    """What a v-prediction answers: the tangent from picture to noise."""
    return (NOISE * data**2 - sigma * CLEAN) / (data * math.hypot(sigma, data))


def unit(sigma: float) -> float:
    return math.hypot(sigma, 1)


def half(sigma: float) -> float:
    return math.hypot(sigma, 0.5)


def none(_: float) -> float:
    return 1.0


def of_cosmos(sigma: float) -> float:
    return sigma + 1


def noise(_: float) -> Tensor:
    return NOISE


def clean(_: float) -> Tensor:
    return CLEAN


def edm_output(sigma: float) -> Tensor:
    return -velocity(sigma, 0.5)


def cosmos_output(_: float) -> Tensor:
    return NOISE - CLEAN


@pytest.mark.parametrize("sigma", [0.2, 3.0])
@pytest.mark.parametrize(
    ("sampling", "output", "scale"),
    [
        ("eps", noise, unit),
        ("v_prediction", velocity, unit),
        ("x0", clean, unit),
        ("img_to_img", clean, none),
    ],
)
def test_a_discrete_model_answers_what_it_is_said_to(
    tiny: Loaded, sampling: str, output: Outputs, scale: Numbers, sigma: float
):
    check(nodes.discrete_sampling(model=tiny.model, sampling=sampling), output, scale, sigma)


@pytest.mark.parametrize("sigma", [0.2, 3.0])
@pytest.mark.parametrize(
    ("sampling", "output", "scale"),
    [
        ("v_prediction", velocity, unit),
        ("edm", edm_output, half),
        ("eps", noise, unit),
        ("cosmos_rflow", cosmos_output, of_cosmos),
    ],
)
def test_a_continuous_model_answers_what_it_is_said_to(
    tiny: Loaded, sampling: str, output: Outputs, scale: Numbers, sigma: float
):
    model = nodes.edm_sampling(model=tiny.model, sampling=sampling)
    check(model, output, scale, sigma)
    times = model.space.timestep(torch.tensor([sigma]))
    told = sigma / (sigma + 1) if sampling == "cosmos_rflow" else math.log(sigma) / 4
    assert numbers(times) == pytest.approx([told])
    assert numbers(model.space.sigma(times)) == pytest.approx([sigma])


def check(model: Denoiser, output: Outputs, scale: Numbers, sigma: float) -> None:
    """The picture comes back from what a perfect network answers."""
    x, level = CLEAN + sigma * NOISE, torch.tensor([sigma, sigma])
    assert torch.allclose(model.space.network_input(x, level), x / scale(sigma), atol=1e-5)
    assert torch.allclose(model.space.denoised(x, output(sigma), level), CLEAN, atol=1e-4)


def test_a_distilled_model_mixes_in_the_noisy_latents(tiny: Loaded):
    """Luo et al. 2023 with sigma_data 0.5 and timesteps ten times as long."""
    space = nodes.discrete_sampling(model=tiny.model, sampling="lcm").space
    sigma = space.table[:1]
    skip = 0.25 / ((10 * float(space.timestep(sigma))) ** 2 + 0.25)
    x = CLEAN[:1] + sigma * NOISE[:1]
    expected = math.sqrt(1 - skip) * CLEAN[:1] + skip * x
    assert torch.allclose(space.denoised(x, NOISE[:1], sigma), expected, atol=1e-7)


def test_levels_of_a_distilled_model_are_some_of_those_of_its_training():
    few, all_of_them = sigma_space({"prediction_type": "lcm"}), sigma_space({})
    assert len(few.table) == 50
    assert torch.equal(few.table, all_of_them.table[19::20])
    assert numbers(few.timestep(all_of_them.table[[19, 500, 999]])) == [19, 499, 999]
    assert float(sigmas(few, "sgm_uniform", 4)[0]) == pytest.approx(float(all_of_them.table[-1]))
    zero = sigma_space({"prediction_type": "v_prediction", "rescale_betas_zero_snr": True})
    assert float(zero.table[-1]) > 4000


def test_a_model_of_angles_is_told_them(tiny: Loaded):
    model = nodes.v_sampling(model=tiny.model, sampling="v_prediction")
    check(model, velocity, unit, 3.0)
    space = model.space
    assert (float(space.table[0]), float(space.table[-1])) == pytest.approx((0.03, 500.0))
    assert float(space.timestep(torch.tensor(1.0))) == pytest.approx(0.5)
    assert float(space.sigma(torch.tensor(0.5))) == pytest.approx(1.0)
    assert space.percent_to_sigma(0.5) == pytest.approx(math.sqrt(0.03 * 500))


def test_a_range_the_wrong_way_round_is_refused(tiny: Loaded):
    for node in (nodes.edm_sampling, nodes.v_sampling):
        for low, high in ((5.0, 1.0), (0.0, 1.0)):
            with pytest.raises(ValueError, match="sigma_min is"):
                node(model=tiny.model, sampling="v_prediction", sigma_max=high, sigma_min=low)


def test_flows_have_the_sigmas_of_the_reference(tiny: Loaded, reference: Path):
    models = json.loads((reference / "schedules.json").read_text())["models"]
    known = {model["model"]: model for model in models}
    for name, model in {
        "flow_shift3_sd3": nodes.sd3_sampling(model=tiny.model),
        "flow_flux_shift1.15": nodes.flux_sampling(model=tiny.model),
    }.items():
        expected, space = known[name], model.space
        digest = hashlib.sha256(space.table.numpy().tobytes()).hexdigest()
        if name == "flow_shift3_sd3":
            assert digest == expected["table_sha256_float32_le"]
        assert len(space.table) == expected["table_size"]
        for index, sigma in expected["table_every_37th"].items():
            assert float(space.table[int(index)]) == pytest.approx(sigma, rel=5e-6)
        for percent, sigma in expected["percent_to_sigma"].items():
            assert space.percent_to_sigma(float(percent)) == pytest.approx(sigma, rel=5e-6)
        for sigma, step in expected["timestep_of_sigma"].items():
            assert float(space.timestep(torch.tensor(float(sigma)))) == pytest.approx(step)
        check_flow(model)


def test_the_shift_of_a_flow_grows_with_what_is_drawn(tiny: Loaded):
    aura = nodes.aura_flow_sampling(model=tiny.model).space
    assert float(aura.timestep(torch.tensor(0.25))) == 0.25
    assert aura.percent_to_sigma(0.5) == pytest.approx(1.73 / 2.73)
    small = nodes.flux_sampling(model=tiny.model, width=256, height=256).space
    assert small.percent_to_sigma(0.5) == pytest.approx(math.exp(0.5) / (math.exp(0.5) + 1))
    video: Any = {"samples": torch.zeros(1, 128, 4, 16, 16)}
    ltxv = nodes.ltxv_sampling(model=tiny.model, latent=video).space
    assert ltxv.percent_to_sigma(0.5) == pytest.approx(math.exp(0.95) / (math.exp(0.95) + 1))
    large = nodes.ltxv_sampling(model=tiny.model).space
    assert large.percent_to_sigma(0.5) == pytest.approx(math.exp(2.05) / (math.exp(2.05) + 1))


def test_a_model_from_picture_to_picture_takes_one_step_by_what_they_differ(tiny: Loaded):
    space = nodes.aura_flow_sampling(
        model=tiny.model, shift=1.0, sampling="img_to_img_velocity"
    ).space
    level = torch.tensor(0.5)
    x = space.noised(CLEAN, torch.zeros_like(CLEAN), level, first=True)
    assert torch.equal(space.network_input(x, level), CLEAN)
    assert torch.equal(space.denoised(x, NOISE, level), CLEAN - NOISE)
    assert torch.equal(space.finished(x, torch.tensor(0.0)), x)


def check_flow(model: Denoiser) -> None:
    level = torch.tensor([0.3, 0.3])
    x = 0.3 * NOISE + 0.7 * CLEAN
    assert torch.equal(model.space.network_input(x, level), x)
    assert torch.allclose(model.space.denoised(x, NOISE - CLEAN, level), CLEAN, atol=1e-5)


def test_a_model_samples_in_the_space_that_it_was_given(tiny: Loaded):
    text = tiny.clip.encode("cat")
    found: list[Tensor] = []
    for model in (tiny.model, nodes.sd3_sampling(model=tiny.model), nodes.edm_sampling(
        model=tiny.model, sampling="edm", sigma_max=80.0
    )):  # fmt: skip
        model.bind(tiny.model.network)
        down = sigmas(model.space, "simple", 4)
        walk = denoise(
            cfg_guider(model, text), torch.zeros(1, 4, 8, 8), sampler="euler", sigmas=down, seed=1
        )
        found.append(completed(walk))
        assert found[-1].isfinite().all()
    assert not torch.allclose(found[0], found[1], atol=1e-3)
    assert not torch.allclose(found[0], found[2], atol=1e-3)


def test_playground_has_latents_of_its_own(tiny: Loaded):
    model = nodes.edm_sampling(model=tiny.model, sampling="edm_playground_v2.5")
    latents = torch.full((1, 4, 2, 2), 2.0)
    entered = [(2 + 1.6574) / 8.4927, (2 - 1.886) / 5.9022, (2 + 1.383) / 6.5498]
    assert numbers(model.latent.process_in(latents)[0, :3, 0, 0]) == pytest.approx(
        [value * 0.5 for value in entered], rel=1e-4
    )
    assert torch.allclose(
        model.latent.process_out(model.latent.process_in(latents)), latents, atol=1e-5
    )
    assert tiny.model.latent != model.latent
