"""What latents look like, roughly and at once: a colour for each latent pixel.

The colour is a linear function of the channels, see `formats`. A model folder may bring its own in
``vae/latent_rgb.json``: a row of red, green and blue for each channel, and one to begin with.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from nodes.models.latents.formats import Colors

FILE = "latent_rgb.json"
LARGEST = 512
QUALITY = 90


def read_colors(folder: Path, channels: int) -> Colors | None:
    """The colours that the folder of an autoencoder says its latents have, None where it does not.

    Colours for another number of channels than `channels` are not its own.
    """
    if not (folder / FILE).exists():
        return None
    try:
        rows: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
        colors = tuple(tuple(float(value) for value in row) for row in rows)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return colors if len(colors) == channels + 1 and {len(row) for row in colors} == {3} else None


def colored(latents: Tensor, colors: Colors) -> Tensor:
    """Rough pictures [B, h, w, 3] in 0..1 of latents [B, C, h, w] in the unit of the network."""
    rows = torch.tensor(colors, dtype=torch.float32)
    return (latents.float().cpu().movedim(1, -1) @ rows[:-1] + rows[-1]).clamp(0, 1)


def preview(latents: Tensor, colors: Colors) -> bytes:
    """A JPEG of the first of some latents, as large as its picture but at most 512 pixels."""
    picture = colored(latents[:1], colors)[0]
    return jpeg(picture, min(8.0, LARGEST / max(picture.shape[:2])))


def jpeg(picture: Tensor, factor: float = 1.0) -> bytes:
    """A picture [H, W, 3] of 0..1 as a JPEG, so many times as large along each side."""
    image = Image.fromarray((picture * 255).to(torch.uint8).numpy())
    sides = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    file = io.BytesIO()
    image.resize(sides, Image.Resampling.BICUBIC).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
