"""Nodes that make, change and show masks."""

from __future__ import annotations

from typing import Annotated

from engine import Artifact, Choice, Files, Range, Run, Tooltip, Upload, node
from nodes.image import PICTURES, preview_image
from nodes.sockets import Image, Mask
from nodes.widgets import ColorNumber, Left, Length, Pixels, Share, Top

# As nodes.models.images.masks.OPERATIONS, which needs torch.
OPERATIONS = ("multiply", "add", "subtract", "and", "or", "xor")


Fade = Annotated[Pixels, Tooltip("How far from this edge it fades, in pixels.")]


@node("LoadImageMask", category="mask", display_name="Load Image (as Mask)")
def load_mask(
    run: Run,
    *,
    image: Annotated[
        str,
        Choice(Files("input", suffixes=PICTURES)),
        Upload("image"),
        Tooltip("A file of the input folder; drop or paste one here."),
    ],
    channel: Annotated[
        str,
        Choice(("alpha", "red", "green", "blue")),
        Tooltip("alpha: the mask is where the picture is transparent."),
    ],
) -> Mask:
    """Read one channel of a picture of the input folder as a mask."""
    from nodes.models.images.masks import of_channel
    from nodes.models.images.pictures import read

    picture, transparent = read(run.input_path(image), run.warn)
    return transparent if channel == "alpha" else of_channel(picture, channel)


@node("SolidMask", category="mask")
def solid_mask(
    *,
    value: Annotated[Share, Tooltip("Of each pixel: 0 is nothing, 1 is all of it.")] = 1.0,
    width: Length = 512,
    height: Length = 512,
) -> Mask:
    """A mask of one value."""
    import torch

    from nodes.models.memory import ask_for

    ask_for("a mask", height, width)
    return torch.full((1, height, width), value)


@node("InvertMask", category="mask")
def invert_mask(*, mask: Mask) -> Mask:
    """1 minus a mask."""
    return 1.0 - mask


@node("CropMask", category="mask")
def crop_mask(
    *, mask: Mask, x: Left = 0, y: Top = 0, width: Length = 512, height: Length = 512
) -> Mask:
    """A part of a mask; what would be outside is left off."""
    from nodes.models.images.arranging import cropped
    from nodes.models.images.masks import flat

    return cropped(flat(mask), x, y, width, height)


@node("MaskComposite", category="mask")
def combine_masks(
    *,
    destination: Annotated[Mask, Tooltip("Gives the size.")],
    source: Annotated[Mask, Tooltip("The mask that is laid on it.")],
    x: Left = 0,
    y: Top = 0,
    operation: Annotated[
        str, Choice(OPERATIONS), Tooltip("and, or, xor round both to 0 or 1 first.")
    ],
) -> Mask:
    """Two masks combined by an operation; what reaches outside of the first is cut off."""
    from nodes.models.images.masks import combined

    return combined(destination, source, x, y, operation)


@node("FeatherMask", category="mask")
def feather_mask(
    *, mask: Mask, left: Fade = 0, top: Fade = 0, right: Fade = 0, bottom: Fade = 0
) -> Mask:
    """A mask that fades out towards the edges of the picture, over so many pixels."""
    from nodes.models.images.masks import feathered

    return feathered(mask, left=left, top=top, right=right, bottom=bottom)


@node("GrowMask", category="mask")
def grow_mask(
    *,
    mask: Mask,
    expand: Annotated[int, Range(-16384, 16384, 1), Tooltip("Negative shrinks.")] = 0,
    tapered_corners: Annotated[bool, Tooltip("Grow to diamonds, not to squares.")] = True,
) -> Mask:
    """A mask that reaches some pixels further."""
    from nodes.models.images.masks import grown

    return grown(mask, expand, tapered=tapered_corners)


@node("ThresholdMask", category="mask")
def threshold_mask(
    *,
    mask: Mask,
    value: Annotated[Share, Tooltip("What is above becomes 1.")] = 0.5,
) -> Mask:
    """A mask of 0 and 1 alone."""
    return (mask > value).float()


@node("MaskToImage", category="mask", display_name="Convert Mask to Image")
def mask_to_image(*, mask: Mask) -> Image:
    """A mask as a grey picture, white where it holds."""
    from nodes.models.images.masks import picture_of

    return picture_of(mask)


@node("ImageToMask", category="mask", display_name="Convert Image to Mask")
def image_to_mask(
    *,
    image: Image,
    channel: Annotated[
        str,
        Choice(("red", "green", "blue", "alpha")),
        Tooltip("Of the picture; alpha needs one that has it."),
    ],
) -> Mask:
    """One channel of pictures as a mask; alpha is 1 where they are opaque."""
    from nodes.models.images.masks import of_channel

    return of_channel(image, channel)


@node("ImageColorToMask", category="mask")
def color_to_mask(
    *,
    image: Image,
    color: ColorNumber = 0,
) -> Mask:
    """A mask of where pictures have exactly one colour."""
    from nodes.models.images.masks import of_color

    return of_color(image, color)


@node("MaskPreview", category="mask", display_name="Preview Mask", passes=("mask",))
def preview_mask(run: Run, *, mask: Mask) -> Artifact:
    """Show a mask without keeping it."""
    return preview_image(run, images=mask_to_image(mask=mask))
