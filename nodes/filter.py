"""Nodes that change what pictures look like: blur, sharpness, noise, palette."""

from __future__ import annotations

from typing import Annotated

from engine import Choice, Range, Seed, Tooltip, node
from nodes.sockets import Image

# As nodes.models.filters.DITHERS, which needs torch.
DITHERS = ("none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16")

Radius = Annotated[int, Range(1, 31, 1)]


@node("ImageBlur", category="image/postprocessing")
def blur(
    *,
    image: Image,
    blur_radius: Radius = 1,
    sigma: Annotated[
        float, Range(0.1, 10.0, 0.1), Tooltip("Width of the bell, counted in radii.")
    ] = 1.0,
) -> Image:
    """Pictures out of focus."""
    from nodes.models.filters import blurred

    return blurred(image, blur_radius, sigma)


@node("ImageSharpen", category="image/postprocessing")
def sharpen(
    *,
    image: Image,
    sharpen_radius: Radius = 1,
    sigma: Annotated[
        float, Range(0.1, 10.0, 0.01), Tooltip("Width of the bell, counted in radii.")
    ] = 1.0,
    alpha: Annotated[float, Range(0.0, 5.0, 0.01), Tooltip("How strongly.")] = 1.0,
) -> Image:
    """Pictures with stronger edges."""
    from nodes.models.filters import sharpened

    return sharpened(image, sharpen_radius, sigma, alpha)


@node("ImageQuantize", category="image/postprocessing")
def quantize(
    *,
    image: Image,
    colors: Annotated[int, Range(1, 256, 1)] = 256,
    dither: Annotated[str, Choice(DITHERS)],
) -> Image:
    """Pictures of few colours."""
    from nodes.models.filters import quantized

    return quantized(image, colors, dither)


@node("ImageAddNoise", category="image")
def add_noise(
    *,
    image: Image,
    seed: Seed = 0,
    strength: Annotated[float, Range(0.0, 1.0, 0.01)] = 0.5,
) -> Image:
    """Pictures with grain."""
    from nodes.models.filters import noisy

    return noisy(image, seed, strength)
