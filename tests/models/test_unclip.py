"""Checkpoints of unCLIP, against the parts of diffusers' StableUnCLIP, on tiny random weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_unclip_img2img import (
    StableUnCLIPImg2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
    StableUnCLIPImageNormalizer,
)
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor
from transformers.models.clip import CLIPVisionConfig

from nodes import vision as nodes
from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.inputs import InputsRequest
from nodes.models.conditioning.vision import Seen, vision_encoder_of
from nodes.models.files.checkpoints import read_checkpoint, read_denoiser
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.saving import entries
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.text.text_encoder import TextEncoder
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import read_tensors, write_tensors
from tests.models.test_unet_families import CONTEXT, SD2, Kind, denoiser_tensors, made, text_tensors
from tests.models.test_vision import CLIP, TINY, open_clip, random

PARTS: Any = (StableUnCLIPImageNormalizer, StableUnCLIPImg2ImgPipeline, DDPMScheduler)
WIDTH = 24
SETTINGS = SD2 | {
    "class_embed_type": "projection",
    "projection_class_embeddings_input_dim": 2 * WIDTH,
}
SEED = 100


@pytest.fixture(scope="module")
def theirs() -> Any:
    return made(Kind(SETTINGS, ""))


@pytest.fixture(scope="module")
def path(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with everything but an autoencoder."""
    seeing = random(CLIP(CLIPVisionConfig(projection_dim=WIDTH, **TINY)))
    vision = {f"embedder.model.{name}": t for name, t in open_clip(seeing.state_dict()).items()}
    _, text = text_tensors("clip_h", "cond_stage_model.model.", CONTEXT)
    dice = torch.Generator().manual_seed(2)
    marks = {
        "noise_augmentor.data_mean": torch.randn(1, WIDTH, generator=dice),
        "noise_augmentor.data_std": torch.rand(1, WIDTH, generator=dice) + 0.5,
    }
    tensors = denoiser_tensors(theirs) | vision | text | marks
    folder = tmp_path_factory.mktemp("unclip") / "checkpoints"
    folder.mkdir()
    return write_tensors(folder / "any.safetensors", tensors)


def seen(count: int, seed: int) -> Seen:
    embeds = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))
    return Seen(embeds[:, None], embeds[:, None], embeds)


def by_diffusers(path: Path, embeds: Tensor, level: int) -> Tensor:
    """Embeddings with noise and its level, as the pipeline makes them."""
    tensors = read_tensors(path)
    normalizer = PARTS[0](WIDTH)
    normalizer.mean.data = tensors["noise_augmentor.data_mean"]
    normalizer.std.data = tensors["noise_augmentor.data_std"]
    scheduler = PARTS[2](num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    pipeline = SimpleNamespace(image_normalizer=normalizer, image_noising_scheduler=scheduler)
    noise = torch.randn(embeds.shape, generator=torch.Generator().manual_seed(SEED - 10))
    with torch.no_grad():
        return PARTS[1].noise_image_embeddings(pipeline, embeds, level, noise=noise)


def found(path: Path, options: dict[str, Any], x: Tensor, text: Tensor) -> Tensor:
    model = Denoiser.of(read_denoiser(path)).ready()
    guider = cfg_guider(model, [(text, options)]).starting(torch.zeros_like(x), None, SEED)
    return evaluate([StepRequest(guider, x, torch.tensor(2.0))])[0]


def expected(theirs: Any, label: Tensor, x: Tensor, text: Tensor, timestep: Tensor) -> Tensor:
    with torch.no_grad():
        noise = theirs(
            x / 5**0.5,
            timestep,
            encoder_hidden_states=text.expand(len(x), -1, -1),
            class_labels=label.expand(len(x), -1),
        ).sample
    return x - noise * 2


def test_a_picture_steers_as_in_diffusers(path: Path, theirs: Any):
    checkpoint = read_denoiser(path)
    assert checkpoint.family.name == "Stable Diffusion 2.x unCLIP"
    timestep = checkpoint.space.timestep(torch.tensor([2.0]))
    x, text, picture = torch.randn(2, 4, 8, 8), torch.randn(1, 7, CONTEXT), seen(1, 1)
    plain: Conditioning = [(text, {})]
    (steered,) = nodes.steer_by_seen(
        conditioning=plain, clip_vision_output=picture, strength=0.8, noise_augmentation=0.25
    )
    label = by_diffusers(path, picture.image_embeds, round(999 * 0.25)) * 0.8
    ours = found(path, steered[1], x, text)
    assert torch.allclose(ours, expected(theirs, label, x, text, timestep), atol=1e-4)
    nothing = expected(theirs, torch.zeros(1, 2 * WIDTH), x, text, timestep)
    assert torch.allclose(found(path, {}, x, text), nothing, atol=1e-4), "nothing was seen"
    assert not torch.allclose(ours, nothing, atol=1e-3)


def test_several_pictures_steer_together_with_noise_of_their_mean(path: Path, theirs: Any):
    timestep = read_denoiser(path).space.timestep(torch.tensor([2.0]))
    x, text = torch.randn(1, 4, 8, 8), torch.randn(1, 7, CONTEXT)
    first, both = seen(1, 1), seen(2, 2)
    steered = nodes.steer_by_seen(
        conditioning=[(text, {})], clip_vision_output=first, strength=0.8, noise_augmentation=0.25
    )
    ((_, options),) = nodes.steer_by_seen(
        conditioning=steered, clip_vision_output=both, strength=0.3, noise_augmentation=0.0
    )
    parts = [by_diffusers(path, first.image_embeds, 250) * 0.8]
    parts += [by_diffusers(path, one[None], 0) * 0.3 for one in both.image_embeds]
    label = by_diffusers(path, torch.stack(parts).sum(dim=0)[:, :WIDTH], 50)
    ours = found(path, options, x, text)
    assert torch.allclose(ours, expected(theirs, label, x, text, timestep), atol=1e-4)


def test_a_diffusers_folder_brings_what_it_was_trained_on(
    path: Path, theirs: Any, tiny_folder: Path, tmp_path: Path
):
    folder = tmp_path / "unclip"
    shutil.copytree(tiny_folder, folder)
    shutil.rmtree(folder / "unet")
    theirs.save_pretrained(folder / "unet")
    tensors = read_tensors(path)
    normalizer = PARTS[0](WIDTH)
    normalizer.mean.data = tensors["noise_augmentor.data_mean"]
    normalizer.std.data = tensors["noise_augmentor.data_std"]
    normalizer.save_pretrained(folder / "image_normalizer")
    given = {"clip_vision_output": seen(1, 1), "strength": 1.0, "noise_augmentation": 0.5}
    text, x = torch.zeros(1, 7, CONTEXT), torch.randn(1, 4, 8, 8)
    request = InputsRequest(text, {"unclip_conditioning": [given]}, x, seed=SEED)
    models = [Denoiser.of(read_denoiser(path)), Denoiser.of(read_checkpoint(folder).denoiser)]
    labels = [model.inputs(request)["label"].tensor for model in models]
    assert torch.equal(labels[0], labels[1])
    weights = models[1].ready().network.module.state_dict()
    assert all(torch.equal(weights[n], t) for n, t in theirs.state_dict().items())


def test_what_another_vision_encoder_saw_is_refused_in_words(path: Path):
    model = Denoiser.of(read_denoiser(path))
    other = Seen(*[torch.zeros(1, 77)] * 3)
    given = {"clip_vision_output": other, "strength": 1.0, "noise_augmentation": 0.0}
    options = {"unclip_conditioning": [given]}
    with pytest.raises(ValueError, match="pictures as 24 numbers, and the vision encoder gave 77"):
        model.inputs(InputsRequest(torch.zeros(1, 7, CONTEXT), options, torch.zeros(1, 4, 8, 8)))


def test_a_saved_unclip_model_keeps_what_it_was_trained_on(path: Path):
    model = Denoiser.of(read_denoiser(path))
    saved = {entry.name: entry.value() for entry in entries(model, "cpu", prefixed=True)}
    tensors = read_tensors(path)
    kept = [name for name in tensors if name.startswith(("model.", "noise_augmentor."))]
    assert saved.keys() == set(kept)
    assert all(torch.equal(saved[name], tensors[name]) for name in kept)


def test_a_checkpoint_without_a_vision_encoder_says_so_when_it_is_needed(
    path: Path, tmp_path: Path
):
    tensors = {n: t for n, t in read_tensors(path).items() if not n.startswith("embedder.")}
    lacking = write_tensors(tmp_path / "a.safetensors", tensors)
    encoder = vision_encoder_of(lacking)
    with pytest.raises(ModelFileError, match="holds no vision encoder; take one from another"):
        encoder.load("cpu")


async def test_a_prompt_draws_what_was_seen(path: Path, tmp_path: Path):
    def prompt(seen: int) -> Prompt:
        return {
            "1": n("unCLIPCheckpointLoader", ckpt_name="any.safetensors"),
            "2": n("EmptyImage", width=40, height=32, batch_size=1, color=0x336699),
            "3": n("CLIPVisionEncode", clip_vision=["1", 3], image=["2", 0], crop="center"),
            "4": n("CLIPTextEncode", clip=["1", 1], text="a cat"),
            "5": n("unCLIPConditioning", conditioning=["4", 0], clip_vision_output=["3", 0],
                   strength=1.0, noise_augmentation=0.1),
            "6": n("unCLIPConditioning", conditioning=["5", 0], clip_vision_output=["3", 0],
                   strength=0.5, noise_augmentation=0.0),
            "7": n("EmptyLatentImage", width=64, height=64, batch_size=1),
            "8": n("KSampler", model=["1", 0], seed=SEED, steps=1, cfg=2.0, sampler_name="euler",
                   scheduler="normal", positive=[str(seen), 0], negative=["4", 0],
                   latent_image=["7", 0], denoise=1.0),
            "9": n("SaveLatent", samples=["8", 0], filename_prefix=f"of_{seen}"),
        }  # fmt: skip

    async with opened(tmp_path / "home", path.parent.parent) as bench:
        entries = [(await bench.run(prompt(end)))[0] for end in (4, 5, 6)]
        assert [entry.outcome.status for entry in entries] == ["success"] * 3, entries[-1].outcome
        files = sorted((bench.home / "output").glob("of_*.latent"))
        latents = [read_tensors(file)["latent_tensor"] for file in files]
    assert len(latents) == 3
    assert not torch.allclose(latents[0], latents[1])
    assert not torch.allclose(latents[1], latents[2])
    assert TextEncoder.of(read_checkpoint(path).text_encoder).encoders[0].name == "clip_h"
