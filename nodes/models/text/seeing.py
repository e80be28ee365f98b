"""Pictures among the words of a prompt, as Qwen2.5-VL and Qwen3-VL see them.

A picture takes as many tokens as it has patches, four to a token; the tokenizer's one mark for a
picture becomes so many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

PICTURE = 151655
"""Id of <|image_pad|> in Qwen's vocabulary."""
MERGED = 2
"""Patches along one side of a token."""
LEAST, MOST = 56 * 56, 28 * 28 * 16384
"""Pixels that a picture is brought within."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
OLD_PATCH = 14
"""Patches of Qwen2.5-VL, whose colours are normalised as CLIP's; Qwen3-VL's are larger."""


class Seen(NamedTuple):
    """The patches of a picture.

    Attributes:
        down, along: how many there are.
    """

    down: int
    along: int

    @property
    def tokens(self) -> int:
        """How many tokens the picture takes."""
        return self.down * self.along // MERGED**2


def grids(pictures: Sequence[Tensor], tower: Mapping[str, Any]) -> list[Seen]:
    """The patches of pictures [1, 3, H, W], by the configuration of a vision tower."""
    patch = int(tower.get("patch_size", OLD_PATCH))
    return [_seen(picture.shape[-2], picture.shape[-1], patch) for picture in pictures]


def placed(tokens: Sequence[int], seen: Sequence[Seen]) -> list[int]:
    """Tokens in which the mark of each picture is as long as the picture."""
    rest, found = list(seen), list[int]()
    for token in tokens:
        found += [token] * (rest.pop(0).tokens if token == PICTURE and rest else 1)
    return found


def see(pictures: Sequence[Tensor], ids: Tensor, module: Any, dtype: torch.dtype) -> dict[str, Any]:
    """What a seeing network is given for some pictures, beside its tokens [1, tokens]."""
    patch = int(module.config.vision_config.patch_size)
    frames = int(module.config.vision_config.temporal_patch_size)
    seen = [_seen(picture.shape[-2], picture.shape[-1], patch) for picture in pictures]
    patches = [
        _patches(picture, grid, patch, frames) for picture, grid in zip(pictures, seen, strict=True)
    ]
    return {
        "pixel_values": torch.cat(patches).to(ids.device, dtype),
        "image_grid_thw": torch.tensor([[1, *grid] for grid in seen], device=ids.device),
        "mm_token_type_ids": (ids == PICTURE).int(),
    }


def _seen(height: int, width: int, patch: int) -> Seen:
    side = patch * MERGED
    down, along = round(height / side), round(width / side)
    if down * along * side**2 > MOST:
        shrink = math.sqrt(height * width / MOST)
        down, along = math.floor(height / shrink / side), math.floor(width / shrink / side)
    elif down * along * side**2 < LEAST:
        grow = math.sqrt(LEAST / (height * width))
        down, along = math.ceil(height * grow / side), math.ceil(width * grow / side)
    return Seen(max(1, down) * MERGED, max(1, along) * MERGED)


def _patches(picture: Tensor, grid: Seen, patch: int, frames: int) -> Tensor:
    """The patches of a picture [1, 3, H, W], [patches, 3 * frames * patch * patch].

    The four of a token lie together; each is repeated for the frames of a still.
    """
    size = (grid.down * patch, grid.along * patch)
    sized = picture.float()
    if sized.shape[-2:] != size:
        sized = interpolate(sized, size, mode="bicubic", antialias=True).clamp(0, 1)
    old = patch == OLD_PATCH
    mean = torch.tensor(CLIP_MEAN if old else (0.5,) * 3).view(3, 1, 1)
    std = torch.tensor(CLIP_STD if old else (0.5,) * 3).view(3, 1, 1)
    colors = (sized[0] - mean) / std
    down, along = grid.down // MERGED, grid.along // MERGED
    cut = colors.view(3, down, MERGED, patch, along, MERGED, patch).permute(1, 4, 2, 5, 0, 3, 6)
    return cut.unsqueeze(5).expand(-1, -1, -1, -1, -1, frames, -1, -1).flatten(4).flatten(0, 3)
