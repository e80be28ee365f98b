"""Noise as one path: the same between two levels, however many steps lie between them.

The path of torchsde's BrownianTree (https://github.com/google-research/torchsde, Apache-2.0, Li et
al. 2020, https://arxiv.org/abs/2001.01328), number for number: the way is halved until the moment
that was asked for is an end, each half drawn from a seed of its own.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

DIGITS = 6  # of a moment
POOL = 24
KEPT_NODES = 45  # of the tree, as torchsde keeps
KEPT_BYTES = 256 << 20


class Brownian:
    """A path from one level to another, drawn on the CPU.

    Args:
        like: gives the shape, and where the noise is wanted.
        seed: 0..2**64 - 1.
        low: the lowest level.
        high: the highest.
    """

    def __init__(self, like: Tensor, seed: int, low: float, high: float) -> None:
        self._like, self._seed = like, seed
        self._low, self._high = round(low, DIGITS), round(high, DIGITS)
        self._known: dict[float, Tensor] = {}
        self._nodes: OrderedDict[tuple[int, int], Tensor] = OrderedDict()
        self._kept = min(KEPT_NODES, KEPT_BYTES // (8 * max(1, like.numel())))

    def __call__(self, sigma: Tensor, to: Tensor) -> Tensor:
        """Noise of variance 1 for the way between two levels, in either direction."""
        start, end = float(sigma), float(to)
        self._known = {moment: self._at(moment) for moment in (start, end)}
        way = (self._known[end] - self._known[start]) / math.sqrt(abs(end - start))
        return way.to(self._like)

    def _at(self, level: float) -> Tensor:
        """Where the path is at a level, float64; it starts from 0 at the lowest."""
        if level in self._known:
            return self._known[level]
        moment = min(max(round(level, DIGITS), self._low), self._high)
        start, end = self._low, self._high
        whole = self._whole
        here = torch.zeros_like(whole)
        key, depth = 0, 0
        while start < moment < end:
            middle = round((start + end) / 2, DIGITS)
            half = self._half((key, depth), whole, middle - start, end - middle)
            key, depth = 2 * key, depth + 1
            if moment < middle:
                end, whole = middle, half
            else:
                start, here, whole, key = middle, here + half, whole - half, key + 1
        return here if moment == start else here + whole

    @cached_property
    def _whole(self) -> Tensor:
        """From the lowest level to the highest."""
        return self._drawn(None) * math.sqrt(self._high - self._low)

    def _half(self, node: tuple[int, int], whole: Tensor, left: float, right: float) -> Tensor:
        """How far the path of a node goes in its left part; the most recently used are kept."""
        if node in self._nodes:
            self._nodes.move_to_end(node)
            return self._nodes[node]
        half = whole * (left / (left + right))
        half += self._drawn(node) * math.sqrt(left * right / (left + right))
        self._nodes[node] = half
        if len(self._nodes) > self._kept:
            self._nodes.popitem(last=False)
        return half

    def _drawn(self, place: tuple[int, int] | None) -> Tensor:
        """The random numbers of a place in the tree, or of the whole way."""
        sequence = np.random.SeedSequence(self._seed, spawn_key=place or (), pool_size=POOL)
        generator = torch.Generator().manual_seed(int(sequence.generate_state(1)[0]))
        return torch.randn(self._like.shape, generator=generator).double()
