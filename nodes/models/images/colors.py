"""Colours of pictures, float32 [B, H, W, 3] in 0..1: other spaces, and one picture's for another.

Sources: IEC 61966-2-1 (sRGB), CIE 15 (Lab, D65), ITU-R BT.601 (luma and chroma); E. Reinhard et
al., "Color transfer between images", 2001; F. Pitie and A. Kokaram, "The linear Monge-Kantorovitch
linear colour mapping", 2007.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nodes.models.images.picture_files import curved, linear
from nodes.models.images.pictures import LUMA

BINS = 256
TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)
LAB_BEND = 6 / 29
RED_SPAN, BLUE_SPAN = 0.713, 0.564  # how far a colour without the other reaches
TRACE = 1e-6

Transfer: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


def to_yuv(pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Luma, and how blue and how red it is about one half, each as a grey picture."""
    red, green, blue = pictures[..., :3].unbind(-1)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    planes = luma, (blue - luma) * BLUE_SPAN + 0.5, (red - luma) * RED_SPAN + 0.5
    y, u, v = (plane[..., None].expand(-1, -1, -1, 3).contiguous() for plane in planes)
    return y, u, v


def from_yuv(y: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Pictures of what `to_yuv` gives."""
    luma, blue, red = (plane.mean(-1) for plane in (y, u, v))
    to_red, to_blue = (red - 0.5) / RED_SPAN, (blue - 0.5) / BLUE_SPAN
    to_green = (LUMA[0] * to_red + LUMA[2] * to_blue) / LUMA[1]
    return torch.stack([luma + to_red, luma - to_green, luma + to_blue], dim=-1).clamp(0, 1)


def to_lab(pictures: Tensor) -> Tensor:
    """CIE Lab of sRGB colours: L in 0..100."""
    xyz = linear(pictures[..., :3], "sRGB") @ pictures.new_tensor(TO_XYZ).T
    ratio = xyz / pictures.new_tensor(WHITE)
    bent = torch.where(
        ratio > LAB_BEND**3,
        ratio.clamp(min=LAB_BEND**3) ** (1 / 3),
        ratio / (3 * LAB_BEND**2) + 4 / 29,
    )
    x, y, z = bent.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-1)


def from_lab(lab: Tensor) -> Tensor:
    """SRGB colours of CIE Lab, cut to 0..1."""
    y = (lab[..., 0] + 16) / 116
    bent = torch.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], dim=-1)
    ratio = torch.where(bent > LAB_BEND, bent**3, 3 * LAB_BEND**2 * (bent - 4 / 29))
    xyz = ratio * lab.new_tensor(WHITE)
    rgb = xyz @ lab.new_tensor(TO_XYZ).inverse().T
    return curved(rgb.clamp(0, 1)).clamp(0, 1)


def transferred(
    pictures: Tensor, reference: Tensor, source: Tensor, method: str, strength: float
) -> Tensor:
    """Pictures with the colours of others.

    Args:
        pictures: to be changed, [B, H, W, 3 or 4].
        reference: whose colours are wanted.
        source: whose colours count as those of `pictures`.
        method: a key of `METHODS`.
        strength: 0 changes nothing, 1 takes the colours over.
    """
    if strength == 0:
        return pictures
    enter, leave = (to_lab, from_lab) if method.endswith("_lab") else (_plain, _plain)
    colors = enter(pictures[..., :3])
    wanted = METHODS[method](colors, _list(enter(source[..., :3])), _list(enter(reference)))
    mixed = leave(colors + (wanted - colors) * strength).clamp(0, 1)
    return torch.cat([mixed, pictures[..., 3:]], dim=-1)


def _plain(pictures: Tensor) -> Tensor:
    return pictures[..., :3]


def _list(colors: Tensor) -> Tensor:
    return colors.reshape(-1, 3)


def _reinhard(colors: Tensor, source: Tensor, reference: Tensor) -> Tensor:
    """The mean and the spread of each channel."""
    spread = reference.std(0) / source.std(0).clamp(min=TRACE)
    return (colors - source.mean(0)) * spread + reference.mean(0)


def _monge_kantorovich(colors: Tensor, source: Tensor, reference: Tensor) -> Tensor:
    """The mean and the covariance, by the shortest linear way."""
    small = TRACE * torch.eye(3)
    ours, theirs = torch.cov(source.T) + small, torch.cov(reference.T) + small
    root = _root(ours)
    back = root.inverse()
    way = back @ _root(root @ theirs @ root) @ back
    return (colors - source.mean(0)) @ way.T + reference.mean(0)


def _root(matrix: Tensor) -> Tensor:
    """The square root of a symmetric positive matrix."""
    linalg: Any = torch.linalg  # its functions have no types
    values, vectors = linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T


def _histogram(colors: Tensor, source: Tensor, reference: Tensor) -> Tensor:
    """The distribution of each channel, in 256 steps."""
    channels: list[Tensor] = []
    for channel in range(3):
        ours, theirs = (_shares(values[:, channel]) for values in (source, reference))
        table = torch.searchsorted(theirs, ours).clamp(max=BINS - 1).float() / (BINS - 1)
        level = (colors[..., channel] * (BINS - 1)).round().long().clamp(0, BINS - 1)
        channels.append(table[level])
    return torch.stack(channels, dim=-1)


def _shares(values: Tensor) -> Tensor:
    """How much of a channel is at most at each of the steps."""
    level = (values * (BINS - 1)).round().long().clamp(0, BINS - 1)
    counts = torch.bincount(level, minlength=BINS).double().cumsum(0)
    return counts / counts[-1]


METHODS: Mapping[str, Transfer] = {
    "reinhard_lab": _reinhard,
    "mkl_lab": _monge_kantorovich,
    "histogram": _histogram,
}


def histogram(picture: Tensor) -> dict[str, list[int]]:
    """How often each of 256 levels occurs in a picture [H, W, C], by channel and in all."""
    levels = (picture[..., :3] * 255).clamp(0, 255).long()
    red, green, blue = (torch.bincount(levels[..., c].flatten(), minlength=BINS) for c in range(3))
    luminance = picture[..., 0] * 0.2126 + picture[..., 1] * 0.7152 + picture[..., 2] * 0.0722
    bright = torch.bincount((luminance * 255).clamp(0, 255).long().flatten(), minlength=BINS)
    counts = {"rgb": (red + green + blue) // 3, "luminance": bright}
    counts |= {"red": red, "green": green, "blue": blue}
    return {name: [int(count) for count in values] for name, values in counts.items()}
