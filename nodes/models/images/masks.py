"""Masks: where something holds, float32 [B, H, W] in 0..1."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from nodes.models.images.batches import repeated
from nodes.models.memory import ask_for

CHANNELS = ("red", "green", "blue", "alpha")


def _both(first: Tensor, second: Tensor) -> Tensor:
    return first.round() * second.round()


def _either(first: Tensor, second: Tensor) -> Tensor:
    return torch.maximum(first.round(), second.round())


def _one_of(first: Tensor, second: Tensor) -> Tensor:
    return (first.round() - second.round()).abs()


OPERATIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "multiply": torch.mul,
    "add": torch.add,
    "subtract": torch.sub,
    "and": _both,
    "or": _either,
    "xor": _one_of,
}


class MaskError(ValueError):
    """A mask that cannot be made; the text says why and what to do."""


def flat(mask: Tensor) -> Tensor:
    """A mask as [B, H, W], also from [H, W] and from [B, 1, H, W] as latents carry it."""
    return mask.reshape(-1, *mask.shape[-2:])


def sized(mask: Tensor, height: int, width: int) -> Tensor:
    """A mask at another size, [B, height, width]."""
    ask_for("masks", flat(mask).shape[0], height, width)
    return interpolate(flat(mask)[:, None], size=(height, width), mode="bilinear")[:, 0]


def picture_of(mask: Tensor) -> Tensor:
    """A mask as grey pictures [B, H, W, 3], white where it holds."""
    return flat(mask)[..., None].expand(-1, -1, -1, 3).contiguous()


def of_channel(pictures: Tensor, channel: str) -> Tensor:
    """One of `CHANNELS` of pictures [B, H, W, C] as a mask.

    Raises:
        MaskError: the pictures do not have it.
    """
    index = CHANNELS.index(channel)
    if index >= pictures.shape[-1]:
        raise MaskError(
            f"channel: the picture has {pictures.shape[-1]} channels and no {channel}; "
            f"choose one of {', '.join(CHANNELS[: pictures.shape[-1]])}"
        )
    return pictures[..., index].clone()


def of_color(pictures: Tensor, color: int) -> Tensor:
    """1 where pictures [B, H, W, 3 or more] have exactly this colour, 0xRRGGBB."""
    wanted = torch.tensor([color >> 16 & 255, color >> 8 & 255, color & 255])
    found = (pictures[..., :3].clamp(0, 1) * 255).round().to(torch.int64)
    return (found == wanted.to(found.device)).all(-1).float()


def combined(destination: Tensor, source: Tensor, x: int, y: int, operation: str) -> Tensor:
    """Masks with another laid on at x, y; what stands out is cut off.

    Args:
        destination: gives the size.
        source: repeated to as many as there are destinations.
        x: from the left, in pixels.
        y: from the top.
        operation: one of `OPERATIONS`.
    """
    result = flat(destination).clone()
    source = repeated(flat(source), len(result))
    under = result[:, y : y + source.shape[1], x : x + source.shape[2]]
    over = source[:, : under.shape[1], : under.shape[2]]
    under.copy_(OPERATIONS[operation](under, over).clamp(0, 1))
    return result


def feathered(mask: Tensor, *, left: int, top: int, right: int, bottom: int) -> Tensor:
    """Masks that fade out towards the edges of the picture over so many pixels on each side."""
    mask = flat(mask)
    height, width = mask.shape[1:]
    rows = ramps(height, min(top, height), min(bottom, height)).to(mask.device)
    columns = ramps(width, min(left, width), min(right, width)).to(mask.device)
    return mask * rows[:, None] * columns


def ramps(length: int, rising: int, falling: int) -> Tensor:
    """Weights along a side, 1 in its middle: the first rises from 1 / rising, likewise the end."""
    place = torch.arange(1, length + 1, dtype=torch.float32)
    weights = torch.ones(length)
    if rising:
        weights = weights * (place / rising).clamp(max=1)
    if falling:
        weights = weights * (place.flip(0) / falling).clamp(max=1)
    return weights


def grown(mask: Tensor, pixels: int, *, tapered: bool) -> Tensor:
    """Masks whose holding places reach so many pixels further, or fewer if negative.

    Args:
        mask: each value moves outwards by itself, so a soft mask stays soft.
        pixels: steps of one pixel.
        tapered: a step goes to four neighbours and makes diamonds, else to eight, making squares.
    """
    if pixels < 0:
        return -grown(-mask, -pixels, tapered=tapered)
    planes = flat(mask)[:, None]
    steps = min(pixels, sum(planes.shape[-2:]))
    if tapered:
        for _ in range(steps):
            planes = torch.maximum(_widest(planes, 1, 0), _widest(planes, 0, 1))
    else:
        planes = _widest(_widest(planes, steps, 0), 0, steps)
    return planes[:, 0]


def _widest(planes: Tensor, rows: int, columns: int) -> Tensor:
    """The largest value within so many rows and columns."""
    kernel = (2 * rows + 1, 2 * columns + 1)
    return max_pool2d(planes, kernel, stride=1, padding=(rows, columns))
