"""Put the trained parts together as a diffusers folder in half precision."""

# torch and diffusers annotate their methods only in part:
# pyright: reportUnknownMemberType=false

import argparse
import json
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from training import autoencoder, denoiser, score
from training.data import HERE, chosen_emoji, load_clean, on_white

FOLDER = HERE.parent / "nodes" / "models" / "demo"


def export(folder: Path, checkpoint: Path) -> None:
    """Write the model's folder from the checkpoints, and the thumbnails `training.score` needs."""
    emoji = chosen_emoji(load_clean())
    score.save_references(np.stack([on_white(one.rgba) for one in emoji]))
    tokenizer = denoiser.new_tokenizer()
    model = denoiser.TextToLatent(tokenizer).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    scheduler = EulerDiscreteScheduler(
        num_train_timesteps=denoiser.STEPS,
        beta_schedule="scaled_linear",
        beta_start=denoiser.BETA_START,
        beta_end=denoiser.BETA_END,
        prediction_type="v_prediction",
        timestep_spacing="linspace",
    )
    pipeline = StableDiffusionPipeline(
        vae=folded_autoencoder(),
        text_encoder=model.text_encoder,
        tokenizer=tokenizer,
        unet=model.unet,
        scheduler=cast(Any, scheduler),
        safety_checker=cast(Any, None),
        feature_extractor=cast(Any, None),
        requires_safety_checker=False,
    )
    for part in ("vae", "text_encoder", "tokenizer", "unet", "scheduler"):
        shutil.rmtree(folder / part, ignore_errors=True)
    pipeline.to(torch.float16).save_pretrained(folder)
    _load_text_encoder_in_single_precision(folder / "text_encoder" / "config.json")
    shutil.rmtree(folder / "tokenizer")
    shutil.copytree(denoiser.TOKENIZER, folder / "tokenizer")


def _load_text_encoder_in_single_precision(config: Path) -> None:
    """Let a plain `from_pretrained` give parts that fit together.

    transformers loads in the precision its config names, diffusers in single precision.
    """
    settings = json.loads(config.read_text()) | {"dtype": "float32"}
    config.write_text(json.dumps(settings, indent=2) + "\n")


def folded_autoencoder() -> AutoencoderKL:
    """The autoencoder with its latest decoder, giving the latents the denoiser was trained on."""
    latest = autoencoder.DECODER_CHECKPOINT
    vae = autoencoder.load_autoencoder(latest if latest.exists() else autoencoder.CHECKPOINT)
    pictures = np.stack([e.rgba for e in chosen_emoji(load_clean())])
    _, mean, deviation = autoencoder.latent_statistics(vae, autoencoder.plain_pictures(pictures))
    autoencoder.fold_statistics(vae, mean, deviation)
    return vae


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--denoiser", type=Path, default=denoiser.CHECKPOINT)
    asked = parser.parse_args()
    export(asked.folder, asked.denoiser)


if __name__ == "__main__":
    main()
