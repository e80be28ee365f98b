"""Nodes that put pictures upon and beside each other."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import Choice, Range, Tooltip, node
from nodes.sockets import Image, Mask
from nodes.widgets import Left, Share, Top

# As nodes.models.images.compositing has them, which needs torch.
BLEND_MODES = ("normal", "multiply", "screen", "overlay", "soft_light", "difference")
COLORS = ("white", "black", "red", "green", "blue")
# As nodes.models.images.porter_duff.MODES has them.
PORTER_DUFF = (
    "ADD", "CLEAR", "DARKEN", "DST", "DST_ATOP", "DST_IN", "DST_OUT", "DST_OVER", "LIGHTEN",
    "MULTIPLY", "OVERLAY", "SCREEN", "SRC", "SRC_ATOP", "SRC_IN", "SRC_OUT", "SRC_OVER", "XOR",
)  # fmt: skip


@node("ImageBlend", category="image/postprocessing")
def blend(
    *,
    image1: Annotated[Image, Tooltip("The lower picture, which gives the size.")],
    image2: Annotated[Image, Tooltip("The upper picture.")],
    blend_factor: Annotated[Share, Tooltip("How much of the mixture; 0 is the lower alone.")] = 0.5,
    blend_mode: Annotated[
        str, Choice(BLEND_MODES), Tooltip("How the upper colours meet the lower ones.")
    ],
) -> Image:
    """Two pictures mixed; difference takes the second from the first, down to black."""
    from nodes.models.images.compositing import blended

    return blended(image1, image2, blend_mode, blend_factor)


@node("ImageCompositeMasked", category="image")
def composite(
    *,
    destination: Annotated[Image, Tooltip("The lower picture, which gives the size.")],
    source: Annotated[Image, Tooltip("The upper picture.")],
    x: Left = 0,
    y: Top = 0,
    resize_source: Annotated[bool, Tooltip("Bring it to the size of the lower one.")] = False,
    mask: Annotated[Mask | None, Tooltip("Where the upper picture shows.")] = None,
) -> Image:
    """One picture upon another; what stands out is cut off."""
    from nodes.models.images.batches import with_channels
    from nodes.models.images.compositing import pasted

    upper = with_channels(source, destination.shape[-1]).movedim(-1, 1)
    lower = destination.movedim(-1, 1)
    return pasted(lower, upper, x, y, mask, resize=resize_source).movedim(1, -1).contiguous()


@node("ImageStitch", category="image/transform")
def stitch(
    *,
    image1: Annotated[Image, Tooltip("The first picture.")],
    direction: Annotated[
        str, Choice(("right", "down", "left", "up")), Tooltip("Where the second stands.")
    ] = "right",
    match_image_size: Annotated[
        bool, Tooltip("Bring the second to the first's height or width.")
    ] = True,
    spacing_width: Annotated[int, Range(0, 1024, 2), Tooltip("Between them, in pixels.")] = 0,
    spacing_color: Annotated[str, Choice(COLORS), Tooltip("Of what is between them.")] = "white",
    image2: Annotated[Image | None, Tooltip("The second picture.")] = None,
) -> Image:
    """Two pictures side by side; the first alone if there is no second."""
    from nodes.models.images.compositing import stitched

    if image2 is None:
        return image1
    return stitched(
        image1,
        image2,
        direction,
        match=match_image_size,
        spacing=spacing_width,
        color=spacing_color,
    )


@node("JoinImageWithAlpha", category="mask/compositing", display_name="Join Image with Alpha")
def join_alpha(
    *, image: Image, alpha: Annotated[Mask, Tooltip("1 makes it transparent.")]
) -> Image:
    """Pictures with a channel of their transparency."""
    from nodes.models.images.compositing import with_alpha

    return with_alpha(image, alpha)


class Split(NamedTuple):
    """Pictures, and where they were transparent."""

    IMAGE: Image
    MASK: Mask


@node("SplitImageWithAlpha", category="mask/compositing", display_name="Split Image with Alpha")
def split_alpha(*, image: Image) -> Split:
    """Pictures without their transparency, and the mask of it."""
    from nodes.models.images.compositing import without_alpha

    return Split(*without_alpha(image))


@node(
    "PorterDuffImageComposite",
    category="mask/compositing",
    display_name="Porter-Duff Image Composite",
)
def porter_duff(
    *,
    source: Annotated[Image, Tooltip("The upper picture, brought to the size of the lower.")],
    source_alpha: Annotated[Mask, Tooltip("1 where it is transparent.")],
    destination: Annotated[Image, Tooltip("The lower picture.")],
    destination_alpha: Annotated[Mask, Tooltip("1 where it is transparent.")],
    mode: Annotated[
        str, Choice(PORTER_DUFF), Tooltip("SRC is the upper, DST the lower picture.")
    ] = "DST",
) -> Split:
    """Two pictures, each with its transparency, in one of the ways that drawing programs know."""
    from nodes.models.images.porter_duff import composed

    return Split(*composed(source, source_alpha, destination, destination_alpha, mode))
