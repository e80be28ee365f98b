"""A network over a picture that is too large for it: tile by tile, faded into each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def tiled(pictures: Tensor, run: Callable[[Tensor], Tensor], *, tile: int, overlap: int) -> Tensor:
    """What `run` makes of pictures [B, C, H, W], asked for one tile at a time.

    Args:
        pictures: of any size.
        run: changes the sides of a tile by one factor, to whole numbers.
        tile: side of a tile in pixels of `pictures`.
        overlap: how far neighbours reach into each other; less than half of a tile.
    """
    overlap = min(overlap, tile // 2)
    height, width = pictures.shape[-2:]
    total = weights = torch.empty(0)
    for y, rows in _spans(height, tile, overlap):
        for x, columns in _spans(width, tile, overlap):
            made = run(pictures[..., y : y + rows, x : x + columns])
            high, wide = made.shape[-2:]
            if not total.numel():
                shape = (*made.shape[:2], height * high // rows, width * wide // columns)
                total, weights = made.new_zeros(shape), made.new_zeros(shape[-2:])
            top, left = y * high // rows, x * wide // columns
            fade = overlap * high // rows
            weight = _ramp(high, top, total.shape[-2], fade)[:, None] * _ramp(
                wide, left, total.shape[-1], fade
            )
            total[..., top : top + high, left : left + wide] += made * weight
            weights[top : top + high, left : left + wide] += weight
    return total / weights


def _spans(length: int, tile: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Where tiles begin along a side, and how long they are; the last one ends with the side."""
    if length <= tile:
        yield 0, length
        return
    step = tile - overlap
    for start in range(0, length - overlap, step):
        yield min(start, length - tile), tile
        if start + tile >= length:
            return


def _ramp(length: int, start: int, whole: int, fade: int) -> Tensor:
    """1, falling towards the ends that have a neighbour; never to 0."""
    ramp = torch.ones(length)
    rise = (torch.arange(fade) + 1) / (fade + 1)
    if start > 0:
        ramp[:fade] *= rise
    if start + length < whole:
        ramp[length - fade :] *= rise.flip(0)
    return ramp
