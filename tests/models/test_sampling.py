"""Noise levels, samplers and guidance, without a big model."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn

from nodes import sampling
from nodes.models.conditioning.inputs import InputsRequest
from nodes.models.sampling import guiders
from nodes.models.sampling.denoise import completed, denoise
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.flows import Flow, FluxFlow
from nodes.models.sampling.guiders import Guider
from nodes.models.sampling.noise import StepNoise, initial_noise
from nodes.models.sampling.samplers import SAMPLERS
from nodes.models.sampling.schedules import SCHEDULES, sigmas
from nodes.models.sampling.sigma_space import SigmaSpace, sigma_space
from tests.models.conftest import Loaded, handles

CallT = TypeVar("CallT")
FoundT = TypeVar("FoundT")
SD15: dict[str, Any] = {}
ZERO_SNR: dict[str, Any] = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}


def driven(asking: Generator[CallT, Tensor, FoundT], reply: Callable[[CallT], Tensor]) -> FoundT:
    """What a generator returns when each of its calls gets a reply."""
    try:
        call = next(asking)
        while True:
            call = asking.send(reply(call))
    except StopIteration as end:
        return end.value


@pytest.fixture(scope="module")
def schedules(reference: Path) -> dict[str, Any]:
    return json.loads((reference / "schedules.json").read_text())


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("sd15_eps", sigma_space(SD15)),
        ("sd15_vpred_zsnr", sigma_space(ZERO_SNR)),
        ("flow_shift3_sd3", Flow(shift=3.0)),
        ("flow_flux_shift1.15", FluxFlow.of(1.15)),
    ],
)
def test_noise_levels_are_the_reference(name: str, known: SigmaSpace, schedules: dict[str, Any]):
    expected = next(model for model in schedules["models"] if model["model"] == name)
    digest = hashlib.sha256(known.table.numpy().tobytes()).hexdigest()
    assert digest == expected["table_sha256_float32_le"]
    for sigma, step in expected["timestep_of_sigma"].items():
        assert float(known.timestep(torch.tensor(float(sigma)))) == pytest.approx(step, rel=1e-6)
    for step, sigma in expected["sigma_of_timestep"].items():
        assert float(known.sigma(torch.tensor(float(step)))) == pytest.approx(sigma, rel=5e-6)
    compared = 0
    for case in schedules[name]:
        if case["scheduler"] in SCHEDULES:
            if None in case["sigmas"]:
                continue  # the peer has no number there
            discard_penultimate = case["drop_penultimate"]
            found = sigmas(
                known,
                case["scheduler"],
                case["steps"],
                case["denoise"],
                discard_penultimate=discard_penultimate,
            )
            assert found.numpy() == pytest.approx(case["sigmas"], rel=5e-6), case
            compared += 1
    assert compared > 0


def test_the_node_offers_every_sampler_and_schedule():
    assert set(sampling.SAMPLERS) == set(SAMPLERS)
    assert set(sampling.SCHEDULERS) == set(SCHEDULES)


@pytest.mark.parametrize("scheduler", SCHEDULES)
@pytest.mark.parametrize("config", [SD15, ZERO_SNR, {"beta_schedule": "squaredcos_cap_v2"}])
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_schedules_fall_from_the_largest_level_to_nothing(scheduler: str, config: Any, steps: int):
    known = sigma_space(config)
    found = sigmas(known, scheduler, steps)
    if scheduler == "ddim_uniform":  # takes whole strides through the table, wherever they begin
        assert len(found) >= steps + 1
    elif scheduler == "beta":  # takes each entry of the table once
        assert len(found) <= steps + 1
        assert known.is_largest(found[0])
    else:
        assert len(found) == steps + 1
        assert float(found[0]) == pytest.approx(float(known.table[-1]), rel=1e-3)
    assert found[-1] == 0
    assert bool((found[:-1] > found[1:]).all())


def test_denoise_below_one_walks_the_end_of_a_longer_schedule():
    known = sigma_space(SD15)
    assert torch.equal(sigmas(known, "karras", 5, 0.5), sigmas(known, "karras", 10)[-6:])
    assert len(sigmas(known, "karras", 5, 0.0)) == 0


def test_unknown_noise_schedules_are_refused():
    with pytest.raises(ValueError, match="beta_schedule 'sigmoid'"):
        sigma_space({"beta_schedule": "sigmoid"})
    with pytest.raises(ValueError, match="prediction_type 'flow'"):
        sigma_space({"prediction_type": "flow"})


def test_a_picture_of_a_batch_can_be_drawn_again_alone():
    like = torch.zeros(1, 4, 2, 2)
    first = initial_noise(like, 7, batch_index=[0])
    assert torch.equal(first, initial_noise(like, 7))
    several = initial_noise(torch.zeros(2, 4, 2, 2), 7, batch_index=[0, 2])
    assert torch.equal(several[1:], initial_noise(like, 7, batch_index=[2]))
    fresh = StepNoise(like, 7)(torch.tensor(2.0), torch.tensor(1.0))
    assert torch.equal(fresh, first), "the first step's noise is the initial one"


def test_the_largest_seed_is_a_seed():
    assert initial_noise(torch.zeros(1, 4, 2, 2), 2**64 - 1).isfinite().all()


def guider(tiny: Loaded, wanted: str, unwanted: str = "", scale: float = 3.0) -> Guider:
    return guiders.cfg_guider(
        tiny.model, tiny.clip.encode(wanted), tiny.clip.encode(unwanted), scale
    )


def texts(guider: Guider) -> list[Tensor]:
    """All texts that are evaluated."""
    return [cond.text for group in guider.conds for cond in group]


def drawn(guider: Guider, seed: int, sampler: str = "euler", steps: int = 4) -> Tensor:
    down = sigmas(guider.model.space, "normal", steps)
    walk = denoise(guider, torch.zeros(1, 4, 8, 8), sampler=sampler, sigmas=down, seed=seed)
    return completed(walk)


def test_a_text_changes_the_picture_and_a_seed_too(tiny: Loaded):
    first = drawn(guider(tiny, "cat"), 1)
    assert torch.equal(first, drawn(guider(tiny, "cat"), 1))
    assert not torch.allclose(first, drawn(guider(tiny, "dog"), 1))
    assert not torch.allclose(first, drawn(guider(tiny, "cat"), 2))


def test_cfg_1_never_evaluates_the_negative(tiny: Loaded):
    without = guider(tiny, "cat", "dog", 1.0)
    assert len(texts(without)) == 1
    assert torch.equal(drawn(without, 1), drawn(guider(tiny, "cat", "anything", 1.0), 1))


def test_guidance_is_the_difference_that_the_text_makes(tiny: Loaded):
    x, sigma = initial_noise(torch.zeros(2, 4, 8, 8), 3), torch.tensor(2.0)

    def ask(guider: Guider) -> Tensor:
        return evaluate([StepRequest(guider, x, sigma)])[0]

    with_text = ask(guider(tiny, "cat", scale=1.0))
    without = ask(guider(tiny, "dog", scale=1.0))
    expected = without + 5 * (with_text - without)
    assert torch.allclose(ask(guider(tiny, "cat", "dog", 5.0)), expected, atol=1e-5)


def test_many_jobs_are_answered_as_each_alone(tiny: Loaded):
    """Jobs of other texts, batch sizes, levels and guidance share one evaluation."""
    dice = random.Random(0)
    requests = [
        StepRequest(
            guider(tiny, wanted, "blurry " * dice.choice([1, 9]), scale),
            initial_noise(torch.zeros(count, 4, 8, 8), seed) * (seed + 1),
            torch.tensor(0.5 + seed),
        )
        for seed, (wanted, count, scale) in enumerate(
            [("cat", 1, 3.0), ("a dog, two dogs", 2, 7.0), ("x " * 30, 1, 1.0), ("", 3, 2.0)]
        )
    ]
    together = evaluate(requests)
    for request, found in zip(requests, together, strict=True):
        assert found.shape == request.x.shape
        assert torch.allclose(found, evaluate([request])[0], atol=1e-5)


def test_texts_of_unlike_length_are_repeated_to_one(tiny: Loaded):
    both = guider(tiny, "x " * 30, "short")
    assert {text.shape[1] for text in texts(both)} == {48}
    unequal = guider(tiny, "x " * 110, "y " * 40)
    assert len({text.shape[1] for text in texts(unequal)}) == 2, "repeating would be too long"
    assert drawn(unequal, 1, steps=1).isfinite().all()


def test_each_step_reports_each_index_once(tiny: Loaded):
    asked = guider(tiny, "cat")
    seen: list[tuple[int, int]] = []
    down = sigmas(tiny.model.space, "karras", 5)

    def reply(request: StepRequest) -> Tensor:
        seen.append((request.index, request.total))
        return evaluate([request])[0]

    zeros = torch.zeros(1, 4, 8, 8)
    driven(denoise(asked, zeros, sampler="dpmpp_2m", sigmas=down, seed=1), reply)
    assert seen == [(index, 5) for index in range(5)]


def test_no_steps_leave_the_latents_alone(tiny: Loaded):
    latents = torch.randn(1, 4, 8, 8)
    none = torch.empty(0)
    walk = denoise(guider(tiny, "cat"), latents, sampler="euler", sigmas=none, seed=1)
    assert completed(walk).equal(latents)


def test_outside_of_a_mask_the_latents_stay(tiny: Loaded):
    latents = torch.randn(1, 4, 8, 8)
    mask = torch.zeros(1, 64, 64)
    mask[:, :, 32:] = 1
    down = sigmas(tiny.model.space, "normal", 4, 0.6)
    walk = denoise(guider(tiny, "cat"), latents, sampler="euler", sigmas=down, seed=1, mask=mask)
    found = completed(walk)
    assert torch.allclose(found[..., :3], latents[..., :3], atol=1e-4)
    assert not torch.allclose(found[..., 5:], latents[..., 5:], atol=1e-2)


class Knowing(nn.Module):
    """In the place of a denoiser: knows what is asked for, and gives the same answer always."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_: object, **__: object) -> tuple[Tensor]:
        return (self.answer,)


def test_ddim_is_euler_but_for_what_it_keeps_outside_of_a_mask(tiny: Loaded):
    latents, asked = torch.randn(1, 4, 8, 8), guider(tiny, "cat")
    down = sigmas(tiny.model.space, "normal", 3, 0.6)

    def found(sampler: str, width: int) -> Tensor:
        mask = torch.zeros(1, 64, 64)
        mask[..., :width] = 1
        more: dict[str, Any] = {"sampler": sampler, "sigmas": down, "seed": 1, "mask": mask}
        return completed(denoise(asked, latents, **more))

    assert torch.equal(found("ddim", 64), found("euler", 64))
    assert not torch.allclose(found("ddim", 32), found("euler", 32), atol=1e-4)
    assert torch.allclose(found("ddim", 32)[..., 6:], latents[..., 6:], atol=1e-4)


def test_velocity_and_noise_predictions_agree_about_a_perfect_network(tiny_folder: Path):
    """Both ways of writing the same prediction give the same picture back."""
    clean, noise = torch.randn(1, 4, 4, 4), torch.randn(1, 4, 4, 4)
    sigma = torch.tensor([3.0])
    velocity = (noise - sigma * clean) / (sigma**2 + 1).sqrt()
    for prediction, told in (("epsilon", noise), ("v_prediction", velocity)):
        found = handles(tiny_folder).model
        model = replace(found, space=sigma_space({"prediction_type": prediction}))
        network = model.load("cpu")
        network.module = Knowing(told)  # pyright: ignore[reportAttributeAccessIssue] - it is asked alike
        model.bind(network)
        text = torch.zeros(1, 24, model.source.config["cross_attention_dim"])
        picture = model.denoised(clean + sigma * noise, sigma, {"text": text})
        assert torch.allclose(picture, clean, atol=1e-5), prediction


def test_conditioning_or_latents_of_another_model_are_refused(tiny: Loaded):
    sigma = torch.ones(1)
    with pytest.raises(ValueError, match="CLIP of the same checkpoint"):
        tiny.model.inputs(InputsRequest(torch.zeros(1, 77, 768), {}, torch.zeros(1, 4, 8, 8)))
    given = {"text": tiny.clip.encode("cat")[0][0]}
    with pytest.raises(ValueError, match="16 channels"):
        tiny.model.denoised(torch.zeros(1, 16, 8, 8), sigma, given)
    with pytest.raises(ValueError, match="of a video or a sound"):
        tiny.model.denoised(torch.zeros(1, 4, 3, 8, 8), sigma, given)
    with pytest.raises(ValueError, match="takes 4"):
        tiny.vae.decode(torch.ones(1, 16, 8, 8))
