"""Draw with an exported model: a sheet of pictures, and how good they are."""

# diffusers annotates its methods only in part:
# pyright: reportUnknownMemberType=false

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training import score
from training.data import HERE, Emoji, on_white
from training.scenes import COLOURS, trained

FOLDER = HERE.parent / "nodes" / "models" / "demo"
STEPS, GUIDANCE = 20, 3.0
MEASURED = (1.0, 3.0, 8.0)  # guidance; 8 is KSampler's default
GROUNDS = 64  # pairs of a name and a colour, never trained, to look at


def load(folder: Path) -> StableDiffusionPipeline:
    """The exported model as a pipeline in single precision, from local files only."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str],
    seed: int = 0,
    guidance: float = GUIDANCE,
) -> NDArray[np.float32]:
    """A picture for each prompt in 20 Euler steps: float32 [N, 128, 128, 3], 0..1."""
    images: list[NDArray[np.float32]] = []
    for start in range(0, len(prompts), 8):
        some = list(prompts[start : start + 8])
        made = cast(Any, pipeline)(
            some,
            num_inference_steps=STEPS,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed + start + n) for n in range(len(some))],
            output_type="np",
        )
        images.extend(made.images)
    return np.stack(images)


def measure(
    pipeline: StableDiffusionPipeline, named: Sequence[Emoji], favourites: frozenset[str]
) -> list[str]:
    """Sentences about how well the model draws what it knows, each name asked for once.

    A picture is right if the art of no other name is nearer (`score.feature`), and exact by its
    peak signal-to-noise ratio to the art on white.
    """
    art = np.stack([on_white(one.rgba) for one in named])
    known = np.stack([score.feature(picture) for picture in art])
    liked = np.array([one.label in favourites for one in named])
    said: list[str] = []
    for guidance in MEASURED:
        images = draw(pipeline, [one.label for one in named], guidance=guidance)
        features = np.stack([score.feature(image) for image in images])
        nearest = [int(((known - one) ** 2).sum(1).argmin()) for one in features]
        right = np.array(nearest) == np.arange(len(named))
        exact = -10 * np.log10(((images - art) ** 2).mean((1, 2, 3)))
        for title, some in (("names", liked | True), ("favourites", liked)):
            if some.any():
                said.append(
                    f"guidance {guidance:g}: {right[some].mean():.1%} of {some.sum()} {title} "
                    f"right, {exact[some].mean():.1f} dB"
                )
    pairs = [(one.label, c) for one in named for c in COLOURS if not trained(one.label, c)]
    order: list[int] = np.random.default_rng(0).permutation(len(pairs)).tolist()
    pairs = [pairs[n] for n in order[:GROUNDS]]
    if pairs:
        images = draw(pipeline, [f"{label}, {colour} background" for label, colour in pairs])
        found = [background(image) for image in images]
        right = np.mean([colour == name for (_, colour), name in zip(pairs, found, strict=True)])
        said.append(f"backgrounds of {len(pairs)} pairs never trained: {right:.1%} right")
    return said


def background(image: NDArray[np.floating]) -> str:
    """The name of the colour that the corners of an image [H, W, 3] are nearest to."""
    edge = np.concatenate([image[y, x].reshape(-1, 3) for y in _ENDS for x in _ENDS])
    shade = score.lab(np.median(edge, 0)[None, None])
    palette = score.lab(np.array([list(COLOURS.values())]))
    return list(COLOURS)[int(((palette - shade) ** 2).sum(-1).argmin())]


_ENDS = (slice(0, 8), slice(-8, None))


def sheet(images: NDArray[np.float32], prompts: Sequence[str], columns: int) -> Image.Image:
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
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the model")
    parser.add_argument("--names", type=Path, default=HERE / "labels.txt", help="one prompt a line")
    parser.add_argument("--first", type=int, help="only so many of them")
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    names = asked.names.read_text().splitlines()[: asked.first]
    images = draw(load(asked.folder), names, guidance=asked.guidance)
    sheet(images, names, asked.columns).save(asked.file)


if __name__ == "__main__":
    main()
