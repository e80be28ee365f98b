"""The numbers in blocks of GGUF files, decoded by torch on any device.

Each decoder takes blocks as bytes, [blocks, bytes of one], and gives their numbers in float32,
[blocks, numbers of one]. The layouts are those of ggml (MIT):
https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h. Scales are halves; numbers of four
bits lie in pairs, the lower half of a byte before the upper one half a block further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

SUB = 8
"""Groups with a scale of their own in a block of 256 of four or five bits."""


def _cut(data: Tensor, *sizes: int) -> tuple[Tensor, ...]:
    """The bytes of blocks in parts of these sizes; what is left over is the last."""
    return torch.split(data, [*sizes, data.shape[1] - sum(sizes)], dim=1)


def _half(data: Tensor) -> Tensor:
    """Two bytes of each block as a number."""
    return data.contiguous().view(torch.float16).float()


def _shifted(data: Tensor, shifts: list[int], mask: int) -> Tensor:
    """[blocks, shifts, bytes]: the bytes shifted by each, with only the bits of the mask."""
    by = torch.tensor(shifts, dtype=torch.uint8, device=data.device)[:, None]
    return (data[:, None] >> by) & mask


def _fours(data: Tensor) -> Tensor:
    """Numbers of four bits, of all lower halves and then of all upper ones."""
    return _shifted(data, [0, 4], 15).flatten(1)


def _fifth_bits(data: Tensor) -> Tensor:
    """One bit for each of 32 numbers, worth 16."""
    return _shifted(data, list(range(8)), 1).transpose(1, 2).flatten(1) << 4


def _q8_0(data: Tensor) -> Tensor:
    scale, numbers = _cut(data, 2)
    return _half(scale) * numbers.contiguous().view(torch.int8)


def _q4_0(data: Tensor) -> Tensor:
    scale, numbers = _cut(data, 2)
    return _half(scale) * _fours(numbers).view(torch.int8).sub_(8)


def _q4_1(data: Tensor) -> Tensor:
    scale, least, numbers = _cut(data, 2, 2)
    return _half(scale) * _fours(numbers) + _half(least)


def _q5_0(data: Tensor) -> Tensor:
    scale, fifth, numbers = _cut(data, 2, 4)
    return _half(scale) * (_fours(numbers) | _fifth_bits(fifth)).view(torch.int8).sub_(16)


def _q5_1(data: Tensor) -> Tensor:
    scale, least, fifth, numbers = _cut(data, 2, 2, 4)
    return _half(scale) * (_fours(numbers) | _fifth_bits(fifth)) + _half(least)


def _q2_k(data: Tensor) -> Tensor:
    scales, numbers, scale, least = _cut(data, 16, 64, 2)
    values = _shifted(numbers.reshape(-1, 32), [0, 2, 4, 6], 3).view(len(data), 16, 16)
    found = (_half(scale) * (scales & 15))[:, :, None] * values
    return (found - (_half(least) * (scales >> 4))[:, :, None]).flatten(1)


def _q3_k(data: Tensor) -> Tensor:
    high, low, scales, scale = _cut(data, 32, 64, 12)
    lows = _shifted(scales[:, :8], [0, 4], 15).flatten(1)
    highs = _shifted(scales[:, 8:], [0, 2, 4, 6], 3).flatten(1)
    factor = _half(scale) * ((lows | (highs << 4)).float() - 32)
    values = _shifted(low.reshape(-1, 32), [0, 2, 4, 6], 3).view(len(data), 16, 16)
    values |= (_shifted(high, list(range(8)), 1) << 2).view(len(data), 16, 16)
    return (factor[:, :, None] * values.view(torch.int8).sub_(4)).flatten(1)


def _scales_and_leasts(data: Tensor) -> tuple[Tensor, Tensor]:
    """Of eight groups, six bits each in twelve bytes: their scales, and their least values."""
    first, second, both = _cut(data, 4, 4)
    scales = torch.cat([first & 63, (both & 15) | ((first >> 2) & 48)], dim=1)
    leasts = torch.cat([second & 63, (both >> 4) | ((second >> 2) & 48)], dim=1)
    return scales, leasts


def _grouped(scale: Tensor, least: Tensor, groups: Tensor, values: Tensor) -> Tensor:
    """Values [blocks, 8, 32] with the scales and least values of their groups."""
    scales, leasts = _scales_and_leasts(groups)
    found = (_half(scale) * scales)[:, :, None] * values
    return (found - (_half(least) * leasts)[:, :, None]).flatten(1)


def _q4_k(data: Tensor) -> Tensor:
    scale, least, groups, numbers = _cut(data, 2, 2, 12)
    values = _shifted(numbers.reshape(-1, 32), [0, 4], 15).view(len(data), SUB, 32)
    return _grouped(scale, least, groups, values)


def _q5_k(data: Tensor) -> Tensor:
    scale, least, groups, fifth, numbers = _cut(data, 2, 2, 12, 32)
    values = _shifted(numbers.reshape(-1, 32), [0, 4], 15).view(len(data), SUB, 32)
    return _grouped(scale, least, groups, values | (_shifted(fifth, list(range(SUB)), 1) << 4))


def _q6_k(data: Tensor) -> Tensor:
    low, high, scales, scale = _cut(data, 128, 64, 16)
    lows = _shifted(low.reshape(-1, 64), [0, 4], 15).view(len(data), SUB, 32)
    highs = _shifted(high.reshape(-1, 32), [0, 2, 4, 6], 3).view(len(data), SUB, 32)
    values = (lows | (highs << 4)).view(len(data), 16, 16).view(torch.int8).sub_(32)
    factor = _half(scale) * scales.contiguous().view(torch.int8)
    return (factor[:, :, None] * values).flatten(1)


DEQUANTIZERS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "Q2_K": _q2_k,
    "Q3_K": _q3_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}
