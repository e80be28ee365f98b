"""Sounds at another sample rate, by a windowed sinc."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TAPS = 32  # zero crossings of the resampling filter on either side
_ROLLOFF = 0.95
_MOST_PHASES = 1000
"""Rates whose ratio has larger terms are resampled sample by sample: the kernels would not fit."""
_PIECE = 16_384


def resampled(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """The same sound at another rate, by a windowed sinc; float [channels, T] to [channels, T']."""
    if rate == wanted:
        return waveform
    common = math.gcd(rate, wanted)
    down, up = rate // common, wanted // common
    cutoff = _ROLLOFF * min(1.0, up / down)
    reach = math.ceil(_TAPS / cutoff)
    length = math.ceil(waveform.shape[1] * wanted / rate)
    if max(up, down) > _MOST_PHASES:
        return _sample_by_sample(waveform, length, down / up, cutoff, reach)
    offsets = torch.arange(-reach, reach + down + 1, dtype=torch.float64)
    phases = torch.arange(up, dtype=torch.float64) * down / up
    distance = (offsets[None] - phases[:, None]) * cutoff
    kernels = (_kernel(distance) * cutoff).float()
    padded = torch.nn.functional.pad(waveform, (reach, reach + down))
    answers = torch.nn.functional.conv1d(padded[:, None], kernels[:, None], stride=down)
    return answers.transpose(1, 2).reshape(waveform.shape[0], -1)[:, :length]


def _kernel(distance: Tensor) -> Tensor:
    """The filter, by the distance in its zero crossings."""
    window = torch.cos(distance.clamp(-_TAPS, _TAPS) * math.pi / _TAPS / 2) ** 2
    return torch.sinc(distance) * window


def _sample_by_sample(
    waveform: Tensor, length: int, step: float, cutoff: float, reach: int
) -> Tensor:
    padded = torch.nn.functional.pad(waveform, (reach, reach + 2))
    around = torch.arange(2 * reach + 1)
    pieces = list[Tensor]()
    for first in range(0, length, _PIECE):
        places = torch.arange(first, min(first + _PIECE, length), dtype=torch.float64) * step
        whole = places.floor().long().clamp(max=waveform.shape[1])
        distance = (whole[:, None] + around - reach - places[:, None]) * cutoff
        weights = (_kernel(distance) * cutoff).float()
        taken = padded[:, (whole[:, None] + around).clamp(max=padded.shape[1] - 1)]
        pieces.append((taken * weights).sum(-1))
    return torch.cat(pieces, dim=1)
