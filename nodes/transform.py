"""Nodes that give pictures another size, cut, turn or frame."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import Choice, Range, Tooltip, node
from nodes.sockets import Image, Mask
from nodes.widgets import LatentPixels, Left, Length, Pixels, ScaleMethod, Top

FLIPS = ("x-axis: vertically", "y-axis: horizontally")
# As nodes.models.images.arranging.TURNS, which needs torch.
TURNS = ("none", "90 degrees", "180 degrees", "270 degrees")

Flip = Annotated[str, Choice(FLIPS), Tooltip("vertically: upside down; horizontally: a mirror.")]
Turn = Annotated[str, Choice(TURNS), Tooltip("Clockwise.")]
Padding = Annotated[LatentPixels, Tooltip("How much is added at this side, in pixels.")]


@node("ImageScaleBy", category="image/upscaling", display_name="Upscale Image By")
def scale_by(
    *,
    image: Image,
    upscale_method: ScaleMethod,
    scale_by: Annotated[float, Range(0.01, 8.0, 0.01), Tooltip("2 doubles each side.")] = 1.0,
) -> Image:
    """Pictures a number of times as large."""
    from nodes.models.images import resizing

    return resizing.by(image, upscale_method, scale_by)


@node(
    "ImageScaleToTotalPixels",
    category="image/upscaling",
    display_name="Scale Image to Total Pixels",
)
def scale_to_total_pixels(
    *,
    image: Image,
    upscale_method: ScaleMethod,
    megapixels: Annotated[
        float, Range(0.01, 16.0, 0.01), Tooltip("1 is as many pixels as 1024 x 1024 have.")
    ] = 1.0,
    resolution_steps: Annotated[
        int, Range(0, 256), Tooltip("Both sides become multiples of it; 0 as 1: any length.")
    ]
    | None = 1,
) -> Image:
    """Pictures of about so many pixels, in proportion."""
    from nodes.models.images.arranging import scaled_to_pixels

    return scaled_to_pixels(image, upscale_method, megapixels, resolution_steps or 1)


@node(
    "ImageScaleToMaxDimension",
    category="image/upscaling",
    display_name="Scale Image to Max Dimension",
)
def scale_to_max_dimension(
    *,
    image: Image,
    upscale_method: Annotated[
        str,
        Choice(("area", "lanczos", "bilinear", "nearest-exact", "bilinear", "bicubic")),
        Tooltip("How pixels are found: area for smaller, lanczos for larger pictures."),
    ],
    largest_size: Annotated[Pixels, Tooltip("Of the longer side; 0 changes nothing.")] = 512,
) -> Image:
    """Pictures whose longer side has this length, in proportion."""
    from nodes.models.images import resizing

    return resizing.longer_to(image, upscale_method, largest_size)


class Resized(NamedTuple):
    """Pictures at another size."""

    images: Image


@node(
    "ResizeImagesByLongerEdge",
    category="image/transform",
    display_name="Resize Images by Longer Edge",
)
def resize_by_longer_edge(
    *, images: Image, longer_edge: Annotated[int, Range(1, 8192), Tooltip("In pixels.")] = 1024
) -> Resized:
    """Pictures whose longer side has this length; Scale Image to Max Dimension offers more."""
    from nodes.models.images.arranging import limited

    return Resized(limited(images, longer_edge))


@node(
    "FluxKontextImageScale",
    category="advanced/conditioning/flux",
    display_name="Scale Image for FLUX Kontext",
)
def scale_for_kontext(*, image: Image) -> Image:
    """Pictures at the size nearest in proportion among those FLUX.1 Kontext was trained on."""
    from nodes.models.images.arranging import scaled_for_kontext

    return scaled_for_kontext(image)


@node("ImageCrop", category="image/transform")
def crop(
    *,
    image: Image,
    width: Length = 512,
    height: Length = 512,
    x: Left = 0,
    y: Top = 0,
) -> Image:
    """A part of pictures; what would be outside is left off."""
    from nodes.models.images.arranging import cropped

    return cropped(image, x, y, width, height)


@node("ImageFlip", category="image/transform")
def flip(*, image: Image, flip_method: Flip) -> Image:
    """Pictures upside down, or as in a mirror."""
    return image.flip(1 if flip_method == FLIPS[0] else 2)


@node("ImageRotate", category="image/transform")
def rotate(*, image: Image, rotation: Turn) -> Image:
    """Pictures turned clockwise."""
    from nodes.models.images.arranging import turned

    return turned(image, rotation, rows=1, columns=2)


class Padded(NamedTuple):
    """Pictures with room around, and where the room is."""

    IMAGE: Image
    MASK: Mask


@node("ImagePadForOutpaint", category="image", display_name="Pad Image for Outpainting")
def pad_for_outpaint(
    *,
    image: Image,
    left: Padding = 0,
    top: Padding = 0,
    right: Padding = 0,
    bottom: Padding = 0,
    feathering: Annotated[
        Pixels,
        Tooltip("How far the mask reaches into the picture, fading; less than half of it."),
    ] = 40,
) -> Padded:
    """Grey room around pictures, and the mask that lets a sampler fill it."""
    from nodes.models.images.arranging import padded

    sides = {"left": left, "top": top, "right": right, "bottom": bottom}
    return Padded(*padded(image, **sides, feathering=feathering))


@node("ResizeAndPadImage", category="image/transform")
def resize_and_pad(
    *,
    image: Image,
    target_width: Annotated[Length, Tooltip("Of the whole, in pixels.")] = 512,
    target_height: Annotated[Length, Tooltip("Of the whole, in pixels.")] = 512,
    padding_color: Annotated[
        str, Choice(("white", "black")), Tooltip("Of what stays free about the picture.")
    ],
    interpolation: Annotated[
        str,
        Choice(("area", "bicubic", "nearest-exact", "bilinear", "lanczos")),
        Tooltip("How pixels are found: area for smaller, lanczos for larger pictures."),
    ],
) -> Image:
    """Pictures as large as they fit into a size, in the middle of one colour."""
    from nodes.models.images.arranging import framed

    color = 1.0 if padding_color == "white" else 0.0
    return framed(image, interpolation, target_width, target_height, color)


class Size(NamedTuple):
    """How large pictures are, and how many."""

    width: int
    height: int
    batch_size: int


@node("GetImageSize", category="image", display_name="Get Image Size")
def image_size(*, image: Image) -> Size:
    """The sides of pictures in pixels, and how many there are."""
    count, height, width = image.shape[:3]
    return Size(width, height, count)
