"""One node for every way to give a size."""

from __future__ import annotations

from typing import Annotated, NamedTuple, TypeAlias, TypeVar

from engine import Option, Range, Tooltip, node
from nodes.sockets import Image, Mask
from nodes.widgets import Crop, FreeSide, Length, Pixels, ScaleMethod

Resizable = TypeVar("Resizable", bound=Image | Mask)


class ToDimensions(Option, key="scale dimensions"):
    """Both sides; 0 keeps the proportions."""

    width: FreeSide = 512
    height: FreeSide = 512
    crop: Crop = "center"


class By(Option, key="scale by multiplier"):
    """How many times as long each side."""

    multiplier: Annotated[float, Range(0.01, 8.0, 0.01), Tooltip("2 doubles each side.")] = 1.0


class LongerTo(Option, key="scale longer dimension"):
    """The longer side."""

    longer_size: Pixels = 512


class ShorterTo(Option, key="scale shorter dimension"):
    """The shorter side."""

    shorter_size: Pixels = 512


class WidthTo(Option, key="scale width"):
    """The width."""

    width: Pixels = 512


class HeightTo(Option, key="scale height"):
    """The height."""

    height: Pixels = 512


class ToPixels(Option, key="scale total pixels"):
    """How many pixels, in units of 1024 x 1024."""

    megapixels: Annotated[
        float, Range(0.01, 16.0, 0.01), Tooltip("1 is as many pixels as 1024 x 1024 have.")
    ] = 1.0


class Like(Option, key="match size"):
    """The size of another picture or mask."""

    match: Annotated[Image | Mask, Tooltip("Whose size it gets.")]
    crop: Crop = "center"


class ToMultiple(Option, key="scale to multiple"):
    """Sides that are multiples of a number."""

    multiple: Length = 8


ResizeType: TypeAlias = (
    ToDimensions | By | LongerTo | ShorterTo | WidthTo | HeightTo | ToPixels | Like | ToMultiple
)


class Resized(NamedTuple):
    """A picture or mask of another size."""

    resized: Image | Mask


@node("ResizeImageMaskNode", category="image/transform", display_name="Resize Image/Mask")
def resize(
    *,
    input: Annotated[Resizable, Tooltip("Pictures or masks.")],  # pyright: ignore[reportInvalidTypeVarUse] - how a matching type is spelled
    resize_type: Annotated[ResizeType, Tooltip("How the size is given.")],
    scale_method: ScaleMethod = "area",
) -> Resized:
    """Pictures or masks at another size."""
    from nodes.models.images import resizing

    match resize_type:
        case ToDimensions(width=width, height=height, crop=crop):
            made = resizing.to_sides(input, scale_method, width, height, crop=crop == "center")
        case By(multiplier=multiplier):
            made = resizing.by(input, scale_method, multiplier)
        case LongerTo(longer_size=length):
            made = resizing.longer_to(input, scale_method, length)
        case ShorterTo(shorter_size=length):
            made = resizing.shorter_to(input, scale_method, length)
        case WidthTo(width=width):
            made = resizing.to_sides(input, scale_method, width, 0)
        case HeightTo(height=height):
            made = resizing.to_sides(input, scale_method, 0, height)
        case ToPixels(megapixels=megapixels):
            made = resizing.to_pixels(input, scale_method, megapixels)
        case Like(match=other, crop=crop):
            height, width = other.shape[1:3]
            made = resizing.to_sides(input, scale_method, width, height, crop=crop == "center")
        case ToMultiple(multiple=multiple):
            made = resizing.to_multiple(input, scale_method, multiple)
    return Resized(made)
