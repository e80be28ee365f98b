"""Draw with the shipped model: a sheet of pictures, and how many of them are recognised."""

# diffusers annotates its methods only in part:
# pyright: reportUnknownMemberType=false

import argparse
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training import score
from training.data import HERE

FOLDER = HERE.parent / "nodes" / "models" / "demo"
STEPS, GUIDANCE = 20, 3.0


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
    parser.add_argument("file", type=Path, help="the sheet to write")
    parser.add_argument("--names", type=Path, default=HERE / "labels.txt", help="one prompt a line")
    parser.add_argument("--first", type=int, help="only so many of them")
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    names = asked.names.read_text().splitlines()[: asked.first]
    images = draw(load(FOLDER), names)
    sheet(images, names, asked.columns).save(asked.file)
    places = [score.ranked(image).index(name) for image, name in zip(images, names, strict=True)]
    found = np.array(places)
    print(f"first {(found == 0).mean():.3f}, among five {(found < 5).mean():.3f} of {len(names)}")


if __name__ == "__main__":
    main()
