"""Zero123, the x4 upscaler and full LCM models, against diffusers, on tiny random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.pipelines.latent_consistency_models.pipeline_latent_consistency_text2img import (
    LatentConsistencyModelPipeline,
)
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor
from transformers.models.clip import CLIPVisionConfig

from nodes import image_to_video as nodes
from nodes.models.conditioning.cameras import camera
from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.vision import vision_encoder_of
from nodes.models.families import original_names
from nodes.models.files.checkpoints import read_checkpoint, read_denoiser
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.patched_unet import UNetPatch
from nodes.models.networks.saving import entries
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.vae.autoencoder import vae_factor
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import read_tensors, write_tensors
from tests.models.test_unet_families import (
    CONTEXT,
    SD1,
    SD2,
    Kind,
    denoiser_tensors,
    made,
    text_tensors,
    unet,
)
from tests.models.test_vision import CLIP, TINY, open_clip, random

OF_DIFFUSERS: Any = (AutoencoderKL, DDPMScheduler, LatentConsistencyModelPipeline)
SEEN = CONTEXT
SEED = 11
UPSCALER = unet(3, linear=True, attended=[False, True, True], num_class_embeds=1000) | {
    "only_cross_attention": [True, True, False],
    "attention_head_dim": 8,
    "in_channels": 7,
}


def asked(model: Denoiser, positive: Conditioning, x: Tensor, sigma: float = 2.0) -> Tensor:
    guider = cfg_guider(model, positive).starting(x, None, SEED)
    return evaluate([StepRequest(guider, x, torch.tensor(sigma))])[0]


def scaled(x: Tensor, sigma: float) -> Tensor:
    return x / (sigma**2 + 1) ** 0.5


@pytest.fixture(scope="module")
def zero123(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, dict[str, Tensor]]:
    """A checkpoint in the names of its authors, its UNet, and the layer that projects."""
    theirs = made(Kind(SD1, "", 4))
    dice = torch.Generator().manual_seed(2)
    layer = {
        "cc_projection.weight": torch.randn(CONTEXT, SEEN + 4, generator=dice) / 8,
        "cc_projection.bias": torch.randn(CONTEXT, generator=dice),
    }
    seeing = random(CLIP(CLIPVisionConfig(projection_dim=SEEN, **TINY)))
    vision = {f"cond_stage_model.model.{k}": t for k, t in open_clip(seeing.state_dict()).items()}
    tensors = denoiser_tensors(theirs) | layer | vision | autoencoder(4)
    folder = tmp_path_factory.mktemp("zero123") / "checkpoints"
    folder.mkdir()
    return write_tensors(folder / "any.safetensors", tensors), theirs, layer


def autoencoder(levels: int) -> dict[str, Tensor]:
    torch.default_generator.manual_seed(2)
    weights: dict[str, Tensor] = OF_DIFFUSERS[0](
        latent_channels=4,
        block_out_channels=(32,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
    ).state_dict()
    names = original_names.vae(weights.keys())
    return {f"first_stage_model.{names[name]}": weight for name, weight in weights.items()}


def test_a_camera_is_told_as_angles_of_the_paper():
    right, half = torch.pi / 2, torch.pi / 6
    assert torch.allclose(camera(0.0, 0.0), torch.tensor([0.0, 0.0, 1.0, right]))
    assert torch.allclose(camera(30.0, 90.0), torch.tensor([-half, 1.0, 0.0, right]), atol=1e-6)


def test_zero123_is_no_model_that_edits_and_answers_as_diffusers_network(
    zero123: tuple[Path, Any, dict[str, Tensor]], tmp_path: Path
):
    path, theirs, layer = zero123
    found = read_denoiser(path)
    assert found.family.name == "Zero123"
    alone = write_tensors(tmp_path / "a.safetensors", denoiser_tensors(theirs))
    assert read_denoiser(alone).family.name == "Stable Diffusion 1.x"
    model = Denoiser.of(found).ready()
    dice = torch.Generator().manual_seed(3)
    seen, picture, x = (
        torch.randn(shape, generator=dice)
        for shape in ((2, 1, SEEN + 4), (1, 4, 8, 8), (2, 4, 8, 8))
    )
    wanted = [(seen, {"concat_latent_image": picture})]
    none = torch.zeros_like(seen)
    unwanted = [(none[..., :SEEN], {"concat_latent_image": torch.zeros_like(picture)})]
    guider = cfg_guider(model, wanted, unwanted, 3.0)
    ours = evaluate([StepRequest(guider, x, torch.tensor(2.0))])[0]
    text = torch.nn.functional.linear(
        seen, layer["cc_projection.weight"], layer["cc_projection.bias"]
    )
    time = model.space.timestep(torch.tensor([2.0]))

    def noise(text: Tensor, picture: Tensor) -> Tensor:
        given = torch.cat([scaled(x, 2.0), picture.expand(2, -1, -1, -1)], dim=1)
        with torch.no_grad():
            return theirs(given, time, encoder_hidden_states=text).sample

    uncond = noise(torch.zeros(2, 1, CONTEXT), torch.zeros_like(picture))
    guided = uncond + 3 * (noise(text, picture) - uncond)
    assert torch.allclose(ours, x - 2 * guided, atol=1e-3)


def test_a_saved_zero123_is_one_again(zero123: tuple[Path, Any, dict[str, Tensor]], tmp_path: Path):
    path, _, layer = zero123
    model, seeing = Denoiser.of(read_denoiser(path)), vision_encoder_of(path)
    saved = {
        entry.name: entry.value()
        for handle in (model, seeing)
        for entry in entries(handle, "cpu", prefixed=True)
    }
    assert all(torch.equal(saved[name], tensor) for name, tensor in layer.items())
    again = write_tensors(tmp_path / "again.safetensors", saved)
    assert read_denoiser(again).family.name == "Zero123"
    picture = torch.rand(1, 40, 32, 3)
    seen = [vision_encoder_of(p).ready().see(picture, crop=True) for p in (path, again)]
    assert torch.equal(seen[0].image_embeds, seen[1].image_embeds)


async def test_prompts_turn_an_object(zero123: tuple[Path, Any, dict[str, Tensor]], tmp_path: Path):
    path = zero123[0]

    def prompt(name: str, kind: str, **more: Any) -> Prompt:
        return {
            "1": n("ImageOnlyCheckpointLoader", ckpt_name="any.safetensors"),
            "2": n("EmptyImage", width=80, height=64, batch_size=1, color=0x336699),
            "3": n(kind, clip_vision=["1", 1], init_image=["2", 0], vae=["1", 2], width=64,
                   height=64, batch_size=2, elevation=10.0, azimuth=30.0, **more),
            "4": n("KSampler", model=["1", 0], seed=5, steps=1, cfg=2.0, sampler_name="euler",
                   scheduler="normal", positive=["3", 0], negative=["3", 1],
                   latent_image=["3", 2], denoise=1.0),
            "5": n("SaveLatent", samples=["4", 0], filename_prefix=name),
        }  # fmt: skip

    batched = "StableZero123_Conditioning_Batched"
    still = {"elevation_batch_increment": 0.0, "azimuth_batch_increment": 0.0}
    async with opened(tmp_path / "home", path.parent.parent) as bench:
        ended = await bench.run(
            prompt("a", "StableZero123_Conditioning"),
            prompt("b", batched, **still),
            prompt("c", batched, **still | {"azimuth_batch_increment": 90.0}),
        )
        assert [entry.outcome.status for entry in ended] == ["success"] * 3, ended[0].outcome
        one, same, turned = (
            read_tensors(next((bench.home / "output").glob(f"{name}_*.latent")))["latent_tensor"]
            for name in "abc"
        )
    assert torch.allclose(one[0], same[0], rtol=1e-4, atol=1e-3)
    assert torch.allclose(same[0], same[1], atol=1e-3), "views of a batch have the same noise"
    assert torch.allclose(turned[0], same[0], atol=1e-3)
    assert not torch.allclose(turned[1], same[1], atol=1e-2)


@pytest.fixture(scope="module")
def upscaler(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A checkpoint without a text encoder, and its UNet."""
    torch.default_generator.manual_seed(5)
    theirs: Any = type(made(Kind(SD2, "")))(**UPSCALER).eval()
    path = tmp_path_factory.mktemp("x4") / "any.safetensors"
    return write_tensors(path, denoiser_tensors(theirs) | autoencoder(3)), theirs


def test_the_upscaler_is_given_a_small_picture_with_noise_of_a_level(upscaler: tuple[Path, Any]):
    path, theirs = upscaler
    found = read_checkpoint(path)
    assert found.denoiser.family.name == "Stable Diffusion 2.x upscaler"
    assert (found.denoiser.latent.factor, vae_factor(found.vae)) == (4, 4)
    model = Denoiser.of(found.denoiser).ready()
    text = torch.randn(1, 7, CONTEXT, generator=torch.Generator().manual_seed(1))
    picture = torch.rand(1, 32, 48, 3, generator=torch.Generator().manual_seed(2))
    given = nodes.for_upscaler(
        images=picture, positive=[(text, {})], negative=[], scale_ratio=2.0, noise_augmentation=0.1
    )
    assert given.latent["samples"].shape == (1, 4, 16, 24)
    assert model.start(given.latent["samples"]).shape == (1, 4, 16, 24)
    x = torch.randn(2, 4, 16, 24, generator=torch.Generator().manual_seed(3))
    small = given.positive[0][1]["concat_image"]
    assert small.shape == (1, 3, 16, 24)
    noise = torch.randn(small.shape, generator=torch.Generator().manual_seed(SEED - 10))
    config = {"beta_schedule": "scaled_linear", "beta_start": 0.0001, "beta_end": 0.02}
    noised = OF_DIFFUSERS[1](**config).add_noise(small, noise, torch.tensor([35]))
    with torch.no_grad():
        velocity = theirs(
            torch.cat([scaled(x, 2.0), noised.expand(2, -1, -1, -1)], dim=1),
            model.space.timestep(torch.tensor([2.0])),
            encoder_hidden_states=text.expand(2, -1, -1),
            class_labels=torch.tensor([35, 35]),
        ).sample
    expected = x / 5 - velocity * 2 / 5**0.5
    assert torch.allclose(asked(model, given.positive, x), expected, atol=1e-4)
    patched = model.denoised(x, torch.tensor([2.0, 2.0]), {
        "text": text.expand(2, -1, -1), "concat": noised.expand(2, -1, -1, -1),
        "label": torch.tensor([35, 35]),
    }, [UNetPatch()])  # fmt: skip
    assert torch.allclose(patched, expected, atol=1e-4)
    with pytest.raises(ValueError, match="put SD_4XUpscale_Conditioning between"):
        asked(model, [(text, {})], x)


async def test_a_prompt_enlarges_a_picture(upscaler: tuple[Path, Any], tmp_path: Path):
    _, text = text_tensors("clip_h", "cond_stage_model.model.", CONTEXT)
    (tmp_path / "models" / "checkpoints").mkdir(parents=True)
    write_tensors(
        tmp_path / "models" / "checkpoints" / "x4.safetensors", read_tensors(upscaler[0]) | text
    )
    prompt: Prompt = {
        "1": n("CheckpointLoaderSimple", ckpt_name="x4.safetensors"),
        "2": n("EmptyImage", width=16, height=12, batch_size=2, color=0x336699),
        "3": n("CLIPTextEncode", clip=["1", 1], text="a cat"),
        "4": n("SD_4XUpscale_Conditioning", images=["2", 0], positive=["3", 0],
               negative=["3", 0], scale_ratio=4.0, noise_augmentation=0.1),
        "5": n("KSampler", model=["1", 0], seed=5, steps=1, cfg=2.0, sampler_name="euler",
               scheduler="normal", positive=["4", 0], negative=["4", 1],
               latent_image=["4", 2], denoise=1.0),
        "6": n("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": n("SaveImage", images=["6", 0], filename_prefix="large"),
    }  # fmt: skip
    async with opened(tmp_path / "home", tmp_path / "models") as bench:
        (entry,) = await bench.run(prompt)
        assert entry.outcome.status == "success", entry.outcome
        assert bench.image("large").shape == (48, 64, 3)
        assert len(list((bench.home / "output").glob("large*.png"))) == 2


def test_lotus_is_no_model_that_draws_what_was_seen(tmp_path: Path):
    settings = SD2 | {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 4}
    path = write_tensors(tmp_path / "a.safetensors", made(Kind(settings, "")).state_dict())
    with pytest.raises(ModelFileError, match="it looks like a Lotus model"):
        read_denoiser(path)


@pytest.mark.parametrize("original", [True, False])
def test_a_full_lcm_model_is_given_the_scale_and_never_asked_what_is_not_wanted(
    original: bool, tmp_path: Path
):
    theirs = made(Kind(SD1 | {"time_cond_proj_dim": 256}, ""))
    tensors = denoiser_tensors(theirs) if original else theirs.state_dict()
    model = Denoiser.of(read_denoiser(write_tensors(tmp_path / "a.safetensors", tensors))).ready()
    text = torch.randn(1, 7, CONTEXT, generator=torch.Generator().manual_seed(1))
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    embedding = OF_DIFFUSERS[2].get_guidance_scale_embedding
    for scale in (1.0, 8.0):
        guider = cfg_guider(model, [(text, {})], [(text * 0, {})], scale)
        assert len(guider.groups) == 1
        known = embedding(None, torch.tensor([scale - 1]), embedding_dim=256).expand(2, -1)
        with torch.no_grad():
            noise = theirs(
                scaled(x, 2.0),
                model.space.timestep(torch.tensor([2.0])),
                encoder_hidden_states=text.expand(2, -1, -1),
                timestep_cond=known,
            ).sample
        found = evaluate([StepRequest(guider, x, torch.tensor(2.0))])[0]
        assert torch.allclose(found, x - 2 * noise, atol=1e-4)
        inputs = {"text": text.expand(2, -1, -1), "guidance": known}
        patched = model.denoised(x, torch.tensor([2.0, 2.0]), inputs, [UNetPatch()])
        assert torch.allclose(patched, found, atol=1e-4)
