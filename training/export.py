"""Put the trained parts together as a diffusers folder in half precision, and draw with it."""

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
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training import autoencoder, denoiser, score
from training.data import HERE, chosen_emoji, chosen_labels, load_clean, on_white

FOLDER = HERE.parent / "nodes" / "models" / "demo"
STEPS, GUIDANCE = 20, 3.0


def export(folder: Path) -> None:
    """Write the model's folder from the checkpoints, and the thumbnails `training.score` needs."""
    emoji = chosen_emoji(load_clean())
    score.save_references(np.stack([on_white(one.rgba) for one in emoji]))
    tokenizer = denoiser.new_tokenizer()
    model = denoiser.TextToLatent(tokenizer).eval()
    model.load_state_dict(torch.load(denoiser.CHECKPOINT, weights_only=True)["average"])
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


def load(folder: Path) -> StableDiffusionPipeline:
    """The exported model as a pipeline in single precision, from local files only."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(
    pipeline: StableDiffusionPipeline, prompts: list[str], seed: int = 0
) -> NDArray[np.float32]:
    """A picture for each prompt, 20 Euler steps, guidance 3: float32 [N, 128, 128, 3], 0..1."""
    images: list[NDArray[np.float32]] = []
    for index, prompt in enumerate(prompts):
        made = cast(Any, pipeline)(
            prompt,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator().manual_seed(seed + index),
            output_type="np",
        )
        images.append(made.images[0])
    return np.stack(images)


def sheet(images: NDArray[np.float32], prompts: list[str], columns: int) -> Image.Image:
    """The images in a grid with their prompts below them."""
    width, height = 140, 160
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (columns * width, rows * height), "white")
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(12)
    for index, (image, prompt) in enumerate(zip(images, prompts, strict=True)):
        left, top = index % columns * width, index // columns * height
        page.paste(Image.fromarray((image * 255).round().astype(np.uint8)), (left + 6, top + 4))
        pen.text((left + width // 2, top + 144), prompt, "black", font, anchor="mm")
    return page


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--sheet", type=Path, help="draw every picture into this file")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    export(asked.folder)
    if asked.sheet:
        labels = chosen_labels()
        images = draw(load(asked.folder), labels)
        hits = [
            score.ranked(image).index(label) for image, label in zip(images, labels, strict=True)
        ]
        found = np.array(hits)
        page = sheet(images, labels, 16)
        page.save(asked.sheet)
        print(f"top-1 {(found == 0).mean():.3f}, top-5 {(found < 5).mean():.3f} of {len(labels)}")


if __name__ == "__main__":
    main()
