"""Pictures that measure something: depth, normals, albedo; float32 [B, H, W, 3] in 0..1."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import normalize

from nodes.models.images.picture_files import curved

LEAST_RANGE = 1e-6


def depth(pictures: Tensor) -> Tensor:
    """Each picture from its nearest (white) to its farthest (black)."""
    far = pictures[..., :3].mean(-1, keepdim=True)
    least, most = far.amin((1, 2, 3), keepdim=True), far.amax((1, 2, 3), keepdim=True)
    way = (far - least) / (most - least).clamp(min=LEAST_RANGE)
    return (1 - way).expand(-1, -1, -1, 3).contiguous()


def normals(pictures: Tensor) -> Tensor:
    """Directions of length 1, -1..1 as 0..1."""
    return normalize(pictures[..., :3] * 2 - 1, dim=-1) / 2 + 0.5


def albedo(pictures: Tensor) -> Tensor:
    """Scene-linear colours in sRGB's curve."""
    return curved(pictures[..., :3].clamp(0, 1))
