"""Pictures with transparency, one upon the other, in all the ways that drawing programs know.

T. Porter and T. Duff, "Compositing digital images", 1984, and the blending modes that came later:
names and formulas are those of Android's `PorterDuff.Mode`, on colours that are multiplied by how
opaque they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from nodes.models.images.batches import repeated, with_channels
from nodes.models.images.masks import sized
from nodes.models.images.pictures import scaled


@dataclass(frozen=True)
class Layer:
    """A picture: `color` [B, H, W, 3], already multiplied by `opaque` [B, H, W, 1]."""

    color: Tensor
    opaque: Tensor


BlendFunction: TypeAlias = Callable[[Layer, Layer], Layer]
"""From the upper layer and the lower one to what is seen."""
Seen: TypeAlias = Callable[[Layer], Tensor | float]
"""How much of a layer is seen, by the other one."""


def _weighted(
    of_upper: Callable[[Layer], Tensor | float], of_lower: Callable[[Layer], Tensor | float]
) -> BlendFunction:
    """Both, each as far as the other lets it be seen."""

    def compose(upper: Layer, lower: Layer) -> Layer:
        first, second = of_upper(lower), of_lower(upper)
        return Layer(
            upper.color * first + lower.color * second, upper.opaque * first + lower.opaque * second
        )

    return compose


def _always(_: Layer) -> float:
    return 1.0


def _never(_: Layer) -> float:
    return 0.0


def _inside(other: Layer) -> Tensor:
    return other.opaque


def _outside(other: Layer) -> Tensor:
    return 1 - other.opaque


def _blending(blend: Callable[[Layer, Layer], Tensor]) -> BlendFunction:
    """Both where they are alone, a blend of them where they meet."""

    def compose(upper: Layer, lower: Layer) -> Layer:
        alone = upper.color * (1 - lower.opaque) + lower.color * (1 - upper.opaque)
        opaque = upper.opaque + lower.opaque - upper.opaque * lower.opaque
        return Layer(alone + blend(upper, lower), opaque)

    return compose


def _darker(upper: Layer, lower: Layer) -> Tensor:
    return torch.minimum(upper.color * lower.opaque, lower.color * upper.opaque)


def _lighter(upper: Layer, lower: Layer) -> Tensor:
    return torch.maximum(upper.color * lower.opaque, lower.color * upper.opaque)


def _overlaid(upper: Layer, lower: Layer) -> Tensor:
    both = upper.opaque * lower.opaque
    bright = both - 2 * (lower.opaque - lower.color) * (upper.opaque - upper.color)
    return torch.where(2 * lower.color < lower.opaque, 2 * upper.color * lower.color, bright)


def _screened(upper: Layer, lower: Layer) -> Tensor:
    return upper.color * lower.opaque + lower.color * upper.opaque - upper.color * lower.color


def _multiplied(upper: Layer, lower: Layer) -> Layer:
    return Layer(upper.color * lower.color, upper.opaque * lower.opaque)


MODES: Mapping[str, BlendFunction] = {
    "ADD": _weighted(_always, _always),
    "CLEAR": _weighted(_never, _never),
    "DARKEN": _blending(_darker),
    "DST": _weighted(_never, _always),
    "DST_ATOP": _weighted(_outside, _inside),
    "DST_IN": _weighted(_never, _inside),
    "DST_OUT": _weighted(_never, _outside),
    "DST_OVER": _weighted(_outside, _always),
    "LIGHTEN": _blending(_lighter),
    "MULTIPLY": _multiplied,
    "OVERLAY": _blending(_overlaid),
    "SCREEN": _blending(_screened),
    "SRC": _weighted(_always, _never),
    "SRC_ATOP": _weighted(_inside, _outside),
    "SRC_IN": _weighted(_inside, _never),
    "SRC_OUT": _weighted(_outside, _never),
    "SRC_OVER": _weighted(_always, _outside),
    "XOR": _weighted(_outside, _outside),
}


def composed(
    source: Tensor, source_mask: Tensor, destination: Tensor, destination_mask: Tensor, mode: str
) -> tuple[Tensor, Tensor]:
    """One picture upon another, and where the result is transparent.

    Args:
        source: the upper pictures [B, H, W, 3 or more], brought to the size of the lower ones.
        source_mask: 1 where they are transparent, of any size.
        destination: the lower pictures; the shorter batch is repeated.
        destination_mask: 1 where they are transparent.
        mode: a key of `MODES`.

    Returns:
        pictures [B, H, W, 3], black where nothing is, and a mask [B, H, W], 1 where nothing is.
    """
    height, width = destination.shape[1:3]
    count = max(len(source), len(destination))
    upper, lower = (
        _layer(pictures, mask, count, height, width)
        for pictures, mask in ((source, source_mask), (destination, destination_mask))
    )
    seen = MODES[mode](upper, lower)
    opaque = seen.opaque.clamp(0, 1)
    color = torch.where(opaque > 0, seen.color / opaque.clamp(min=1e-6), 0.0).clamp(0, 1)
    return color, 1 - opaque[..., 0]


def _layer(pictures: Tensor, mask: Tensor, count: int, height: int, width: int) -> Layer:
    if pictures.shape[1:3] != (height, width):
        pictures = scaled(pictures, "bicubic", width, height, crop=True)
    opaque = 1 - repeated(sized(mask, height, width), count)[..., None]
    return Layer(repeated(with_channels(pictures, 3), count) * opaque, opaque)
