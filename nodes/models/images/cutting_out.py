"""Things cut out of pictures by a mask, alone on one colour."""

from __future__ import annotations

import torch
from torch import Tensor

from nodes.models.images.batches import repeated
from nodes.models.images.masks import grown, sized
from nodes.models.images.pictures import scaled

HOLDS = 0.8  # a mask from here on


def cut_out(
    pictures: Tensor,
    mask: Tensor,
    width: int,
    height: int,
    *,
    room: float,
    grow: int,
    background: tuple[float, float, float],
) -> Tensor:
    """What a mask holds of each picture, in the middle of one colour.

    Args:
        pictures: [B, H, W, 3 or more].
        mask: of any size; one that is bright at the border and dark in the middle is turned round.
        width: of the result.
        height: likewise.
        room: how many times as large as the thing what is cut out is, in those proportions.
        grow: pixels that the mask reaches further, or fewer if negative.
        background: red, green and blue in 0..1.
    """
    masks = repeated(sized(mask, *pictures.shape[1:3]), len(pictures))
    color = pictures.new_tensor(background)
    made: list[Tensor] = []
    for picture, own in zip(pictures[..., :3], masks, strict=True):
        held = grown(_upright(own)[None], grow, tapered=False)[0].clamp(0, 1)
        alone = picture * held[..., None] + color * (1 - held[..., None])
        made.append(_framed(alone, held, width / height, room))
    return torch.cat([scaled(part[None], "lanczos", width, height, crop=False) for part in made])


def _upright(mask: Tensor) -> Tensor:
    """The mask [H, W], or what it leaves out if that is the thing in the middle."""
    border = torch.cat([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean()
    middle = mask[mask.shape[0] // 2, mask.shape[1] // 2]
    return 1 - mask if border > 0.5 > middle else mask


def _framed(picture: Tensor, held: Tensor, proportions: float, room: float) -> Tensor:
    """The part of a picture [H, W, 3] about what is held, black where it reaches beyond it."""
    rows, columns = (held > HOLDS).nonzero(as_tuple=True)
    if not len(rows):
        rows, columns = (torch.tensor([0, side - 1]) for side in held.shape)
    top, bottom = int(rows.min()), int(rows.max()) + 1
    left, right = int(columns.min()), int(columns.max()) + 1
    tall = max(bottom - top, (right - left) / proportions) * room
    high, wide = max(1, round(tall)), max(1, round(tall * proportions))
    y, x = round((top + bottom - high) / 2), round((left + right - wide) / 2)
    result = picture.new_zeros(high, wide, 3)
    inner = picture[max(0, y) : max(0, y + high), max(0, x) : max(0, x + wide)]
    rows_from, columns_from = max(0, -y), max(0, -x)
    result[rows_from : rows_from + inner.shape[0], columns_from : columns_from + inner.shape[1]] = (
        inner
    )
    return result
