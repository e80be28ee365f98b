"""Nodes that change what pictures look like: blur, sharpness, noise, palette, shapes."""

from __future__ import annotations

from typing import Annotated

from engine import Choice, Range, Seed, Tooltip, node
from nodes.sockets import Image

# As nodes.models.images.filters.DITHERS, which needs torch.
DITHERS = ("none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8", "bayer-16")

# As nodes.models.images.shapes.OPERATIONS.
OPERATIONS = ("erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat")

Radius = Annotated[int, Range(1, 31, 1), Tooltip("How far it reaches, in pixels.")]


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
    from nodes.models.images.filters import blurred

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
    from nodes.models.images.filters import sharpened

    return sharpened(image, sharpen_radius, sigma, alpha)


@node("ImageQuantize", category="image/postprocessing")
def quantize(
    *,
    image: Image,
    colors: Annotated[int, Range(1, 256, 1), Tooltip("How many at most.")] = 256,
    dither: Annotated[
        str, Choice(DITHERS), Tooltip("How colours between are made of dots; none: flat areas.")
    ],
) -> Image:
    """Pictures of few colours."""
    from nodes.models.images.filters import quantized

    return quantized(image, colors, dither)


@node("ImageAddNoise", category="image")
def add_noise(
    *,
    image: Image,
    seed: Annotated[Seed, Tooltip("The same seed gives the same grain.")] = 0,
    strength: Annotated[float, Range(0.0, 1.0, 0.01), Tooltip("0 adds none.")] = 0.5,
) -> Image:
    """Pictures with grain."""
    from nodes.models.images.filters import noisy

    return noisy(image, seed, strength)


@node("Morphology", category="image/postprocessing", display_name="Image Morphology")
def morphology(
    *,
    image: Image,
    operation: Annotated[
        str, Choice(OPERATIONS), Tooltip("dilate grows what is bright, erode what is dark.")
    ],
    kernel_size: Annotated[int, Range(3, 999, 1), Tooltip("Side of the square, in pixels.")] = 3,
) -> Image:
    """Pictures whose bright parts grow, shrink or stand alone."""
    from nodes.models.images.shapes import OPERATIONS as MADE

    return MADE[operation](image, kernel_size)


@node("Canny", category="image/preprocessors")
def canny(
    *,
    image: Image,
    low_threshold: Annotated[
        float, Range(0.01, 0.99, 0.01), Tooltip("Weaker edges count where they touch others.")
    ] = 0.4,
    high_threshold: Annotated[
        float, Range(0.01, 0.99, 0.01), Tooltip("Edges that are steeper count.")
    ] = 0.8,
) -> Image:
    """The edges of what pictures show, white on black."""
    from nodes.models.images.shapes import edges

    return edges(image, low_threshold, high_threshold)
