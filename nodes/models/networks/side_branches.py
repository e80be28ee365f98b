"""Side branches: low-rank changes computed beside a layer whose weight stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from nodes.models.networks.changes import Change, LowRank


@runtime_checkable
class Dequantized(Protocol):
    """A layer whose weight is stored in few bits, so that its numbers mean something else."""

    def dequantized(self) -> Tensor:
        """The weight in a floating point format, in the shape of an ordinary layer's."""
        ...


class SideBranch:
    """A forward hook that adds to a layer's output what changes of its weight would.

    Changes of low rank cost two thin products at each call and no copy of the weight; with any
    other among them, the whole difference is computed at once and kept.

    Args:
        layer: linear, or a convolution of two dimensions.
        changes: of its weight, one after another.

    Raises:
        ModelFileError: a change is for a weight of another shape.
    """

    def __init__(self, layer: nn.Module, changes: Sequence[Change]) -> None:
        low_ranks = [
            (change, change.apply) for change in changes if isinstance(change.apply, LowRank)
        ]
        self._chains: list[tuple[Tensor, ...]]
        if len(low_ranks) == len(changes):
            shape = _shape(layer)
            for change, low_rank in low_ranks:
                change.check(low_rank, shape)
            self._chains = [_thin(low_rank, shape) for _, low_rank in low_ranks]
            return
        before = _value(layer).to(torch.float32)
        after = before.clone()
        for change in changes:
            change(after)
        self._chains = [(after - before,)]

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """The layer's output plus the branch's."""
        x = inputs[0]
        first = self._chains[0][0]
        if (first.dtype, first.device) != (x.dtype, x.device):
            self._chains = [tuple(weight.to(x) for weight in chain) for chain in self._chains]
        for chain in self._chains:
            output = output + _answer(layer, x, chain)
        return output


def _thin(low_rank: LowRank, shape: Sequence[int]) -> tuple[Tensor, ...]:
    """The two weights of a low rank, one behind the other."""
    up = low_rank.up.flatten(1) * low_rank.factor
    down = low_rank.down.reshape(-1, *shape[1:])
    return down, up.view(*up.shape, *[1] * (len(shape) - 2))


def _answer(layer: Any, x: Tensor, chain: Sequence[Tensor]) -> Tensor:
    """Output of layers with these weights; the first is called as `layer` is."""
    if chain[0].dim() == 2:
        for weight in chain:
            x = functional.linear(x, weight)
        return x
    x = functional.conv2d(x, chain[0], None, layer.stride, layer.padding, layer.dilation)
    for weight in chain[1:]:
        x = functional.conv2d(x, weight)
    return x


def _value(layer: Any) -> Tensor:
    """The weight of a layer as numbers."""
    return layer.dequantized() if isinstance(layer, Dequantized) else layer.weight


def _shape(layer: Any) -> Sequence[int]:
    """The shape that the weight of a layer has where it is not quantized."""
    if hasattr(layer, "out_features"):
        return (layer.out_features, layer.in_features)
    if hasattr(layer, "quantized"):
        return layer.quantized.shape
    return layer.weight.shape
