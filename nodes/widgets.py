"""Widgets that nodes of several families share."""

from __future__ import annotations

from typing import Annotated

from engine import Choice, Range, Tooltip

# As nodes.models.images.pictures.SCALE_METHODS, which needs torch.
SCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")

Share = Annotated[float, Range(0.0, 1.0, 0.01)]
"""A part of a whole."""
Length = Annotated[int, Range(1, 16384, 1), Tooltip("In pixels.")]
"""Of a side, in pixels."""
Pixels = Annotated[int, Range(0, 16384, 1), Tooltip("In pixels.")]
"""Of a side or an edge, in pixels; may be 0."""
Left = Annotated[Pixels, Tooltip("Of the left edge, in pixels from the left.")]
Top = Annotated[Pixels, Tooltip("Of the top edge, in pixels from the top.")]
LatentPixels = Annotated[int, Range(0, 16384, 8), Tooltip("In pixels of the picture, by eights.")]
"""In pixels of the picture, of which eight make one of its latents."""
LatentLeft = Annotated[LatentPixels, Tooltip("Of the left edge, in pixels of the picture.")]
LatentTop = Annotated[LatentPixels, Tooltip("Of the top edge, in pixels of the picture.")]
LatentSide = Annotated[int, Range(64, 16384, 8), Tooltip("Of the picture, in pixels.")]
BatchSize = Annotated[int, Range(1, 4096), Tooltip("How many.")]
ColorNumber = Annotated[int, Range(0, 0xFFFFFF, 1), Tooltip("0xRRGGBB as a number.")]
ScaleMethod = Annotated[
    str,
    Choice(SCALE_METHODS),
    Tooltip(
        "How pixels are found: area for smaller, lanczos for larger, nearest-exact for hard edges."
    ),
]
Prefix = Annotated[
    str, Tooltip("Begins the names; may hold subfolders and %width%, %year%, %batch_num% ...")
]
Crop = Annotated[
    str, Choice(("disabled", "center")), Tooltip("Cut to the proportions, or distort.")
]
FreeSide = Annotated[Pixels, Tooltip("0 keeps the proportions.")]
