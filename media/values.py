"""Pictures of any kind of numbers as colours in 0..1.

What is white is not written in files of floats or of wide integers. It is the least of 1, 255 and
65535 (and the largest integer of the kind) that the values reach; see `scaled`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Numbers: TypeAlias = NDArray[np.float32]
Picture: TypeAlias = Image.Image | Numbers
"""One that Pillow holds, or numbers [H, W, C] in 0..1 of 1 to 4 channels, which it cannot hold."""

KIND = "sample kind"
"""Beside a picture of integers of 32 bits: the kind that its file has, as numpy spells it."""

WHITES = {
    "u1": (255,), "u2": (65535,), "i1": (127,), "i2": (255, 32767),
    "i4": (255, 65535, 2**31 - 1), "u4": (255, 65535, 2**32 - 1),
    "i8": (255, 65535, 2**63 - 1), "u8": (255, 65535, 2**64 - 1),
}  # fmt: skip
NEARLY_WHITE = 2.0  # sharpening and resizing go a little beyond 1
MOST = 0.99
NEARLY_BLACK = 0.05


def scaled(values: NDArray[np.generic], warn: Callable[[str], None]) -> Numbers:
    """Numbers of any kind in 0..1.

    Unsigned integers of 8 and 16 bits by their kind, others by the least white that holds them.
    Floats are taken as they are if none is beyond 2, or if 99 % are not beyond 1 and not all are
    whole; else by 255, or 65535. What goes beyond is cut off. Where values are far below 0, or
    beyond all of that, the least becomes black and the largest white.

    Args:
        values: of any shape.
        warn: is told of everything but plain ranges.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        return values.astype(np.float32) / np.float32(WHITES[f"u{values.dtype.itemsize}"][0])
    real = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, np.bool_)
    numbers = values.astype(np.float64)
    held = numbers[real]
    if held.size < numbers.size:
        warn(
            f"{numbers.size - held.size} of its {numbers.size} values are no finite numbers; they "
            "are black, those of plus infinity white"
        )
    if not held.size:
        return np.nan_to_num(numbers, nan=0, posinf=1, neginf=0).astype(np.float32)
    low, high = float(held.min()), float(held.max())
    white = _white(values.dtype, held, high)
    if white is None or low < -NEARLY_BLACK * high:
        warn(f"its values go from {low:g} to {high:g}; they are stretched from black to white")
        numbers, white = numbers - low, (high - low) or 1.0
    elif low < 0 or high > white:
        warn(f"its values go from {low:g} to {high:g}; what is not in 0 to {white:g} is cut off")
    numbers /= white
    return np.nan_to_num(numbers, nan=0, posinf=1, neginf=0).clip(0, 1).astype(np.float32)


def _white(kind: np.dtype[np.generic], held: NDArray[np.float64], high: float) -> float | None:
    if kind.kind in "iu":
        whites = WHITES[f"{kind.kind}{kind.itemsize}"]
        return float(next(white for white in whites if high <= white))
    if high <= NEARLY_WHITE:
        return 1.0
    if np.quantile(held, MOST) <= 1 and not np.array_equal(held, held.round()):
        return 1.0
    return next((white for white in (255.0, 65535.0) if high <= white), None)


def numbers(image: Picture, warn: Callable[[str], None]) -> Numbers:
    """Red, green and blue of a picture, [H, W, 3] in 0..1."""
    if isinstance(image, np.ndarray):
        colors = image[..., :3] if image.shape[-1] >= 3 else image[..., :1]
        return np.ascontiguousarray(np.broadcast_to(colors, (*image.shape[:2], 3)))
    if _is_deep(image):
        grey = scaled(_samples(image), warn)
        return np.ascontiguousarray(np.broadcast_to(grey[..., None], (*grey.shape, 3)))
    return np.asarray(plain(image, warn).convert("RGB"), np.float32) / np.float32(255)


def opacity(image: Picture) -> Numbers | None:
    """How opaque each pixel is, [H, W] in 0..1; None of a picture without transparency."""
    if isinstance(image, np.ndarray):
        return image[..., -1] if image.shape[-1] in (2, 4) else None
    clear = image.info.get("transparency")
    if _is_deep(image):
        return None if clear is None else (_samples(image) != clear).astype(np.float32)
    if "A" not in image.getbands() and clear is not None and image.mode in ("1", "L", "P", "RGB"):
        image = image.convert("RGBA")
    if "A" not in image.getbands():
        return None
    return np.asarray(image.getchannel("A"), np.float32) / np.float32(255)


def plain(image: Picture, warn: Callable[[str], None]) -> Image.Image:
    """A picture of 8 bits for each channel, which converts to RGB and RGBA."""
    if isinstance(image, np.ndarray) or _is_deep(image):
        colors = (numbers(image, warn) * 255).round().astype(np.uint8)
        made, alpha = Image.fromarray(colors, "RGB"), opacity(image)
        if alpha is not None:
            made.putalpha(Image.fromarray((alpha * 255).round().astype(np.uint8)))
        return made
    if image.mode == "LAB":
        profiles: Any = import_module("PIL.ImageCms")  # its profiles have no types
        lab, rgb = profiles.createProfile("LAB"), profiles.createProfile("sRGB")
        return profiles.profileToProfile(image, lab, rgb, outputMode="RGB")
    if image.mode in ("La", "RGBa"):  # colours multiplied by their alpha
        return image.convert(image.mode.upper())
    return image


def _is_deep(image: Image.Image) -> bool:
    return image.mode == "F" or image.mode.startswith("I")


def _samples(image: Image.Image) -> NDArray[np.generic]:
    values, kind = np.asarray(image), image.info.get(KIND)
    return values if kind is None else values.astype(kind)
