"""What shapes pictures show: edges, and morphology; float32 [B, H, W, C] in 0..1."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from nodes.models.images.pictures import LUMA

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
# The neighbour ahead, as (row, column), for each eighth of a turn of the gradient.
AHEAD = ((0, 1), (1, 1), (1, 0), (1, -1))


def dilated(pictures: Tensor, size: int) -> Tensor:
    """Each pixel as bright as the brightest within a square of this side about it.

    The middle of a square of even side is below and to the right of its centre.
    """
    return _brightest(pictures, size // 2, (size - 1) // 2)


def eroded(pictures: Tensor, size: int) -> Tensor:
    """Each pixel as dark as the darkest within a square of this side about it."""
    return -dilated(-pictures, size)


def opened(pictures: Tensor, size: int) -> Tensor:
    """Without bright things smaller than the square."""
    # The square is mirrored on the way back, or pictures would move by half a pixel.
    return _brightest(eroded(pictures, size), (size - 1) // 2, size // 2)


def closed(pictures: Tensor, size: int) -> Tensor:
    """Without dark things smaller than the square."""
    return -opened(-pictures, size)


def _brightest(pictures: Tensor, before: int, after: int) -> Tensor:
    """The brightest pixel from so many rows and columns before to so many after."""
    size = before + 1 + after
    planes = pad(pictures.movedim(-1, 1), (before, after) * 2, value=float("-inf"))
    rows = max_pool2d(planes, (size, 1), stride=1)
    return max_pool2d(rows, (1, size), stride=1).movedim(1, -1).contiguous()


def _gradient(pictures: Tensor, size: int) -> Tensor:
    return dilated(pictures, size) - eroded(pictures, size)


def _bottom_hat(pictures: Tensor, size: int) -> Tensor:
    return closed(pictures, size) - pictures


def _top_hat(pictures: Tensor, size: int) -> Tensor:
    return pictures - opened(pictures, size)


OPERATIONS: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "erode": eroded,
    "dilate": dilated,
    "open": opened,
    "close": closed,
    "gradient": _gradient,
    "bottom_hat": _bottom_hat,
    "top_hat": _top_hat,
}


def edges(pictures: Tensor, low: float, high: float) -> Tensor:
    """White lines one pixel wide where brightness changes, on black.

    Args:
        pictures: 1 channel, or RGB with or without alpha.
        low: a weak edge counts where it touches one that counts. In the unit of Sobel's operator,
            where a step from black to white is 2.6 after smoothing.
        high: above it an edge counts by itself.

    Returns:
        [B, H, W, 3] of 0 and 1.

    Source: J. Canny, "A computational approach to edge detection", 1986.
    """
    slope, direction = _slopes(_smoothed(_grey(pictures)))
    ridge = _ridges(slope, direction)
    weak, strong = (ridge > low).float(), (ridge > max(low, high)).float()
    while True:
        grown = max_pool2d(strong, 3, stride=1, padding=1) * weak
        if torch.equal(grown, strong):
            return strong.movedim(1, -1).expand(-1, -1, -1, 3).contiguous()
        strong = grown


def _grey(pictures: Tensor) -> Tensor:
    """Brightness as planes [B, 1, H, W]."""
    if pictures.shape[-1] == 1:
        return pictures.movedim(-1, 1)
    return (pictures[..., :3] * pictures.new_tensor(LUMA)).sum(-1)[:, None]


def _smoothed(planes: Tensor) -> Tensor:
    """Through a Gaussian of sigma 1, five pixels wide."""
    bell = torch.exp(-(torch.arange(-2, 3, dtype=torch.float32) ** 2) / 2)
    kernel = (bell[:, None] * bell / bell.sum() ** 2).to(planes)
    return conv2d(pad(planes, (2, 2, 2, 2), mode="replicate"), kernel[None, None])


def _slopes(planes: Tensor) -> tuple[Tensor, Tensor]:
    """How steeply brightness changes, and in which direction: radians, x to the right, y down."""
    sobel = planes.new_tensor(SOBEL)
    kernels = torch.stack([sobel, sobel.T])[:, None]
    both = conv2d(pad(planes, (1, 1, 1, 1), mode="replicate"), kernels)
    x, y = both[:, :1], both[:, 1:]
    return (x.square() + y.square()).sqrt(), torch.atan2(y, x)


def _ridges(slope: Tensor, direction: Tensor) -> Tensor:
    """The slope where it is steeper than at both neighbours along its direction, else 0."""
    eighth = (direction / (torch.pi / 4)).round().long() % 4
    height, width = slope.shape[-2:]
    around = pad(slope, (1, 1, 1, 1))
    ridge = torch.zeros_like(slope)
    for number, (row, column) in enumerate(AHEAD):
        ahead, behind = (
            around[..., 1 + sign * row :, 1 + sign * column :][..., :height, :width]
            for sign in (1, -1)
        )
        # Of two equal ones the first counts: a step exactly between two pixels is an edge, too.
        steepest = (slope > behind) & (slope >= ahead) & (eighth == number)
        ridge = torch.where(steepest, slope, ridge)
    return ridge
