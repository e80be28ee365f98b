"""Weights that are stored in few bits, in memory: what they are and their values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Self

import torch
from torch import Tensor

from nodes.models.files import gguf_blocks
from nodes.models.files.gguf import BLOCK_SIZES
from nodes.models.files.quantization import Quantization


@dataclass(frozen=True, eq=False)
class QuantizedTensor(ABC):
    """A weight in few bits.

    Attributes:
        shape: that it has for its network.
        data: the numbers as they are stored.
    """

    shape: tuple[int, ...]
    data: Tensor = field(repr=False)

    @abstractmethod
    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """The weight in an ordinary format, of its shape; scaled in float32."""

    @abstractmethod
    def rows(self, start: int, count: int) -> QuantizedTensor | None:
        """Some rows of it, sharing memory; None where they are not stored apart from others."""

    @abstractmethod
    def on(self, device: str) -> Self:
        """A copy of it on a device."""

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return sum(v.nbytes for v in vars(self).values() if isinstance(v, Tensor))

    @property
    def _row(self) -> int:
        """How many numbers a row has."""
        return prod(self.shape[1:])


@dataclass(frozen=True, eq=False)
class ScaledTensor(QuantizedTensor):
    """Eight bits, fp8 or whole numbers, and a scale: of all, of each row, or of each block.

    Attributes:
        scale: float32; None: the numbers are the weight.
    """

    scale: Tensor | None = field(default=None, repr=False)

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """Each number times its scale."""
        if self.scale is None:
            return _numbers(self.data, dtype).view(self.shape)
        wide = _numbers(self.data, torch.float32)
        if self.scale.numel() == (1 if self.scale.dim() == 0 else self.scale.shape[0]):
            wide.mul_(self.scale.reshape(-1, *[1] * (wide.dim() - 1)))
        else:
            high, across = self.scale.shape
            cut = wide.view(high, wide.shape[0] // high, across, wide.shape[1] // across)
            cut.mul_(self.scale[:, None, :, None])
        return wide.view(self.shape).to(dtype)

    def rows(self, start: int, count: int) -> ScaledTensor | None:
        """Some rows, with their scales."""
        shape, data = (count, *self.shape[1:]), self.data[start : start + count]
        if self.scale is None or self.scale.numel() == 1:
            return ScaledTensor(shape, data, self.scale)
        size = self.shape[0] // self.scale.shape[0]
        if start % size or count % size:
            return None
        return ScaledTensor(shape, data, self.scale[start // size : (start + count) // size])

    def on(self, device: str) -> ScaledTensor:
        """A copy of it on a device."""
        scale = None if self.scale is None else self.scale.to(device, copy=True)
        return replace(self, data=self.data.to(device, copy=True), scale=scale)


@dataclass(frozen=True, eq=False)
class CodebookTensor(QuantizedTensor):
    """Four bits, which are places in a table of values in -1..1, and the largest of each block.

    Attributes:
        absmax: of each block, float32.
        table: sixteen values, float32.
        blocksize: how many numbers a block has.
    """

    absmax: Tensor = field(repr=False)
    table: Tensor = field(repr=False)
    blocksize: int

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """The values of the table, times the largest of their block."""
        # Both values of each byte at once, which is four times as fast as one after the other.
        pairs = torch.stack([self.table.repeat_interleave(16), self.table.repeat(16)], dim=1)
        values = pairs.index_select(0, self.data.flatten().to(torch.int32)).flatten()
        whole = len(values) // self.blocksize * self.blocksize
        values[:whole].view(-1, self.blocksize).mul_(self.absmax[: whole // self.blocksize, None])
        values[whole:].mul_(self.absmax[-1])
        return values[: prod(self.shape)].view(self.shape).to(dtype)

    def rows(self, start: int, count: int) -> CodebookTensor | None:
        """Some rows, if blocks begin with the first and end with the last."""
        first, last = start * self._row, (start + count) * self._row
        if first % self.blocksize or last % self.blocksize or first % 2 or last % 2:
            return None
        flat, size = self.data.flatten(), self.blocksize
        return replace(
            self,
            shape=(count, *self.shape[1:]),
            data=flat[first // 2 : last // 2],
            absmax=self.absmax[first // size : last // size],
        )

    def on(self, device: str) -> CodebookTensor:
        """A copy of it on a device."""
        data, absmax, table = (
            tensor.to(device, copy=True) for tensor in (self.data, self.absmax, self.table)
        )
        return replace(self, data=data, absmax=absmax, table=table)


@dataclass(frozen=True, eq=False)
class GgufTensor(QuantizedTensor):
    """Blocks of a GGUF file, as bytes.

    Attributes:
        format: "Q8_0", "Q4_K", ...
    """

    format: str

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """What the blocks hold."""
        _, nbytes = BLOCK_SIZES[self.format]
        found = gguf_blocks.DEQUANTIZERS[self.format](self.data.view(-1, nbytes))
        return found.reshape(self.shape).to(dtype)

    def rows(self, start: int, count: int) -> GgufTensor | None:
        """Some rows, if blocks begin with the first and end with the last."""
        size, nbytes = BLOCK_SIZES[self.format]
        first, last = start * self._row, (start + count) * self._row
        if first % size or last % size:
            return None
        data = self.data[first // size * nbytes : last // size * nbytes]
        return replace(self, shape=(count, *self.shape[1:]), data=data)

    def on(self, device: str) -> GgufTensor:
        """A copy of it on a device."""
        return replace(self, data=self.data.to(device, copy=True))


def _numbers(data: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy of some numbers in a wider format."""
    if data.dtype is not torch.float8_e4m3fn or data.device.type != "cpu":
        return data.to(dtype, copy=True).contiguous()
    # torch converts these on CPUs number by number; looked up it takes less than half the time.
    values = torch.arange(256, dtype=torch.uint8).view(data.dtype).to(dtype)
    places = data.contiguous().view(torch.uint8).flatten().to(torch.int32)
    return values.index_select(0, places).view(data.shape)


def quantized(quantization: Quantization, tensors: Mapping[str, Tensor]) -> QuantizedTensor:
    """A weight of a file, of its tensors by what they are in it."""
    shape, data = quantization.shape, tensors["data"]
    if quantization.kind == "blocks":
        return GgufTensor(shape, data, quantization.format)
    if quantization.kind == "scaled":
        scale = tensors.get("scale")
        if scale is not None:
            scale = scale.to(torch.float32) / quantization.facts.get("divisor", 1.0)
        return ScaledTensor(shape, data, scale)
    absmax = tensors["absmax"]
    if "nested" in tensors:
        size, table = int(quantization.facts["nested_blocksize"]), tensors["nested_table"].float()
        scales = tensors["nested"].float().flatten().repeat_interleave(size)[: absmax.numel()]
        absmax = table[absmax.flatten().to(torch.int32)] * scales + quantization.facts["offset"]
    return CodebookTensor(
        shape,
        data,
        absmax.flatten().to(torch.float32),
        tensors["table"].flatten().to(torch.float32),
        int(quantization.facts["blocksize"]),
    )


def rounded(weight: Tensor, dtype: torch.dtype) -> ScaledTensor:
    """A weight rounded to eight bits, without a scale; what is too large becomes the largest."""
    limit = torch.finfo(dtype).max
    return ScaledTensor(tuple(weight.shape), weight.clamp(-limit, limit).to(dtype))
