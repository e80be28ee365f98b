"""Nodes that compute with latents: resize, crop, flip, mix, composite."""

from __future__ import annotations

from typing import Annotated

from engine import Choice, Files, Range, Run, Tooltip, node
from nodes.sockets import Latent, Mask
from nodes.transform import FLIPS, Flip, Turn
from nodes.widgets import Crop, LatentLeft, LatentPixels, LatentSide, LatentTop, Share

# As nodes.models.latents.latents.SCALE_METHODS, which needs torch.
SCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "bislerp")

Method = Annotated[
    str,
    Choice(SCALE_METHODS),
    Tooltip("Interpolation; bislerp interpolates direction and length."),
]
First = Annotated[Latent, Tooltip("The first latents, which give the size.")]
Second = Annotated[Latent, Tooltip("The second latents.")]
Upper = Annotated[Latent, Tooltip("The upper latents.")]
FreeSide = Annotated[LatentPixels, Tooltip("Of the picture, in pixels; 0 keeps the proportions.")]


@node("LoadLatent", category="latent", display_name="Load Latent")
def load_latent(
    run: Run,
    *,
    latent: Annotated[
        str, Choice(Files("input", suffixes=(".latent",))), Tooltip("A file of the input folder.")
    ],
) -> Latent:
    """Read latents that were saved, from the input folder."""
    from nodes.models.latents.latents import read

    return {"samples": read(run.input_path(latent))}


@node("LatentUpscale", category="latent", display_name="Upscale Latent")
def upscale(
    *,
    samples: Latent,
    upscale_method: Method,
    width: FreeSide = 512,
    height: FreeSide = 512,
    crop: Crop,
) -> Latent:
    """Latents for a picture of another size."""
    from nodes.models.latents.latents import scaled_to_pixels

    cut = crop == "center"
    scaled = scaled_to_pixels(samples["samples"], upscale_method, width, height, crop=cut)
    return {**samples, "samples": scaled}


@node("LatentUpscaleBy", category="latent", display_name="Upscale Latent By")
def upscale_by(
    *,
    samples: Latent,
    upscale_method: Method,
    scale_by: Annotated[float, Range(0.01, 8.0, 0.01), Tooltip("2 doubles each side.")] = 1.5,
) -> Latent:
    """Latents scaled by a factor."""
    from nodes.models.latents.latents import scaled_by

    return {**samples, "samples": scaled_by(samples["samples"], upscale_method, scale_by)}


@node("LatentCrop", category="latent/transform", display_name="Crop Latent")
def crop(
    *,
    samples: Latent,
    width: LatentSide = 512,
    height: LatentSide = 512,
    x: LatentLeft = 0,
    y: LatentTop = 0,
) -> Latent:
    """A part of latents, at least 64 pixels each way; what would be outside is left off."""
    from nodes.models.latents.latents import cropped

    return {**samples, "samples": cropped(samples["samples"], x, y, width, height)}


@node("LatentFlip", category="latent/transform", display_name="Flip Latent")
def flip(*, samples: Latent, flip_method: Flip) -> Latent:
    """Latents upside down, or as in a mirror."""
    axis = 2 if flip_method == FLIPS[0] else 3
    return {**samples, "samples": samples["samples"].flip(axis)}


@node("LatentRotate", category="latent/transform", display_name="Rotate Latent")
def rotate(*, samples: Latent, rotation: Turn) -> Latent:
    """Latents turned clockwise."""
    from nodes.models.images.arranging import turned

    return {**samples, "samples": turned(samples["samples"], rotation, rows=2, columns=3)}


@node("LatentComposite", category="latent", display_name="Latent Composite")
def composite(
    *,
    samples_to: Annotated[Latent, Tooltip("The lower latents, which give the size.")],
    samples_from: Upper,
    x: LatentLeft = 0,
    y: LatentTop = 0,
    feather: Annotated[LatentPixels, Tooltip("Over how many pixels the upper ones fade in.")] = 0,
) -> Latent:
    """Latents pasted onto others; what reaches outside is cut off."""
    from nodes.models.latents.latents import composited

    lower, upper = samples_to["samples"], samples_from["samples"]
    return {**samples_to, "samples": composited(lower, upper, x // 8, y // 8, feather // 8)}


@node("LatentCompositeMasked", category="latent")
def composite_masked(
    *,
    destination: Annotated[Latent, Tooltip("The lower latents, which give the size.")],
    source: Upper,
    x: LatentLeft = 0,
    y: LatentTop = 0,
    resize_source: Annotated[bool, Tooltip("Bring them to the size of the lower ones.")] = False,
    mask: Annotated[Mask | None, Tooltip("Where the upper latents show.")] = None,
) -> Latent:
    """Latents pasted onto others through a mask; what reaches outside is cut off."""
    from nodes.models.images.compositing import pasted
    from nodes.models.latents.latents import matched

    lower, upper = matched(destination["samples"], source["samples"])
    merged = pasted(lower, upper, x // 8, y // 8, mask, resize=resize_source)
    return {**destination, "samples": merged}


@node("LatentBlend", category="latent")
def blend(
    *,
    samples1: First,
    samples2: Second,
    blend_factor: Annotated[Share, Tooltip("How much of the first.")] = 0.5,
) -> Latent:
    """Two latents mixed, the second at the size of the first."""
    from nodes.models.latents.latents import like, matched

    first, second = matched(samples1["samples"], samples2["samples"])
    second = like(second, first, "bicubic")
    return {**samples1, "samples": first * blend_factor + second * (1 - blend_factor)}


@node("LatentAdd", category="latent/advanced")
def add(*, samples1: First, samples2: Second) -> Latent:
    """The sum of both, the second at the size of the first."""
    from nodes.models.latents.latents import like, matched

    first, second = matched(samples1["samples"], samples2["samples"])
    return {**samples1, "samples": first + like(second, first)}


@node("LatentSubtract", category="latent/advanced")
def subtract(*, samples1: First, samples2: Second) -> Latent:
    """The first minus the second, which is resized to it."""
    from nodes.models.latents.latents import like, matched

    first, second = matched(samples1["samples"], samples2["samples"])
    return {**samples1, "samples": first - like(second, first)}


@node("LatentMultiply", category="latent/advanced")
def multiply(
    *,
    samples: Latent,
    multiplier: Annotated[float, Range(-10.0, 10.0, 0.01), Tooltip("1 changes nothing.")] = 1.0,
) -> Latent:
    """Latents multiplied by a number."""
    return {**samples, "samples": samples["samples"] * multiplier}


@node("LatentInterpolate", category="latent/advanced")
def interpolate(
    *,
    samples1: First,
    samples2: Second,
    ratio: Annotated[Share, Tooltip("How much of the first.")] = 1.0,
) -> Latent:
    """Two latents interpolated by direction and by length, so that none is weakened."""
    from nodes.models.latents.latents import interpolated

    mixed = interpolated(samples1["samples"], samples2["samples"], ratio)
    return {**samples1, "samples": mixed}


@node("LatentConcat", category="latent/advanced")
def concat(
    *,
    samples1: First,
    samples2: Second,
    dim: Annotated[
        str,
        Choice(("x", "-x", "y", "-y", "t", "-t")),
        Tooltip("With a minus the second comes before the first."),
    ],
) -> Latent:
    """Two latents beside each other."""
    from nodes.models.latents.latents import concatenated

    joined = concatenated(samples1["samples"], samples2["samples"], dim)
    return {**samples1, "samples": joined}


@node("LatentCut", category="latent/advanced")
def cut(
    *,
    samples: Latent,
    dim: Annotated[str, Choice(("x", "y", "t")), Tooltip("Across, down or in time.")],
    index: Annotated[
        int, Range(-16384, 16384, 1), Tooltip("In latent pixels; negative counts from the end.")
    ] = 0,
    amount: Annotated[int, Range(1, 16384, 1), Tooltip("In latent pixels.")] = 1,
) -> Latent:
    """A slice of latents along one axis."""
    from nodes.models.latents.latents import cut as sliced

    return {**samples, "samples": sliced(samples["samples"], dim, index, amount)}
