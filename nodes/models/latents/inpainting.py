"""Pictures with a part that is to be painted anew; a mask is 1 there."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from nodes.models.vae.autoencoder import Autoencoder

GREY = 0.5


def fitted(vae: Autoencoder, pictures: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures cut for an autoencoder, and the mask at their size, [B, 1, H, W]."""
    flat = mask.float().reshape(-1, 1, *mask.shape[-2:])
    mask = interpolate(flat, size=pictures.shape[1:3], mode="bilinear")
    cut = vae.cropped(mask.movedim(1, -1)).movedim(-1, 1).contiguous()
    return vae.cropped(pictures), cut


def blanked(pictures: Tensor, mask: Tensor) -> Tensor:
    """Pictures [B, H, W, 3] that are grey where a mask [B, 1, H, W] is at least half."""
    kept = 1 - mask.round().movedim(1, -1)
    return (pictures[..., :3] - GREY) * kept + GREY


def grown(mask: Tensor, pixels: int) -> Tensor:
    """A mask of 0 and 1 that reaches further, as far as a square of that side."""
    if pixels == 0:
        return mask.round()
    height, width = mask.shape[-2:]
    square = torch.ones(1, 1, pixels, pixels)
    wide = conv2d(mask.round(), square, padding=math.ceil((pixels - 1) / 2))
    return wide.clamp(0, 1)[..., :height, :width].round()
