"""Stable Video Diffusion and Stable Video 3D, against diffusers, on tiny random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import (
    AutoencoderKLTemporalDecoder,
)
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from torch import Tensor
from transformers.models.clip import CLIPVisionConfig

from nodes.models.conditioning.cameras import orbit
from nodes.models.conditioning.conditionings import Conditioning
from nodes.models.conditioning.vision import vision_encoder_of
from nodes.models.families import original_names
from nodes.models.files.checkpoints import read_checkpoint, read_denoiser, read_vae
from nodes.models.files.tensor_files import ModelFileError
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.inspecting import inspect
from nodes.models.networks.patched_unet import UNetPatch
from nodes.models.networks.saving import entries
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import cfg_guider
from nodes.models.text.text_encoder import TextEncoder
from nodes.models.vae.handles import vae_of
from nodes.models.vae.video import VideoVae
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import read_tensors, write_tensors
from tests.models.test_vision import CLIP, TINY, open_clip, random

NETWORKS: Any = (UNetSpatioTemporalConditionModel, AutoencoderKLTemporalDecoder)
SCHEDULER: Any = EulerDiscreteScheduler
WIDTH, FRAMES = 24, 3
BLOCKS = ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal")
UNET: dict[str, Any] = {
    "block_out_channels": [64, 128],
    "down_block_types": BLOCKS,
    "up_block_types": tuple(name.replace("Down", "Up") for name in reversed(BLOCKS)),
    "layers_per_block": 1,
    "num_attention_heads": [1, 2],
    "cross_attention_dim": WIDTH,
}
VAE: dict[str, Any] = {
    "block_out_channels": [32] * 4,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "layers_per_block": 2,
}
SCHEDULE: dict[str, Any] = {
    "_class_name": "EulerDiscreteScheduler",
    "prediction_type": "v_prediction",
    "sigma_max": 700.0,
    "sigma_min": 0.002,
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
}


def unet(label: int = 768) -> Any:
    return random(NETWORKS[0](**UNET, projection_class_embeddings_input_dim=label))


def renamed(weights: dict[str, Tensor], names: dict[str, str], prefix: str) -> dict[str, Tensor]:
    return {prefix + names[name]: weight for name, weight in weights.items()}


def denoiser_tensors(module: Any) -> dict[str, Tensor]:
    weights = module.state_dict()
    return renamed(weights, original_names.unet(weights.keys()), "model.diffusion_model.")


def vae_tensors(module: Any) -> dict[str, Tensor]:
    weights = module.state_dict()
    found = renamed(weights, original_names.vae(weights.keys()), "first_stage_model.")
    attention = {name for name in found if ".attn_1." in name and found[name].ndim == 2}
    return {name: t[..., None, None] if name in attention else t for name, t in found.items()}


@pytest.fixture(scope="module")
def theirs() -> Any:
    return unet()


@pytest.fixture(scope="module")
def vae() -> Any:
    return random(NETWORKS[1](**VAE))


@pytest.fixture(scope="module")
def seeing() -> Any:
    return random(CLIP(CLIPVisionConfig(projection_dim=WIDTH, **TINY)))


@pytest.fixture(scope="module")
def path(theirs: Any, vae: Any, seeing: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint, in the names of its authors."""
    vision = open_clip(seeing.state_dict())
    del vision["transformer.resblocks.0.ln_1.weight"]
    prefix = "conditioner.embedders.0.open_clip.model."
    tensors = denoiser_tensors(theirs) | vae_tensors(vae)
    tensors |= {prefix + name: tensor for name, tensor in vision.items()}
    folder = tmp_path_factory.mktemp("svd") / "checkpoints"
    folder.mkdir()
    return write_tensors(folder / "any.safetensors", tensors)


@pytest.fixture(scope="module")
def folder(theirs: Any, vae: Any, seeing: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a diffusers folder."""
    folder = tmp_path_factory.mktemp("svd") / "checkpoints" / "video"
    theirs.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    seeing.save_pretrained(folder / "image_encoder")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULE))
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": "StableVideoDiffusionPipeline"})
    )
    return folder


def given(**more: Any) -> Conditioning:
    dice = torch.Generator().manual_seed(4)
    text, picture = (torch.randn(shape, generator=dice) for shape in ((1, 1, WIDTH), (1, 4, 9, 10)))
    return [(text, {"concat_latent_image": picture, **more})]


def asked(model: Denoiser, positive: Conditioning, x: Tensor, sigma: float = 2.0) -> Tensor:
    return evaluate([StepRequest(cfg_guider(model, positive), x, torch.tensor(sigma))])[0]


def by_diffusers(module: Any, told: Conditioning, x: Tensor, sigma: float, ids: Tensor) -> Tensor:
    """The denoised latents of one video by the network's own forward."""
    text, options = told[0]
    seen = options["concat_latent_image"].expand(len(x), -1, -1, -1)
    scaled = torch.cat([x / (sigma**2 + 1) ** 0.5, seen], dim=1)
    time = torch.tensor(sigma).log() / 4
    velocity = module(scaled[None], time, text, added_time_ids=ids).sample[0]
    return x / (sigma**2 + 1) - velocity * sigma / (sigma**2 + 1) ** 0.5


def test_names_of_the_authors_are_known(path: Path, theirs: Any, vae: Any):
    names = {name.split(".", 1)[1] for name in read_tensors(path)}
    assert names >= {
        "diffusion_model.input_blocks.1.0.in_layers.2.weight",
        "diffusion_model.input_blocks.1.0.time_stack.emb_layers.1.weight",
        "diffusion_model.input_blocks.1.0.time_mixer.mix_factor",
        "diffusion_model.input_blocks.1.1.time_stack.0.norm_in.weight",
        "diffusion_model.input_blocks.1.1.time_pos_embed.0.weight",
        "diffusion_model.input_blocks.1.1.time_mixer.mix_factor",
        "diffusion_model.middle_block.2.time_stack.out_layers.3.bias",
        "diffusion_model.label_emb.0.2.weight",
        "decoder.mid.block_1.time_stack.in_layers.0.weight",
        "decoder.mid.block_1.mix_factor",
        "decoder.up.3.block.0.time_stack.out_layers.3.weight",
        "decoder.conv_out.time_mix_conv.weight",
        "encoder.down.0.block.0.conv1.weight",
    }
    found = read_checkpoint(path)
    assert found.denoiser.family.name == "Stable Video Diffusion"
    assert found.denoiser.source.pieces.keys() == theirs.state_dict().keys()
    assert found.vae.pieces.keys() == vae.state_dict().keys()


def test_frames_are_answered_together_as_diffusers_network_answers(path: Path, theirs: Any):
    model = Denoiser.of(read_denoiser(path)).ready()
    x = torch.randn(FRAMES, 4, 9, 10, generator=torch.Generator().manual_seed(1))
    told = given(fps=9, motion_bucket_id=40, augmentation_level=0.3)
    expected = by_diffusers(theirs, told, x, 2.0, torch.tensor([[8, 40, 0.3]]))
    assert torch.allclose(asked(model, told, x), expected, atol=1e-4, rtol=1e-4)
    plain = by_diffusers(theirs, given(), x, 2.0, torch.tensor([[5, 127, 0.0]]))
    assert torch.allclose(asked(model, given(), x), plain, atol=1e-4, rtol=1e-4)
    alone = torch.cat([asked(model, told, one[None]) for one in x])
    assert not torch.allclose(alone, expected, atol=1e-2), "frames count for each other"


def test_videos_of_several_jobs_share_an_evaluation_and_keep_their_frames(path: Path):
    model = Denoiser.of(read_denoiser(path)).ready()
    dice = torch.Generator().manual_seed(2)
    requests: list[StepRequest] = []
    for count in (FRAMES, FRAMES, 2):
        x = torch.randn(count, 4, 9, 10, generator=dice)
        guider = cfg_guider(model, given(fps=count), [(torch.zeros(1, 1, WIDTH), {})], 3.0)
        requests.append(StepRequest(guider, x, torch.tensor(2.0)))
    assert requests[0].key == requests[1].key
    assert requests[0].key != requests[2].key
    for request, found in zip(requests[:2], evaluate(requests[:2]), strict=True):
        assert torch.allclose(found, evaluate([request])[0], atol=1e-5)


def test_halves_give_nearly_the_same_video(path: Path):
    model = Denoiser.of(read_denoiser(path))
    x = torch.randn(FRAMES, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    whole = asked(model.ready(), given(), x)
    half = asked(replace(model, computes_in="bf16").ready(), given(), x)
    assert torch.allclose(half, whole, atol=0.05 * float(whole.abs().max()))
    assert not torch.equal(half, whole)


def test_inspecting_names_the_family_and_the_vision_encoder(path: Path, folder: Path):
    for place in (path, folder):
        found = inspect(place)
        assert (found["type"], found["family"]) == ("checkpoint", "Stable Video Diffusion")
        assert found["networks"].keys() == {"UNet", "VAE", "vision encoder"}
        assert found["details"] == {"predicts": "Edm"}
        assert found["complaint"] is None


def test_what_is_for_unets_of_pictures_is_refused(path: Path):
    model = Denoiser.of(read_denoiser(path)).ready()
    x = torch.zeros(FRAMES, 4, 8, 8)
    inputs = {
        "text": torch.zeros(FRAMES, 1, WIDTH),
        "label": torch.zeros(FRAMES, 768),
        "concat": x,
        "frames": torch.tensor(FRAMES),
    }
    sigma = torch.ones(FRAMES)
    with pytest.raises(ValueError, match="a node changes its UNet as one of pictures"):
        model.denoised(x, sigma, inputs, [UNetPatch()])
    with pytest.raises(ValueError, match="makes videos, and the ControlNet is for"):
        model.denoised(x, sigma, inputs | {"control.mid": x})
    with pytest.raises(ValueError, match=r"7 wide and this model, Stable Video Diff"):
        asked(model, [(torch.zeros(1, 1, 7), {})], x)


def test_it_has_no_text_encoder_and_says_what_to_load_it_with(path: Path):
    with pytest.raises(ModelFileError, match="a picture and no text; load it with ImageOnly"):
        TextEncoder.of(read_checkpoint(path).text_encoder).load("cpu")


@pytest.mark.parametrize("quantized", [True, False])
def test_frames_are_decoded_together(vae: Any, tmp_path: Path, quantized: bool):
    tensors = vae_tensors(vae)
    if not quantized:
        tensors = {name: t for name, t in tensors.items() if ".quant_conv." not in name}
    loaded = vae_of(read_vae(write_tensors(tmp_path / "v.safetensors", tensors)))
    assert isinstance(loaded, VideoVae)
    loaded = loaded.ready()
    z = torch.randn(FRAMES, 4, 4, 5, generator=torch.Generator().manual_seed(3))
    expected = vae.decode(z, num_frames=FRAMES).sample
    assert torch.allclose(loaded.raw_pictures(z), expected, atol=1e-4, rtol=1e-4)
    whole = loaded.decode(z)
    assert whole.shape == (FRAMES, 32, 40, 3)
    assert torch.allclose(loaded.decode_tiled(z, 256), whole, atol=1e-4), "in tiles, too"
    picture = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(4)) * 2 - 1
    moments = vae.encoder(picture)
    moments = vae.quant_conv(moments) if quantized else moments
    assert torch.allclose(loaded.raw_latents(picture), moments[:, :4], atol=1e-4, rtol=1e-4)


def test_a_folder_of_diffusers_is_the_same_model(folder: Path, path: Path):
    ours, other = read_checkpoint(folder), read_checkpoint(path)
    assert ours.denoiser.family is other.denoiser.family
    assert ours.denoiser.space.key == other.denoiser.space.key
    model = Denoiser.of(ours.denoiser).ready()
    x = torch.randn(FRAMES, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(
        asked(model, given(), x), asked(Denoiser.of(other.denoiser).ready(), given(), x)
    )
    picture = torch.rand(1, 40, 32, 3)
    seen = [vision_encoder_of(p).ready().see(picture, crop=True) for p in (folder, path)]
    assert torch.allclose(seen[0].image_embeds, seen[1].image_embeds, atol=1e-5)
    assert isinstance(vae_of(ours.vae), VideoVae)


def test_saved_checkpoints_have_the_names_of_the_authors(folder: Path, path: Path):
    expected = read_tensors(path)
    for place in (folder, path):
        found = read_checkpoint(place)
        handles: Any = (Denoiser.of(found.denoiser), vision_encoder_of(place), vae_of(found.vae))
        saved = {e.name: e for h in handles for e in entries(h, "cpu", prefixed=True)}
        assert saved.keys() == expected.keys()
        for name, one in saved.items():
            assert one.shape == tuple(expected[name].shape), name
            assert torch.equal(one.value().reshape(one.shape), expected[name]), name


async def test_a_prompt_makes_a_picture_move(path: Path, theirs: Any, vae: Any, tmp_path: Path):
    prompt: Prompt = {
        "1": n("ImageOnlyCheckpointLoader", ckpt_name="any.safetensors"),
        "2": n("EmptyImage", width=64, height=64, batch_size=1, color=0x336699),
        "3": n("SVD_img2vid_Conditioning", clip_vision=["1", 1], init_image=["2", 0],
               vae=["1", 2], width=64, height=64, video_frames=FRAMES, motion_bucket_id=60,
               fps=7, augmentation_level=0.0),
        "4": n("VideoLinearCFGGuidance", model=["1", 0], min_cfg=1.0),
        "5": n("KSampler", model=["4", 0], seed=5, steps=3, cfg=2.5, sampler_name="euler",
               scheduler="karras", positive=["3", 0], negative=["3", 1], latent_image=["3", 2],
               denoise=1.0),
        "6": n("SaveLatent", samples=["5", 0], filename_prefix="video"),
        "7": n("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "8": n("SaveImage", images=["7", 0], filename_prefix="frame"),
        "9": n("ImageOnlyCheckpointSave", model=["1", 0], clip_vision=["1", 1], vae=["1", 2],
               filename_prefix="checkpoints/kept"),
    }  # fmt: skip
    async with opened(tmp_path / "home", path.parent.parent) as bench:
        (entry,) = await bench.run(prompt)
        assert entry.outcome.status == "success", entry.outcome
        (file,) = (bench.home / "output").glob("video*.latent")
        found = read_tensors(file)["latent_tensor"]
        (kept,) = (bench.home / "output" / "checkpoints").glob("kept*.safetensors")
        frames = list((bench.home / "output").glob("frame*.png"))
    assert read_tensors(kept).keys() == read_tensors(path).keys()
    assert len(frames) == FRAMES

    grey = torch.tensor([0x33, 0x66, 0x99]).expand(1, 64, 64, 3) / 255
    seen = vision_encoder_of(path).ready().see(grey, crop=True).image_embeds[:, None]
    picture = vae.encode(grey.movedim(-1, 1) * 2 - 1).latent_dist.mode()
    scheduler = SCHEDULER.from_config(SCHEDULE)
    scheduler.set_timesteps(3)
    x = torch.randn(FRAMES, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    x = x * scheduler.init_noise_sigma
    scale = torch.linspace(1, 2.5, FRAMES).reshape(-1, 1, 1, 1)
    ids = torch.tensor([[6, 60, 0.0]])
    for time in scheduler.timesteps:
        scaled = scheduler.scale_model_input(x, time)
        answers = [
            theirs(
                torch.cat([scaled, (picture * on).expand(FRAMES, -1, -1, -1)], dim=1)[None],
                time,
                seen * on,
                added_time_ids=ids,
            ).sample[0]
            for on in (0, 1)
        ]
        x = scheduler.step(answers[0] + scale * (answers[1] - answers[0]), time, x).prev_sample
    assert torch.allclose(found, x / 0.18215, rtol=1e-3, atol=1e-3 * float(x.abs().max()))


@pytest.mark.parametrize("label", [256, 1280])
def test_stable_video_3d_is_told_from_where_each_view_is_seen(label: int, tmp_path: Path):
    theirs = unet(label)
    path = write_tensors(tmp_path / "any.safetensors", denoiser_tensors(theirs))
    found = read_denoiser(path)
    assert found.family.name == "Stable Video 3D"
    model = Denoiser.of(found).ready()
    x = torch.randn(FRAMES, 4, 9, 10, generator=torch.Generator().manual_seed(1))
    told = given(elevation=[20.0] * FRAMES, azimuth=[90.0] * FRAMES)

    def waves(number: float, width: int) -> Tensor:
        angles = number * torch.tensor(1e4) ** (-2 * torch.arange(width // 2) / width)
        return torch.cat([angles.cos(), angles.sin()])

    parts = [waves(0.0, 256)]
    if label == 1280:
        parts += [waves(torch.pi * 70 / 180, 512), waves(torch.pi / 2, 512)]

    def label_of(_ids: Tensor) -> Tensor:
        return torch.cat(parts)[None]

    theirs.add_time_proj.forward = label_of
    expected = by_diffusers(theirs, told, x, 2.0, torch.zeros(1, 1))
    assert torch.allclose(asked(model, told, x), expected, atol=1e-4, rtol=1e-4)
    turning = given(elevation=[20.0] * FRAMES, azimuth=[0.0, 90.0, 180.0])
    assert torch.allclose(asked(model, turning, x), expected, atol=1e-3) is (label == 256)


async def test_a_prompt_goes_around_an_object(path: Path, tmp_path: Path):
    tensors = read_tensors(path) | denoiser_tensors(unet(1280))
    (tmp_path / "models" / "checkpoints").mkdir(parents=True)
    write_tensors(tmp_path / "models" / "checkpoints" / "sv3d.safetensors", tensors)
    prompt: Prompt = {
        "1": n("ImageOnlyCheckpointLoader", ckpt_name="sv3d.safetensors"),
        "2": n("EmptyImage", width=80, height=64, batch_size=1, color=0x336699),
        "3": n("SV3D_Conditioning", clip_vision=["1", 1], init_image=["2", 0], vae=["1", 2],
               width=64, height=64, video_frames=FRAMES, elevation=10.0),
        "4": n("VideoTriangleCFGGuidance", model=["1", 0], min_cfg=1.0),
        "5": n("KSampler", model=["4", 0], seed=5, steps=1, cfg=2.5, sampler_name="euler",
               scheduler="karras", positive=["3", 0], negative=["3", 1], latent_image=["3", 2],
               denoise=1.0),
        "6": n("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": n("SaveImage", images=["6", 0], filename_prefix="view"),
    }  # fmt: skip
    async with opened(tmp_path / "home", tmp_path / "models") as bench:
        (entry,) = await bench.run(prompt)
        assert entry.outcome.status == "success", entry.outcome
        assert bench.image("view").shape == (64, 64, 3)
        assert len(list((bench.home / "output").glob("view*.png"))) == FRAMES


def test_a_file_that_lacks_a_layer_of_time_is_refused_by_name(theirs: Any, tmp_path: Path):
    tensors = {k: t for k, t in denoiser_tensors(theirs).items() if "output_blocks.1." not in k}
    with pytest.raises(ModelFileError, match="like a Stable Video Diffusion model, but its denois"):
        read_denoiser(write_tensors(tmp_path / "a.safetensors", tensors))


def test_an_orbit_ends_where_the_picture_was_taken():
    assert orbit(4) == [90.0, 180.0, 270.0, 0.0]
