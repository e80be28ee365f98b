"""Patches of a UNet: FreeU, Kohya's deep shrink, HyperTile, token merging, perturbed attention."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import torch
from torch import Tensor

from nodes.models.latents.latents import resized
from nodes.models.networks.patched_unet import (
    Attend,
    BlockPosition,
    Kind,
    UNetPatch,
    projections,
    split,
)

fourier: Any = torch.fft  # has no types
SMALLEST_TILE = 32  # pixels
MERGE_STRIDE = 2  # of the destinations among the tokens, along both axes


@dataclass(frozen=True)
class FreeU(UNetPatch):
    """Stronger backbone, weaker skip connections; Si et al. 2023, https://arxiv.org/abs/2309.11497.

    Attributes:
        channels: of the UNet's first level: blocks of four and of two times as many are changed.
        backbone: what half of the channels counts, in these two kinds of blocks.
        skip: what the lowest frequencies of the skip connection count.
        by_mean: whether the backbone counts more where its mean over the channels is high (the
            second version of the paper).
    """

    channels: int
    backbone: tuple[float, float]
    skip: tuple[float, float]
    by_mean: bool = False

    def joined(self, h: Tensor, skip: Tensor, position: BlockPosition) -> tuple[Tensor, Tensor]:
        """Both changed, where the backbone has the right number of channels."""
        kinds = (4 * self.channels, 2 * self.channels)
        if h.shape[1] not in kinds:
            return h, skip
        kind = kinds.index(h.shape[1])
        strength: Tensor | float = self.backbone[kind]
        if self.by_mean:
            mean = h.mean(dim=1, keepdim=True)
            low, high = (mean.flatten(1).aminmax(dim=1)[n].reshape(-1, 1, 1, 1) for n in (0, 1))
            strength = (strength - 1) * (mean - low) / (high - low) + 1
        half = h.shape[1] // 2
        h = torch.cat([h[:, :half] * strength, h[:, half:]], dim=1)
        return h, _low_frequencies_scaled(skip, self.skip[kind])


def _low_frequencies_scaled(latents: Tensor, scale: float) -> Tensor:
    """The constant and the first frequency of each axis, times `scale`."""
    waves = fourier.fftshift(fourier.fft2(latents.float()), dim=(-2, -1))
    rows, columns = (side // 2 for side in latents.shape[-2:])
    waves[..., max(0, rows - 1) : rows + 1, max(0, columns - 1) : columns + 1] *= scale
    return fourier.ifft2(fourier.ifftshift(waves, dim=(-2, -1))).real.to(latents.dtype)


@dataclass(frozen=True)
class Downscale(UNetPatch):
    """Smaller hidden states from an input block on, so that large pictures keep one subject.

    Kohya's "deep shrink" (https://github.com/kohya-ss/sd-scripts, Apache-2.0).

    Attributes:
        block: number of the input block.
        factor: so many times smaller along each side.
        start: the sigma from which on it acts.
        end: the sigma up to which.
        after: whether the skip connection of the block stays large.
        down: method of resizing, see `latents.SCALE_METHODS`.
        up: the same, where large skip connections come in again.
    """

    block: int
    factor: float
    start: float
    end: float
    after: bool
    down: str
    up: str

    def active(self, sigma: float) -> bool:
        """Between two sigmas."""
        return self.end <= sigma <= self.start

    def before_skip(self, h: Tensor, position: BlockPosition) -> Tensor:
        """Smaller, if the skip connection shall be so too."""
        return h if self.after else self._smaller(h, position)

    def after_skip(self, h: Tensor, position: BlockPosition) -> Tensor:
        """Smaller, if the skip connection shall not."""
        return self._smaller(h, position) if self.after else h

    def joined(self, h: Tensor, skip: Tensor, position: BlockPosition) -> tuple[Tensor, Tensor]:
        """The hidden states at the size of the skip connection."""
        if h.shape[2:] != skip.shape[2:]:
            h = resized(h, self.up, skip.shape[-1], skip.shape[-2], crop=False)
        return h, skip

    def _smaller(self, h: Tensor, position: BlockPosition) -> Tensor:
        if position.block != self.block:
            return h
        rows, columns = (max(1, round(side / self.factor)) for side in h.shape[-2:])
        return resized(h, self.down, columns, rows, crop=False)


@dataclass(frozen=True)
class HyperTile(UNetPatch):
    """Self-attention within tiles; https://github.com/tfernd/HyperTile (MIT).

    Attributes:
        tile: pixels along the side of a tile, about.
        choices: of so many numbers of tiles one is taken, another at each step, so that their
            borders do not show.
        depth: how many halvings of the latents' size are tiled too.
        scaled: whether tiles are so much larger there.
    """

    tile: int
    choices: int
    depth: int
    scaled: bool

    def attention(
        self, attend: Attend, q: Tensor, k: Tensor, v: Tensor, position: BlockPosition
    ) -> Tensor:
        """Attention of each tile to itself."""
        sides = _sides(q.shape[1], position.shape)
        level = _halvings(q.shape[1], position.shape)
        if position.cross or sides is None or level > self.depth:
            return attend(q, k, v)
        cells = max(SMALLEST_TILE, self.tile) // 8 * (2**level if self.scaled else 1)
        rows, columns = (self._tiles(side, cells, position) for side in sides)
        if rows * columns == 1:
            return attend(q, k, v)

        def tiled(x: Tensor) -> Tensor:
            x = x.reshape(len(x), rows, sides[0] // rows, columns, sides[1] // columns, -1)
            return x.transpose(2, 3).flatten(0, 2).flatten(1, 2)

        found = attend(tiled(q), tiled(k), tiled(v))
        high, wide = sides[0] // rows, sides[1] // columns
        return found.reshape(len(q), rows, columns, high, wide, -1).transpose(2, 3).flatten(1, 4)

    def _tiles(self, side: int, cells: int, position: BlockPosition) -> int:
        """How many tiles along a side: they divide it and are no smaller than `tile`."""
        smallest = min(cells, side)
        counts = [side // n for n in range(smallest, side + 1) if side % n == 0][: self.choices]
        drawn = crc32(f"{position.part} {position.block} {side} {position.timestep}".encode())
        return counts[drawn % len(counts)]


@dataclass(frozen=True)
class TokenMerging(UNetPatch):
    """Similar tokens merged before attention (ToMe); Bolya & Hoffman 2023, https://arxiv.org/abs/2303.17604.

    Attributes:
        ratio: the share of the tokens that are merged into others, 0..1.
    """

    ratio: float

    def attention(
        self, attend: Attend, q: Tensor, k: Tensor, v: Tensor, position: BlockPosition
    ) -> Tensor:
        """Self-attention at the size of the latents of fewer queries."""
        sides = _sides(q.shape[1], position.shape)
        if position.cross or sides is None or q.shape[1] != math.prod(position.shape):
            return attend(q, k, v)
        merged = _Merged.of(q, sides, int(q.shape[1] * self.ratio))
        return merged.apart(attend(merged.together(q), k, v))


@dataclass(frozen=True, eq=False)
class _Merged:
    """Which tokens are merged into which.

    Attributes:
        targets: indices of tokens that others are merged into, [targets].
        kept: indices of those that are neither, [B, kept].
        gone: indices of those that are merged, [B, gone].
        into: which of the targets each of these goes into, [B, gone].
    """

    targets: Tensor
    kept: Tensor
    gone: Tensor
    into: Tensor

    @staticmethod
    def of(x: Tensor, sides: tuple[int, int], count: int) -> _Merged:
        """The `count` sources that are most alike to a target; one target in each 2 x 2 tokens."""
        rows, columns = (side // MERGE_STRIDE for side in sides)
        dice = torch.Generator().manual_seed(0)
        chosen = torch.randint(MERGE_STRIDE**2, (rows, columns), generator=dice)
        at_row = torch.arange(rows)[:, None] * MERGE_STRIDE + chosen // MERGE_STRIDE
        at_column = torch.arange(columns) * MERGE_STRIDE + chosen % MERGE_STRIDE
        targets = (at_row * sides[1] + at_column).flatten()
        is_source = torch.ones(x.shape[1], dtype=torch.bool)
        is_source[targets] = False
        sources = is_source.nonzero()[:, 0].to(x.device)
        targets = targets.to(x.device)
        unit = x / x.square().sum(dim=-1, keepdim=True).sqrt().clamp(min=1e-12)
        likeness, into = (unit[:, sources] @ unit[:, targets].mT).max(dim=-1)
        order = likeness.argsort(dim=-1, descending=True)
        count = min(count, len(sources))
        return _Merged(
            targets,
            sources[order[:, count:]],
            sources[order[:, :count]],
            into.gather(1, order[:, :count]),
        )

    def together(self, x: Tensor) -> Tensor:
        """The tokens that are kept, and the targets as means of all that are in them."""
        moved = _picked(x, self.gone)
        index = self.into[..., None].expand_as(moved)
        targets = x[:, self.targets].scatter_reduce(1, index, moved, "mean")
        return torch.cat([_picked(x, self.kept), targets], dim=1)

    def apart(self, x: Tensor) -> Tensor:
        """One token for each that there was, [B, tokens, channels]."""
        count = self.kept.shape[1]
        kept, targets = x[:, :count], x[:, count:]
        length = count + targets.shape[1] + self.gone.shape[1]
        found = x.new_zeros(len(x), length, x.shape[2])
        found[:, self.targets] = targets
        for index, tokens in ((self.kept, kept), (self.gone, _picked(targets, self.into))):
            found.scatter_(1, index[..., None].expand_as(tokens), tokens)
        return found


def _picked(x: Tensor, index: Tensor) -> Tensor:
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))


@dataclass(frozen=True)
class SkippedLayers(UNetPatch):
    """Without some layers: what comes to one is what leaves it.

    Attributes:
        layers: their numbers, see `PatchedUNet.layers`; of a transformer the blocks of picture and
            text.
        start: the sigma from which on it acts.
        end: the sigma up to which.
        single: numbers of a transformer's blocks of both as one.
    """

    layers: frozenset[int]
    start: float
    end: float
    single: frozenset[int] = frozenset()

    def active(self, sigma: float) -> bool:
        """Between two sigmas."""
        return self.end <= sigma <= self.start

    def skips(self, layer: int, kind: Kind = "double") -> bool:
        """Those that are named."""
        return layer in (self.single if kind == "single" else self.layers)


@dataclass(frozen=True)
class PerturbedAttention(UNetPatch):
    """No self-attention in the middle block; Ahn et al. 2024, https://arxiv.org/abs/2403.17377."""

    def attention(
        self, attend: Attend, q: Tensor, k: Tensor, v: Tensor, position: BlockPosition
    ) -> Tensor:
        """The values as they are: each token attends to itself alone."""
        if position.cross or position.part != "middle":
            return attend(q, k, v)
        return position.module.to_out[0](position.module.to_v(v))


@dataclass(frozen=True)
class ScaledAttention(UNetPatch):
    """Attention whose queries, keys, values and output are so many times as large.

    Attributes:
        cross: whether it is the attention to the text, else that to the picture itself.
        query, key, value, out: the factors.
    """

    cross: bool
    query: float
    key: float
    value: float
    out: float

    def attention(
        self, attend: Attend, q: Tensor, k: Tensor, v: Tensor, position: BlockPosition
    ) -> Tensor:
        """As with layers of so much larger weights."""
        if position.cross != self.cross:
            return attend(q, k, v)
        return attend(q * self.query, k * self.key, v * self.value) * self.out


@dataclass(eq=False)
class RecordedAttention(UNetPatch):
    """Keeps how much the tokens of the middle block's self-attention are attended to.

    Attributes:
        seen: of each token, the sum over all queries of the mean over the heads, [B, tokens].
    """

    seen: list[Tensor] = field(default_factory=list[Tensor])

    def attention(
        self, attend: Attend, q: Tensor, k: Tensor, v: Tensor, position: BlockPosition
    ) -> Tensor:
        """As without it."""
        if not position.cross and position.part == "middle":
            queries, keys, _ = (
                split(position.module, x) for x in projections(position.module, q, k, v)
            )
            scores = (queries.float() @ keys.float().mT * position.module.scale).softmax(dim=-1)
            self.seen.append(scores.mean(dim=1).sum(dim=1))
        return attend(q, k, v)


@dataclass(frozen=True, eq=False)
class Hypernetwork(UNetPatch):
    """Small networks that change keys and values, by the width of the context.

    Attributes:
        networks: for each width those of the keys and of the values.
        strength: what their changes count.
    """

    networks: Mapping[int, tuple[torch.nn.Module, torch.nn.Module]]
    strength: float

    def attention(
        self, attend: Attend, q: Tensor, k: Tensor, v: Tensor, position: BlockPosition
    ) -> Tensor:
        """With changed keys and values where there is a network for their width."""
        if k.shape[-1] not in self.networks:
            return attend(q, k, v)
        changes = [network.to(k) for network in self.networks[k.shape[-1]]]
        return attend(q, k + changes[0](k) * self.strength, v + changes[1](v) * self.strength)


def _halvings(tokens: int, shape: tuple[int, int]) -> int:
    """How often the sides of the latents were halved where there are so many tokens."""
    return round(math.log(math.prod(shape) / tokens, 4))


def _sides(tokens: int, shape: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of tokens that stand for latents of a shape; None: they have none."""
    level = _halvings(tokens, shape)
    rows, columns = (-(-side // 2**level) for side in shape)
    return (rows, columns) if rows * columns == tokens else None
