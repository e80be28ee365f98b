"""A network over a picture that is too large for it: tile by tile, faded into each other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from nodes.models.memory import ask_for

ResultT = TypeVar("ResultT")

Progress: TypeAlias = Generator[tuple[int, int], None, ResultT]
"""Long work: yields (parts done, parts in all) before each part, and returns its result."""


def finished(work: Progress[ResultT]) -> ResultT:
    """The result of long work that is done at once."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        return end.value


def three_tilings(tile: int) -> tuple[tuple[int, int], ...]:
    """Sides (rows, columns) of a tile and of two of equal area: no seam is in all of them."""
    return (tile, tile), (max(1, tile // 2), tile * 2), (tile * 2, max(1, tile // 2))


def tiled(
    pictures: Tensor,
    run: Callable[[Tensor], Tensor],
    *,
    tiles: Sequence[tuple[int, int]],
    overlap: int,
) -> Progress[Tensor]:
    """What `run` makes of pictures, evaluated tile by tile; the mean over some tilings.

    Tiles begin at multiples of their side without the overlap; the last one is as long as what is
    left. A tile's weight rises from its edges, over the overlap, as 1/n, 2/n ... 1.

    Args:
        pictures: [B, C, H, W] of any size.
        run: changes the sides of a tile by one factor, to whole numbers; it gives float32 on the
            CPU.
        tiles: (rows, columns) of the tiles of each tiling, in pixels of `pictures`.
        overlap: how many pixels neighbours share; at most half of the shortest side counts.

    Raises:
        TooLarge: the result is larger than the memory.
    """
    height, width = pictures.shape[-2:]
    overlap = min(overlap, min(map(min, tiles)) // 2)
    tilings = [
        [(*y, *x) for y in spans(height, rows, overlap) for x in spans(width, columns, overlap)]
        for rows, columns in tiles
    ]
    done, count = 0, sum(map(len, tilings))
    mean = torch.empty(0)
    for tiling in tilings:
        result, total = torch.empty(0), torch.empty(0)
        for y, rows, x, columns in tiling:
            yield done, count
            made = run(pictures[..., y : y + rows, x : x + columns])
            done += 1
            high, wide = made.shape[-2:]
            if not total.numel():
                shape = (*made.shape[:2], height * high // rows, width * wide // columns)
                ask_for("pictures", *shape)
                result, total = made.new_zeros(shape), made.new_zeros(shape[-2:])
            top, left, fade = y * high // rows, x * wide // columns, overlap * high // rows
            weight = weights((high, wide), total.shape, fade)
            result[..., top : top + high, left : left + wide] += made * weight
            total[top : top + high, left : left + wide] += weight
        result /= total
        mean = mean.add_(result) if mean.numel() else result
    return mean.div_(len(tilings))


def spans(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Where tiles begin along a side, and how long they are."""
    if length <= tile:
        return [(0, length)]
    starts = range(0, length - overlap, tile - overlap)
    return [(start, min(tile, length - start)) for start in starts]


def weights(sides: Sequence[int], whole: Sequence[int], fade: int) -> Tensor:
    """What a tile of some sides counts in a picture at each place, which falls over `fade`."""
    down, along = (_ramp(*pair, fade) for pair in zip(sides, whole, strict=True))
    return down[:, None] * along


def _ramp(length: int, whole: int, fade: int) -> Tensor:
    """The weight along one side of a tile: 1, falling towards both ends, but never to 0."""
    ramp = torch.ones(length)
    if length < whole and 0 < fade < length:
        rise = (torch.arange(fade) + 1) / fade
        ramp[:fade] *= rise
        ramp[length - fade :] *= rise.flip(0)
    return ramp
