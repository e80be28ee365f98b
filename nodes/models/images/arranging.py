"""Sizes, cuts and frames of pictures, float32 [B, H, W, C] in 0..1."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nodes.models.images.pictures import scaled
from nodes.models.memory import ask_for

GREY = 0.5  # of what is to be painted outside of a picture
MEGAPIXEL = 1024 * 1024
TURNS = {"none": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3}

# Sizes that FLUX.1 Kontext was trained on (PREFERED_KONTEXT_RESOLUTIONS of Black Forest Labs'
# "flux", Apache-2.0), portrait to landscape.
KONTEXT_SIZES = (
    (672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184),
    (944, 1104), (1024, 1024), (1104, 944), (1184, 880), (1248, 832), (1328, 800), (1392, 752),
    (1456, 720), (1504, 688), (1568, 672),
)  # fmt: skip


def scaled_to_pixels(pictures: Tensor, method: str, megapixels: float, multiple: int = 1) -> Tensor:
    """Pictures of about so many times 1024 x 1024 pixels, in proportion.

    Both sides are rounded to a multiple of `multiple`.
    """
    sides = pictures.shape[1:3]
    factor = math.sqrt(megapixels * MEGAPIXEL / math.prod(sides))
    height, width = (max(1, round(side * factor / multiple)) * multiple for side in sides)
    return scaled(pictures, method, width, height, crop=False)


def limited(pictures: Tensor, longest: int) -> Tensor:
    """Pictures whose longer side is `longest`, smoothly; the other side is rounded down."""
    sides = pictures.shape[1:3]
    height, width = (max(1, side * longest // max(sides)) for side in sides)
    return scaled(pictures, "lanczos", width, height, crop=False)


def scaled_for_kontext(pictures: Tensor) -> Tensor:
    """Pictures at the one of `KONTEXT_SIZES` whose proportions are nearest, cut to fit."""
    height, width = pictures.shape[1:3]
    best = min(KONTEXT_SIZES, key=lambda size: abs(size[0] / size[1] - width / height))
    return scaled(pictures, "lanczos", *best, crop=True)


def cropped(pictures: Tensor, x: int, y: int, width: int, height: int) -> Tensor:
    """A part of pictures or of masks [B, H, W, ...], cut off at the edge but never empty."""
    y, x = min(y, pictures.shape[1] - 1), min(x, pictures.shape[2] - 1)
    return pictures[:, y : y + height, x : x + width].clone()


def turned(pictures: Tensor, rotation: str, *, rows: int, columns: int) -> Tensor:
    """Pictures or latents turned clockwise by one of `TURNS`; the axes are given."""
    return torch.rot90(pictures, TURNS[rotation], (columns, rows))


def framed(pictures: Tensor, method: str, width: int, height: int, color: float) -> Tensor:
    """Pictures as large as they fit, in proportion, in the middle of a frame of one grey."""
    old_height, old_width = pictures.shape[1:3]
    factor = min(width / old_width, height / old_height)
    inner = max(1, int(old_width * factor)), max(1, int(old_height * factor))
    fitted = scaled(pictures, method, *inner, crop=False)
    ask_for("pictures", len(pictures), height, width, pictures.shape[-1])
    result = pictures.new_full((len(pictures), height, width, pictures.shape[-1]), color)
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    result[:, top : top + inner[1], left : left + inner[0]] = fitted
    return result


def padded(
    pictures: Tensor, *, left: int, top: int, right: int, bottom: int, feathering: int
) -> tuple[Tensor, Tensor]:
    """Pictures with grey room around, and the mask [1, H, W] of what is to be painted there.

    The mask is 1 in the room and falls to 0 inside the picture over `feathering` pixels, as the
    square of the distance; only along sides that got room. Where that would reach the middle of
    the picture it does not fall but stops at the picture's edge.
    """
    count, old_height, old_width, channels = pictures.shape
    height, width = top + old_height + bottom, left + old_width + right
    ask_for("pictures", count, height, width, channels)
    result = pictures.new_full((count, height, width, channels), GREY)
    inside = (slice(top, top + old_height), slice(left, left + old_width))
    result[:, *inside] = pictures
    mask = torch.ones(1, height, width)
    mask[:, *inside] = 0
    if 0 < 2 * feathering < min(old_height, old_width):
        rows = _distances(old_height, top > 0, bottom > 0)
        columns = _distances(old_width, left > 0, right > 0)
        nearest = torch.minimum(rows[:, None], columns)
        mask[:, *inside] = ((feathering - nearest) / feathering).clamp(min=0) ** 2
    return result, mask


def _distances(length: int, first: bool, last: bool) -> Tensor:
    """How far each place along a side is from those of its ends that count."""
    place = torch.arange(length, dtype=torch.float32)
    distances = torch.full((length,), float(length))
    if first:
        distances = torch.minimum(distances, place)
    return torch.minimum(distances, length - place) if last else distances
