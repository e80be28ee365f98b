"""Nodes for colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

from engine import Choice, Option, Range, Socket, Tooltip, Widget, node
from nodes.sockets import Image, Mask

if TYPE_CHECKING:
    Histogram: TypeAlias = list[int]
else:
    Histogram = Socket("HISTOGRAM", "How often each of 256 levels occurs.")

Color = Annotated[str, Widget("COLOR"), Tooltip("As #RRGGBB.")]
# As nodes.models.images.colors.METHODS, which needs torch.
METHODS = ("reinhard_lab", "mkl_lab", "histogram")


class Planes(NamedTuple):
    """Luma and the two chroma planes, each as a grey picture."""

    Y: Image
    U: Image
    V: Image


@node("ImageRGBToYUV", category="image/batch")
def to_yuv(*, image: Image) -> Planes:
    """Pictures as luma, and how blue and how red they are."""
    from nodes.models.images.colors import to_yuv as planes

    return Planes(*planes(image))


@node("ImageYUVToRGB", category="image/batch")
def from_yuv(
    *,
    Y: Annotated[Image, Tooltip("How bright.")],
    U: Annotated[Image, Tooltip("How blue.")],
    V: Annotated[Image, Tooltip("How red.")],
) -> Image:
    """Pictures of luma, and of how blue and how red they are."""
    from nodes.models.images.colors import from_yuv as pictures

    return pictures(Y, U, V)


class PerFrame(Option, key="per_frame"):
    """Each picture by its own colours."""


class Uniform(Option, key="uniform"):
    """All pictures by the colours of all of them."""


class TargetFrame(Option, key="target_frame"):
    """All pictures by the colours of one of them."""

    target_index: Annotated[int, Range(0, 10000), Tooltip("Which one, counted from 0.")] = 0


class Transferred(NamedTuple):
    """Pictures in other colours."""

    image: Image


@node("ColorTransfer", category="image/filters", display_name="Transfer Color")
def transfer_color(
    *,
    image_target: Annotated[Image, Tooltip("The pictures to change.")],
    image_ref: Annotated[Image, Tooltip("The picture whose colours they get.")],
    method: Annotated[
        str, Choice(METHODS), Tooltip("reinhard_lab: mean and spread; mkl_lab: axes too.")
    ],
    source_stats: Annotated[
        PerFrame | Uniform | TargetFrame, Tooltip("Whose colours are compared with the others.")
    ],
    strength: Annotated[float, Range(0.0, 10.0, 0.01), Tooltip("0 changes nothing.")] = 1.0,
) -> Transferred:
    """Pictures in the colours of another."""
    import torch

    from nodes.models.images.colors import transferred

    match source_stats:
        case PerFrame():
            last = len(image_ref) - 1
            frames = [
                transferred(frame[None], image_ref[min(n, last)], frame, method, strength)
                for n, frame in enumerate(image_target)
            ]
            return Transferred(torch.cat(frames))
        case Uniform():
            source = image_target
        case TargetFrame(target_index=index):
            source = image_target[min(index, len(image_target) - 1)]
    return Transferred(transferred(image_target, image_ref, source, method, strength))


class Picked(NamedTuple):
    """A colour as a number, as a text, and how opaque it is."""

    rgb_int: int
    hex: Annotated[str, Widget("COLOR")]
    alpha: float


@node("ColorToRGBInt", category="utilities", display_name="Color Picker")
def pick_color(*, color: Color) -> Picked:
    """A colour, written as #RRGGBB or #RRGGBBAA.

    Raises:
        ValueError: it is written otherwise.
    """
    _check("color", color)
    opaque = int(color[7:] or "ff", 16) / 255
    return Picked(int(color[1:7], 16), color[:7], opaque)


def _check(name: str, color: object) -> None:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?", str(color)):
        raise ValueError(f"{name}: {str(color)[:50]!r} is none; write it as #RRGGBB or #RRGGBBAA")


class Histograms(NamedTuple):
    """How often each of 256 levels occurs."""

    rgb: Histogram
    luminance: Histogram
    red: Histogram
    green: Histogram
    blue: Histogram


@node("ImageHistogram", category="utilities", display_name="Image Histogram")
def histogram(*, image: Image) -> Histograms:
    """How often each of 256 levels occurs in the first picture."""
    from nodes.models.images.colors import histogram as counted

    return Histograms(**counted(image[0]))


class Curve(NamedTuple):
    """A tone curve."""

    curve: Annotated[Any, Widget("CURVE")]


@node("CurveEditor", category="utilities", display_name="Curve Editor")
def curve(
    *,
    curve: Annotated[Any, Widget("CURVE"), Tooltip("The curve.")],
    histogram: Histogram | None = None,
) -> Curve:
    """A tone curve that was drawn in the editor."""
    return Curve(curve)


@node("ImageCropV2", category="image/transform", display_name="Crop Image")
def crop(
    *,
    image: Image,
    crop_region: Annotated[
        Any, Widget("BOUNDING_BOX"), Tooltip("x, y, width and height in pixels.")
    ],
) -> Image:
    """A part of pictures, drawn in the editor: {"x": 0, "y": 0, "width": 64, "height": 64}.

    Raises:
        ValueError: the region is no such thing.
    """
    from nodes.models.images.arranging import cropped

    try:
        x, y, width, height = (int(crop_region[key]) for key in ("x", "y", "width", "height"))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(
            f"crop_region: {str(crop_region)[:100]} is no region; it needs x, y, width and height"
        ) from None
    return cropped(image, max(0, x), max(0, y), max(1, width), max(1, height))


class CutOut(NamedTuple):
    """Things alone on one colour."""

    images: Image


@node("ImageCropToMask", category="image/transform", display_name="Crop Image to Mask")
def crop_to_mask(
    *,
    images: Image,
    masks: Annotated[Mask, Tooltip("Where the thing is.")],
    width: Annotated[int, Range(64, 4096, 8), Tooltip("In pixels.")] = 1024,
    height: Annotated[int, Range(64, 4096, 8), Tooltip("In pixels.")] = 1024,
    pad_factor: Annotated[float, Range(1.0, 2.0, 0.01), Tooltip("2 leaves as much room.")] = 1.0,
    grow_mask: Annotated[int, Range(-32, 32, 1), Tooltip("In pixels; negative shrinks.")] = 0,
    background: Color = "#000000",
) -> CutOut:
    """A thing that a mask covers, cut out of its picture, alone on one colour.

    Raises:
        ValueError: the colour is none.
    """
    from nodes.models.images.cutting_out import cut_out

    _check("background", background)
    red, green, blue = (int(background[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return CutOut(
        cut_out(
            images,
            masks,
            width,
            height,
            room=pad_factor,
            grow=grow_mask,
            background=(red, green, blue),
        )
    )
