"""Pictures upon and beside each other, float32 [B, H, W, C] in 0..1."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from nodes.models.images.batches import repeated, with_channels
from nodes.models.images.masks import flat, sized
from nodes.models.images.pictures import scaled, solid


def _over(_: Tensor, above: Tensor) -> Tensor:
    return above


def _screen(below: Tensor, above: Tensor) -> Tensor:
    return 1 - (1 - below) * (1 - above)


def _overlay(below: Tensor, above: Tensor) -> Tensor:
    return torch.where(below <= 0.5, 2 * below * above, _screen(2 * below - 1, above))


def _soft_light(below: Tensor, above: Tensor) -> Tensor:
    curve = torch.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, below.sqrt())
    darker = below - (1 - 2 * above) * below * (1 - below)
    return torch.where(above <= 0.5, darker, below + (2 * above - 1) * (curve - below))


BLEND_MODES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "normal": _over,
    "multiply": torch.mul,
    "screen": _screen,
    "overlay": _overlay,
    "soft_light": _soft_light,
    "difference": torch.sub,
}
"""Of the lower and the upper picture; formulas of W3C's Compositing and Blending, level 1.

"difference" has its sign, as workflows expect it: it is black where the upper one is brighter.
"""

COLORS = {"white": 0xFFFFFF, "black": 0, "red": 0xFF0000, "green": 0x00FF00, "blue": 0x0000FF}


def blended(below: Tensor, above: Tensor, mode: str, strength: float) -> Tensor:
    """The lower picture, mixed with both blended; the upper one is brought to its size."""
    height, width, channels = below.shape[1:]
    if above.shape[1:3] != (height, width):
        above = scaled(above, "bicubic", width, height, crop=True)
    above = repeated(with_channels(above, channels), max(len(below), len(above)))
    below = repeated(below, len(above))
    mixed = below * (1 - strength) + BLEND_MODES[mode](below, above) * strength
    return mixed.clamp(0, 1)


def pasted(
    destination: Tensor, source: Tensor, x: int, y: int, mask: Tensor | None, *, resize: bool
) -> Tensor:
    """One picture or latent upon another; what stands out is cut off.

    Args:
        destination: planes [B, C, H, W].
        source: planes of as many channels; repeated to as many as there are destinations.
        x: of the source's left edge.
        y: of its top edge.
        mask: where the source shows; brought to its size.
        resize: bring the source to the destination's size first.
    """
    if resize:
        source = interpolate(source, size=destination.shape[-2:], mode="bilinear")
    source = repeated(source, len(destination))
    height, width = source.shape[-2:]
    opaque = torch.ones(1, height, width) if mask is None else sized(mask, height, width)
    cover = repeated(opaque, len(destination))[:, None].to(destination)
    result = destination.clone()
    under = result[..., y : y + height, x : x + width]
    visible = (..., slice(under.shape[-2]), slice(under.shape[-1]))
    under.copy_(source[visible] * cover[visible] + under * (1 - cover[visible]))
    return result


def with_alpha(pictures: Tensor, mask: Tensor) -> Tensor:
    """Pictures [B, H, W, 4] that are transparent where the mask holds."""
    height, width = pictures.shape[1:3]
    count = max(len(pictures), len(flat(mask)))
    alpha = 1 - repeated(sized(mask, height, width), count)
    return torch.cat([repeated(pictures[..., :3], count), alpha[..., None]], dim=-1)


def without_alpha(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures [B, H, W, 3], and the mask of where they were transparent."""
    return pictures[..., :3], 1 - with_channels(pictures, 4)[..., 3]


def stitched(
    first: Tensor, second: Tensor, direction: str, *, match: bool, spacing: int, color: str
) -> Tensor:
    """Two pictures side by side.

    Args:
        first: repeats its last picture where the other batch is longer, and the other way round.
        second: stands to the "right", "left", "up" or "down" of the first.
        direction: see `second`.
        match: bring the second to the first's height (or width), else centre the smaller on black.
        spacing: pixels between them; an odd number is rounded up.
        color: of the space, one of `COLORS`.
    """
    side = 1 if direction in ("left", "right") else 2  # the axis along which they must agree
    count, channels = max(len(first), len(second)), max(first.shape[-1], second.shape[-1])
    if match:
        second = _matched(second, first.shape[side], side)
    pictures = [with_channels(_prolonged(p, count), channels) for p in (first, second)]
    longest = max(picture.shape[side] for picture in pictures)
    pictures = [_centred(picture, longest, side) for picture in pictures]
    if direction in ("left", "up"):
        pictures.reverse()
    if spacing:
        size = (longest, spacing + spacing % 2)
        height, width = size if side == 1 else size[::-1]
        space = with_channels(solid(width, height, count, COLORS[color]), channels)
        pictures.insert(1, space.to(first))
    return torch.cat(pictures, dim=3 - side)


def _matched(pictures: Tensor, length: int, side: int) -> Tensor:
    """At another height (side 1) or width (side 2), in proportion."""
    other = max(1, int(length * pictures.shape[3 - side] / pictures.shape[side]))
    width, height = (other, length) if side == 1 else (length, other)
    return scaled(pictures, "lanczos", width, height, crop=False)


def _prolonged(pictures: Tensor, count: int) -> Tensor:
    return torch.cat([pictures, pictures[-1:].expand(count - len(pictures), -1, -1, -1)])


def _centred(pictures: Tensor, length: int, side: int) -> Tensor:
    missing = length - pictures.shape[side]
    before = missing // 2
    around = (before, missing - before)
    return pad(pictures, (0, 0, 0, 0, *around) if side == 1 else (0, 0, *around))
