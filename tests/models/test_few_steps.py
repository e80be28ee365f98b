"""Models and LoRAs of few steps (LCM, Turbo, Lightning), and diffusers folders of small SDXL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.schedulers.scheduling_euler_ancestral_discrete import (
    EulerAncestralDiscreteScheduler,
)
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from nodes import model_sampling, schedules
from nodes.models.files.checkpoints import read_checkpoint, read_denoiser
from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.lora import check_fits, read_lora, with_lora
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.sampling.schedules import sigmas
from nodes.models.sampling.sigma_space import Discrete
from nodes.models.text.text_encoder import TextEncoder
from tests.models.conftest import make_tokenizer, write_tensors
from tests.models.test_unet_families import CONTEXT, KINDS, denoiser_tensors, made, pooled

SCHEDULERS: Any = {
    "lcm": LCMScheduler,
    "turbo": EulerAncestralDiscreteScheduler,
    "lightning": EulerDiscreteScheduler,
}
BETAS: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
VAE: dict[str, Any] = {
    "block_out_channels": (8,) * 4,
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
HALF = 32


def model_of(name: str, folder: Path, **marks: Tensor) -> Denoiser:
    tensors = denoiser_tensors(made(KINDS[name])) | marks
    return Denoiser.of(read_denoiser(write_tensors(folder / "any.safetensors", tensors)))


def test_an_lcm_takes_its_steps_as_diffusers_scheduler_does(tmp_path: Path):
    model = model_sampling.discrete_sampling(model=model_of("SD1", tmp_path), sampling="lcm")
    model, text = model.ready(), torch.randn(1, 7, CONTEXT)
    theirs = SCHEDULERS["lcm"](original_inference_steps=50, **BETAS)
    theirs.set_timesteps(4)
    module = made(KINDS["SD1"])
    for timestep in theirs.timesteps:
        kept = theirs.alphas_cumprod[timestep]
        sigma = ((1 - kept) / kept).sqrt()
        x = torch.randn(1, 4, 8, 8) * sigma
        sample = x / (sigma**2 + 1).sqrt()
        assert float(model.space.timestep(sigma.reshape(1))) == float(timestep)
        with torch.no_grad():
            noise = module(sample, timestep, text).sample
        expected = theirs.step(noise, timestep, sample, return_dict=True).denoised
        ours = evaluate([StepRequest(cfg_guider(model, [(text, {})]), x, sigma)])[0]
        assert torch.allclose(ours, expected, atol=1e-3)


@pytest.mark.parametrize("steps", [1, 4, 10])
def test_sdxl_turbo_predicts_noise_at_the_levels_it_was_distilled_for(tmp_path: Path, steps: int):
    model = model_of("SDXL", tmp_path)
    assert isinstance(model.space, Discrete)
    assert model.space.prediction == "epsilon"
    theirs = SCHEDULERS["turbo"](timestep_spacing="trailing", **BETAS)
    theirs.set_timesteps(10)
    ours = schedules.turbo_schedule(model=model, steps=steps)
    assert torch.allclose(ours[:-1], theirs.sigmas[:steps], rtol=1e-4)
    assert float(ours[-1]) == 0


@pytest.mark.parametrize("steps", [2, 4, 8])
def test_lightning_is_sampled_at_evenly_spaced_steps_from_pure_noise(tmp_path: Path, steps: int):
    model = model_of("SDXL", tmp_path)
    theirs = SCHEDULERS["lightning"](timestep_spacing="trailing", **BETAS)
    theirs.set_timesteps(steps)
    assert torch.allclose(sigmas(model.space, "sgm_uniform", steps), theirs.sigmas, rtol=0.02)


def test_lightning_of_one_step_predicts_the_picture(tmp_path: Path):
    model = model_sampling.discrete_sampling(model=model_of("SDXL", tmp_path), sampling="x0")
    output, x = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8) * 14
    assert torch.equal(model.space.denoised(x, output, torch.tensor([14.6])), output)


@pytest.mark.parametrize("name", ["SD1", "SDXL"])
@pytest.mark.parametrize("spelled", ["kohya", "diffusers"])
def test_a_lora_of_few_steps_changes_every_layer_that_it_names(
    name: str, spelled: str, tmp_path: Path
):
    """LCM-LoRA and Hyper-SD change convolutions and embeddings of time, Lightning too."""
    theirs = made(KINDS[name])
    dice = torch.Generator().manual_seed(1)
    tensors: dict[str, Tensor] = {}
    expected: dict[str, Tensor] = {}
    for place, layer in theirs.named_modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            continue
        out, given = layer.weight.shape[:2]
        inner = tuple(layer.weight.shape[2:])
        down = torch.randn(2, given, *inner, generator=dice) * 0.1
        up = torch.randn(out, 2, *[1] * len(inner), generator=dice) * 0.1
        at = f"lora_unet_{place.replace('.', '_')}" if spelled == "kohya" else f"unet.{place}"
        ends = ("lora_up", "lora_down") if spelled == "kohya" else ("lora.up", "lora.down")
        tensors |= {f"{at}.{ends[0]}.weight": up, f"{at}.{ends[1]}.weight": down}
        if spelled == "kohya":
            tensors[f"{at}.alpha"] = torch.tensor(1.0)
        scale = 0.5 if spelled == "kohya" else 1.0
        change = (up.flatten(1) @ down.flatten(1)).reshape(layer.weight.shape)
        expected[f"{place}.weight"] = layer.weight + scale * change
    told: list[str] = []
    lora = read_lora(read_header(write_tensors(tmp_path / "l.safetensors", tensors)), 1.0)
    model = model_of(name, tmp_path)
    check_fits(lora.adapters, model.source, warn=told.append)
    model = with_lora(model, lora)
    found = dict(model.ready().network.module.named_parameters())
    assert len(expected) > 30
    for weight, tensor in expected.items():
        assert torch.allclose(found[weight], tensor, atol=1e-4), weight
    assert told == []


def xl_folder(folder: Path, name: str) -> Any:
    """A diffusers folder of SDXL, or of a smaller one as SSD-1B is; its UNet."""
    module = made(KINDS[name])
    module.save_pretrained(folder / "unet")
    tokens = make_tokenizer(folder / "tokenizer")
    make_tokenizer(folder / "tokenizer_2")
    for place, kind in (
        ("text_encoder", CLIPTextModel),
        ("text_encoder_2", CLIPTextModelWithProjection),
    ):
        config = CLIPTextConfig(
            vocab_size=tokens, hidden_size=HALF, intermediate_size=32, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=24, projection_dim=96,
            bos_token_id=tokens - 2, eos_token_id=tokens - 1, pad_token_id=tokens - 1,
        )  # fmt: skip
        encoder: Any = kind
        encoder(config).save_pretrained(folder / place)
    vae: Any = AutoencoderKL
    vae(latent_channels=4, scaling_factor=0.13025, **VAE).save_pretrained(folder / "vae")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(
        json.dumps({"prediction_type": "epsilon", "timestep_spacing": "trailing", **BETAS})
    )
    (folder / "model_index.json").write_text("{}")
    return module


@pytest.mark.parametrize("name", ["SDXL", "smaller SDXL"])
def test_a_diffusers_folder_of_sdxl_answers_as_its_unet(name: str, tmp_path: Path):
    theirs = xl_folder(tmp_path / "xl", name)
    found = read_checkpoint(tmp_path / "xl")
    assert found.denoiser.family.name == "SDXL"
    ((text, options),) = TextEncoder.of(found.text_encoder).ready().encode("cat")
    assert (text.shape[-1], options["pooled_output"].shape) == (CONTEXT, (1, 96))
    model = Denoiser.of(found.denoiser).ready()
    x, sigma = torch.randn(1, 4, 8, 8), torch.tensor(3.0)
    vector = pooled(KINDS[name])
    guider = cfg_guider(model, [(text, {"pooled_output": vector})])
    ours = evaluate([StepRequest(guider, x, sigma)])[0]
    with torch.no_grad():
        noise = theirs(
            x / (sigma**2 + 1).sqrt(),
            model.space.timestep(sigma.reshape(1)),
            encoder_hidden_states=text,
            added_cond_kwargs={
                "text_embeds": vector,
                "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]]),
            },
        ).sample
    assert torch.allclose(ours, x - noise * sigma, atol=1e-4)


@pytest.mark.parametrize(
    ("channels", "label", "words"),
    [(5, False, "a depth-to-image"), (7, True, "a Stable Diffusion 2.x upscaler")],
)
def test_other_models_of_stable_diffusion_2_are_refused_by_name(
    tmp_path: Path, channels: int, label: bool, words: str
):
    start = "model.diffusion_model."
    shapes: dict[str, tuple[int, ...]] = {
        "input_blocks.0.0.weight": (320, channels, 3, 3),
        "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 1024),
        "out.2.weight": (4, 320, 3, 3),
    }
    shapes |= {"label_emb.weight": (1000, 1280)} if label else {}
    with torch.device("meta"):
        tensors = {start + name: torch.empty(shape) for name, shape in shapes.items()}
    real = {name: torch.zeros(tensor.shape) for name, tensor in tensors.items()}
    with pytest.raises(ModelFileError, match=f"it looks like {words}"):
        read_denoiser(write_tensors(tmp_path / "x.safetensors", real))
