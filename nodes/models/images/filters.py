"""Filters of pictures, float32 [B, H, W, C] in 0..1."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, pad

from nodes.models.images.pictures import PictureError, to_bytes

DITHERS = ("none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16")
SHARPENING = 10  # times the difference to the blurred picture, at alpha 1


def blurred(pictures: Tensor, radius: int, sigma: float) -> Tensor:
    """Pictures through a Gaussian.

    Args:
        pictures: each side must be longer than the radius.
        radius: pixels to each side that count.
        sigma: width of the bell, as a fraction of the radius: 1 falls to 61 % at its end.

    Raises:
        PictureError: a picture smaller than the radius.
    """
    height, width, channels = pictures.shape[1:]
    if min(height, width) <= radius:
        raise PictureError(
            f"a radius of {radius} pixels is too much for a picture of {width} x {height}; "
            f"at most {min(height, width) - 1} goes"
        )
    bell = torch.exp(-((torch.linspace(-1, 1, 2 * radius + 1) / sigma) ** 2) / 2)
    kernel = (bell / bell.sum()).to(pictures).expand(channels, 1, 1, -1)
    planes = pad(pictures.movedim(-1, 1), (radius,) * 4, mode="reflect")
    planes = conv2d(planes, kernel, groups=channels)
    planes = conv2d(planes, kernel.transpose(2, 3), groups=channels)
    return planes.movedim(1, -1).contiguous()


def sharpened(pictures: Tensor, radius: int, sigma: float, alpha: float) -> Tensor:
    """Pictures with what a blur takes away added: `SHARPENING` times alpha; see `blurred`."""
    lost = pictures - blurred(pictures, radius, sigma)
    return (pictures + SHARPENING * alpha * lost).clamp(0, 1)


def noisy(pictures: Tensor, seed: int, strength: float) -> Tensor:
    """Pictures with Gaussian noise of this standard deviation, the same everywhere for a seed."""
    noise = torch.randn(pictures.shape, generator=torch.Generator("cpu").manual_seed(seed))
    return (pictures + strength * noise.to(pictures.device)).clamp(0, 1)


def quantized(pictures: Tensor, colors: int, dither: str) -> Tensor:
    """Pictures of few colours, each with its own palette.

    Args:
        pictures: of 1 channel, or of 3 or more of which 3 are kept.
        colors: 1..256.
        dither: one of `DITHERS`; "bayer-4" for an ordered pattern of 4 x 4.
    """
    return torch.stack([_quantized(picture, colors, dither) for picture in pictures])


def _quantized(picture: Tensor, colors: int, dither: str) -> Tensor:
    pixels = to_bytes(picture[..., :3].expand(-1, -1, 3))
    image = Image.fromarray(pixels)
    palette = image.quantize(colors)
    if dither.startswith("bayer-"):
        image = _dithered(pixels, len(palette.getpalette() or ()) // 3, int(dither[6:]))
    spread = Image.Dither.FLOYDSTEINBERG if dither == "floyd-steinberg" else Image.Dither.NONE
    reduced = image.quantize(colors, palette=palette, dither=spread).convert("RGB")
    return torch.as_tensor(np.asarray(reduced, np.float32) / 255)


def _dithered(pixels: np.ndarray, colors: int, order: int) -> Image.Image:
    """The picture with a Bayer pattern on it, of the size of the steps between its colours."""
    height, width = pixels.shape[:2]
    pattern = _bayer(order) * (2 * 256 / max(1, colors)) + 0.5
    tiled = np.tile(pattern, (-(-height // order), -(-width // order)))[:height, :width, None]
    return Image.fromarray((pixels + tiled).clip(0, 255).astype(np.uint8))


def _bayer(order: int) -> np.ndarray:
    """Thresholds of ordered dithering [order, order] about 0; the order is a power of two.

    Source: B. E. Bayer, "An optimum method for two-level rendition of continuous-tone pictures",
    1973.
    """
    ranks = np.zeros((1, 1))
    while len(ranks) < order:
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return (ranks + 0.5) / order**2 - 0.5
