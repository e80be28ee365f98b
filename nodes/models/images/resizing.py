"""Pictures [B, H, W, C] or masks [B, H, W] at another size, given in nine ways."""

from __future__ import annotations

import math

from torch import Tensor

from nodes.models.images.arranging import MEGAPIXEL
from nodes.models.images.pictures import scaled


def to_sides(
    pictures: Tensor, method: str, width: int, height: int, *, crop: bool = False
) -> Tensor:
    """At these sides; a side of 0 keeps the proportions."""
    if pictures.ndim == 3:
        return to_sides(pictures[..., None], method, width, height, crop=crop)[..., 0]
    return scaled(pictures, method, width, height, crop=crop)


def by(pictures: Tensor, method: str, factor: float) -> Tensor:
    """Each side this many times as long."""
    height, width = (max(1, round(side * factor)) for side in pictures.shape[1:3])
    return to_sides(pictures, method, width, height)


def longer_to(pictures: Tensor, method: str, length: int) -> Tensor:
    """The longer side this long, in proportion; 0 changes nothing."""
    height, width = pictures.shape[1:3]
    if height > width:
        return to_sides(pictures, method, 0, length)
    return to_sides(pictures, method, length, 0)


def shorter_to(pictures: Tensor, method: str, length: int) -> Tensor:
    """The shorter side this long, in proportion; 0 changes nothing."""
    height, width = pictures.shape[1:3]
    if height < width:
        return to_sides(pictures, method, 0, length)
    return to_sides(pictures, method, length, 0)


def to_pixels(pictures: Tensor, method: str, megapixels: float) -> Tensor:
    """About so many times 1024 x 1024 pixels, in proportion."""
    height, width = pictures.shape[1:3]
    return by(pictures, method, math.sqrt(int(megapixels * MEGAPIXEL) / (width * height)))


def to_multiple(pictures: Tensor, method: str, multiple: int) -> Tensor:
    """Both sides rounded down to a multiple: scaled until they cover that, then cut."""
    height, width = pictures.shape[1:3]
    rows, columns = height // multiple * multiple, width // multiple * multiple
    if 0 in (rows, columns) or (rows, columns) == (height, width):
        return pictures
    factor = max(columns / width, rows / height)
    covering = [
        max(least, math.ceil(side * factor)) for side, least in ((width, columns), (height, rows))
    ]
    large = to_sides(pictures, method, *covering)
    x, y = (covering[0] - columns) // 2, (covering[1] - rows) // 2
    return large[:, y : y + rows, x : x + columns].contiguous()
