"""What latents look like, roughly and at once: a colour for each latent pixel.

The colour is a linear function of the channels. The numbers for Stable Diffusion 1.x and SDXL were
fitted to what the tiny autoencoders TAESD and TAESDXL (madebyollin/taesd, MIT) make of photographs
and drawings: they explain about four fifths of the variance. A model folder may bring its own in
``vae/latent_rgb.json``: a row of red, green and blue for each channel, and one to begin with.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from PIL import Image
from torch import Tensor

Colors: TypeAlias = Sequence[Sequence[float]]

FILE = "latent_rgb.json"
LARGEST = 512
QUALITY = 90

# By the scale of the latents, which tells these families apart.
KNOWN: Mapping[float, Colors] = {
    0.18215: (
        (0.1744, 0.1286, 0.1395),
        (0.0878, 0.1702, 0.0473),
        (-0.1088, 0.0901, 0.069),
        (-0.1256, -0.1097, -0.2784),
        (0.5038, 0.4926, 0.4708),
    ),
    0.13025: (
        (0.1704, 0.1818, 0.2013),
        (-0.1284, 0.0109, 0.0054),
        (0.0256, 0.0719, -0.0356),
        (-0.1296, -0.0791, -0.0935),
        (0.5578, 0.5154, 0.4977),
    ),
}


def read_colors(folder: Path | None, latent_scale: float, channels: int) -> Colors | None:
    """The colours of a model's latents, None where nothing is known of them.

    Args:
        folder: of its autoencoder, if it has one.
        latent_scale: see `checkpoints.Checkpoint`.
        channels: of its latents; colours for another number of them are not its own.
    """
    colors = KNOWN.get(latent_scale)
    if folder is not None and (folder / FILE).exists():
        try:
            rows: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
            colors = tuple(tuple(float(value) for value in row) for row in rows)
        except (OSError, ValueError, TypeError, RecursionError):
            return None
    fit = colors is not None and len(colors) == channels + 1 and {len(r) for r in colors} == {3}
    return colors if fit else None


def colored(latents: Tensor, colors: Colors) -> Tensor:
    """Rough pictures [B, h, w, 3] in 0..1 of latents [B, C, h, w] in the unit of the network."""
    rows = torch.tensor(colors, dtype=torch.float32)
    return (latents.float().cpu().movedim(1, -1) @ rows[:-1] + rows[-1]).clamp(0, 1)


def preview(latents: Tensor, colors: Colors) -> bytes:
    """A JPEG of the first of some latents, as large as its picture but at most 512 pixels."""
    pixels = (colored(latents[:1], colors)[0] * 255).to(torch.uint8)
    image = Image.fromarray(pixels.numpy())
    factor = min(8.0, LARGEST / max(image.size))
    sides = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    file = io.BytesIO()
    image.resize(sides, Image.Resampling.BICUBIC).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
