"""Videos from pictures, through the engine, by tiny networks of random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from PIL import Image

from nodes.models.conditioning.given_frames import both_seen, changing, gray_video
from nodes.models.conditioning.inputs import InputsRequest
from nodes.models.conditioning.vision import Seen
from nodes.models.files.checkpoints import read_denoiser
from nodes.models.latents.video_formats import WAN
from nodes.models.networks.denoiser import Denoiser
from tests.models import random_texts
from tests.models.bench import Prompt, n, opened
from tests.models.conftest import write_tensors
from tests.models.text_transformers import CONTEXT, VIDEO
from tests.models.transformers import made

VAE = {"base_dim": 8, "dim_mult": [1, 1, 1, 1], "z_dim": 16, "num_res_blocks": 1}
VAE_5B = {**VAE, "z_dim": 48, "is_residual": True, "in_channels": 12, "out_channels": 12,
          "patch_size": 2, "scale_factor_spatial": 16}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Denoisers of strong and weak noise, one with 48 channels, one for control; autoencoders."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "diffusion_models").mkdir()
    (folder / "vae").mkdir()
    channels = {"high": (36, 16), "low": (36, 16), "5b": (48, 48), "control": (48, 16)}
    for seed, (name, (given, out)) in enumerate(channels.items()):
        settings = {**VIDEO, "in_channels": given, "out_channels": out}
        weights = dict(made(WanTransformer3DModel, settings, seed).state_dict())
        write_tensors(folder / "diffusion_models" / f"{name}.safetensors", weights)
    for name, settings in (("wan", VAE), ("5b", VAE_5B)):
        weights = dict(made(AutoencoderKLWan, settings).state_dict())
        write_tensors(folder / "vae" / f"{name}.safetensors", weights)
    return folder


def common(vae: str) -> Prompt:
    return {
        "vae": n("VAELoader", vae_name=f"{vae}.safetensors"),
        "start": n("EmptyImage", width=40, height=30, batch_size=1, color=0xFF8000),
        "text": n("RandomText", seed=1, width=CONTEXT),
        "other": n("RandomText", seed=2, width=CONTEXT),
        "decode": n("VAEDecode", samples=["draw", 0], vae=["vae", 0]),
        "save": n("SaveImage", images=["decode", 0], filename_prefix="video"),
    }


def loaded(name: str) -> Any:
    return n("UNETLoader", unet_name=f"{name}.safetensors", weight_dtype="default")


def drawn(model: str, given: list[Any], latent: list[Any], start: int, end: int) -> Any:
    return n(
        "KSamplerAdvanced", model=[model, 0], add_noise="disable" if start else "enable",
        noise_seed=3, steps=4, cfg=2.0, sampler_name="euler", scheduler="simple",
        positive=given, negative=[given[0], 1], latent_image=latent, start_at_step=start,
        end_at_step=end, return_with_leftover_noise="disable" if end == 4 else "enable",
    )  # fmt: skip


async def run(prompt: Prompt, models: Path, tmp_path: Path) -> list[Path]:
    async with opened(tmp_path / "home", models, random_texts) as bench:
        (entry,) = await bench.run(prompt)
        assert entry.outcome.status == "success", entry.outcome
        return sorted((bench.home / "output").glob("video_*.png"))


async def test_two_models_of_wan_make_a_video_from_a_picture(models: Path, tmp_path: Path):
    prompt = {
        **common("wan"),
        "high": loaded("high"),
        "low": loaded("low"),
        "video": n(
            "WanImageToVideo", positive=["text", 0], negative=["other", 0], vae=["vae", 0],
            width=48, height=32, length=5, batch_size=1, start_image=["start", 0],
        ),
        "first": drawn("high", ["video", 0], ["video", 2], 0, 2),
        "draw": drawn("low", ["video", 0], ["first", 0], 2, 4),
    }  # fmt: skip
    files = await run(prompt, models, tmp_path)
    assert len(files) == 5
    with Image.open(files[0]) as picture:
        assert picture.size == (48, 32)


async def test_wan_5b_keeps_the_picture_that_a_video_begins_with(models: Path, tmp_path: Path):
    prompt = {
        **common("5b"),
        "5b": loaded("5b"),
        "video": n(
            "Wan22ImageToVideoLatent", vae=["vae", 0], width=64, height=32, length=5,
            batch_size=1, start_image=["start", 0],
        ),
        "draw": n(
            "KSampler", model=["5b", 0], seed=3, steps=2, cfg=1.0, sampler_name="uni_pc",
            scheduler="simple", positive=["text", 0], negative=["other", 0],
            latent_image=["video", 0], denoise=1.0,
        ),
    }  # fmt: skip
    assert len(await run(prompt, models, tmp_path)) == 5


async def test_wan_fun_follows_a_video_and_begins_with_a_picture(models: Path, tmp_path: Path):
    prompt = {
        **common("wan"),
        "control": loaded("control"),
        "edges": n("EmptyImage", width=48, height=32, batch_size=5, color=0x202020),
        "video": n(
            "WanFunControlToVideo", positive=["text", 0], negative=["other", 0], vae=["vae", 0],
            width=48, height=32, length=5, batch_size=1, start_image=["start", 0],
            control_video=["edges", 0],
        ),
        "draw": drawn("control", ["video", 0], ["video", 2], 0, 4),
    }  # fmt: skip
    assert len(await run(prompt, models, tmp_path)) == 5


def test_a_video_is_gray_where_no_frame_is_given():
    start, end = torch.zeros(1, 8, 8, 3), torch.ones(2, 16, 8, 3)
    video = gray_video(9, 8, 8, start, end)
    assert video.shape == (9, 8, 8, 3)
    means = [float(frame.mean()) for frame in video]
    assert means == [0.0, *[0.5] * 6, 1.0, 1.0]
    assert float(gray_video(3, 8, 8, None, None).std()) == 0


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [(1, 0, [4, 0, 0]), (0, 1, [0, 0, 1]), (5, 0, [4, 4, 0]), (1, 4, [4, 0, 4]), (0, 0, [0] * 3)],
)
def test_a_mask_says_which_frames_of_each_latent_one_are_given(
    start: int, end: int, kept: list[int]
):
    mask = changing((3, 2, 2), start, end)
    assert mask.shape == (1, 4, 3, 2, 2)
    assert [int(4 - each.sum()) for each in mask[0, :, :, 0, 0].T] == kept


def test_what_was_seen_in_two_pictures_is_put_together():
    one, two = (Seen(*(torch.full((1, 3, 2), value),) * 3) for value in (1.0, 2.0))
    both = both_seen(one, two)
    assert both is not None
    assert torch.equal(
        both.penultimate_hidden_states.mean(-1), torch.tensor([[1.0] * 3 + [2.0] * 3])
    )
    assert (both_seen(None, two), both_seen(one, None), both_seen(None, None)) == (two, one, None)


def test_nothing_to_follow_is_nothing_to_wan_fun(models: Path):
    model = Denoiser.of(read_denoiser(models / "diffusion_models" / "control.safetensors"))
    x = torch.zeros(1, 16, 2, 4, 6)
    empty = WAN.process_out(torch.zeros_like(x)).repeat(1, 2, 1, 1, 1)
    request = InputsRequest(torch.zeros(1, 7, CONTEXT), {"concat_latent_image": empty}, x)
    assert float(model.inputs(request)["concat"].tensor.abs().max()) < 1e-5
