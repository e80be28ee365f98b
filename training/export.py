"""Put the trained parts together as a diffusers folder in half precision."""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import json
import shutil
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from training.data import SIDE
from training.denoiser import BETA_END, BETA_START, STEPS
from training.patches import PatchMap, new_autoencoder
from training.recipe import Material, Recipe, new_model, patch_map

METADATA = {
    "modelspec.title": "Soundstage's demo model",
    "modelspec.resolution": f"{SIDE}x{SIDE}",
    "soundstage.steps": "20",
    "soundstage.cfg": "3",
}
"""What a user had best ask for, in `metadata.json`: text by key, as in safetensors files."""


def export(found: Material, cache: Path, recipe: Recipe, folder: Path) -> None:
    """Write the model's folder from the checkpoints in the cache.

    Raises:
        FileNotFoundError: a part is not trained.
    """
    encoder = patch_map(found, cache)
    model = new_model(found, cache, recipe).eval()
    model.load_state_dict(_averaged(cache / "denoiser.pt"))
    scheduler = EulerDiscreteScheduler(
        num_train_timesteps=STEPS,
        beta_schedule="scaled_linear",
        beta_start=BETA_START,
        beta_end=BETA_END,
        prediction_type="v_prediction",
        timestep_spacing="linspace",
        steps_offset=1,  # counts for other spacings alone, but diffusers warns of 0
    )
    pipeline = StableDiffusionPipeline(
        vae=autoencoder(encoder, cache),
        text_encoder=model.text_encoder,
        tokenizer=model.tokenizer,
        unet=model.unet,
        scheduler=cast(Any, scheduler),
        safety_checker=cast(Any, None),
        feature_extractor=cast(Any, None),
        requires_safety_checker=False,
    )
    for part in ("vae", "text_encoder", "tokenizer", "unet", "scheduler"):
        shutil.rmtree(folder / part, ignore_errors=True)
    pipeline.to(torch.float16).save_pretrained(folder)
    # A plain `from_pretrained` is to give parts that fit together: transformers loads in the
    # precision that its config names, diffusers in single precision.
    _change(folder / "text_encoder" / "config.json", {"dtype": "float32"})
    shutil.rmtree(folder / "tokenizer")
    shutil.copytree(cache / "tokenizer", folder / "tokenizer")
    (folder / "vae" / "latent_rgb.json").write_text(json.dumps(encoder.colours()) + "\n")
    (folder / "metadata.json").write_text(json.dumps(METADATA, indent=2) + "\n")


def autoencoder(encoder: PatchMap, cache: Path) -> AutoencoderKL:
    """The trained autoencoder."""
    vae = new_autoencoder(len(encoder.rows), SIDE).eval()
    vae.load_state_dict(_averaged(cache / "decoder.pt"))
    return vae


def _averaged(checkpoint: Path) -> dict[str, torch.Tensor]:
    if not checkpoint.exists():
        raise FileNotFoundError(f"{checkpoint}: not there yet; run python -m training first")
    return torch.load(checkpoint, weights_only=True, map_location="cpu")["average"]


def _change(config: Path, changes: dict[str, str]) -> None:
    config.write_text(json.dumps(json.loads(config.read_text()) | changes, indent=2) + "\n")
