"""Fast previews of latents: a colour for each latent pixel, linear in its channels.

The factors are those of `LatentFormat.latent_rgb_factors`. A model folder may bring its own in
``vae/latent_rgb.json``: a row of red, green and blue for each channel, and a last one, the bias.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from nodes.models.latents.formats import RgbFactors

FILE = "latent_rgb.json"
LARGEST = 512
QUALITY = 90


def read_rgb_factors(folder: Path, channels: int) -> RgbFactors | None:
    """The RGB factors and bias in the folder of an autoencoder, [channels + 1, 3]; None: none fit.

    A file with another number of rows, or one that cannot be read, is ignored.
    """
    if not (folder / FILE).exists():
        return None
    try:
        rows: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
        rgb_factors = tuple(tuple(float(value) for value in row) for row in rows)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return (
        rgb_factors
        if len(rgb_factors) == channels + 1 and {len(row) for row in rgb_factors} == {3}
        else None
    )


def rough_rgb(latents: Tensor, rgb_factors: RgbFactors) -> Tensor:
    """Rough pictures [B, h, w, 3] in 0..1 of latents [B, C, h, w] in the unit of the denoiser."""
    rows = torch.tensor(rgb_factors, dtype=torch.float32)
    return (latents.float().cpu().movedim(1, -1) @ rows[:-1] + rows[-1]).clamp(0, 1)


def preview(latents: Tensor, rgb_factors: RgbFactors) -> bytes:
    """A JPEG of the first of some latents, as large as its picture but at most 512 pixels."""
    picture = rough_rgb(latents[:1], rgb_factors)[0]
    return jpeg(picture, min(8.0, LARGEST / max(picture.shape[:2])))


def jpeg(picture: Tensor, factor: float = 1.0) -> bytes:
    """A picture [H, W, 3] of 0..1 as a JPEG, so many times as large along each side."""
    image = Image.fromarray((picture * 255).to(torch.uint8).numpy())
    sides = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    file = io.BytesIO()
    image.resize(sides, Image.Resampling.BICUBIC).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
