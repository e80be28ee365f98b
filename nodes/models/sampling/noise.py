"""Random numbers of pictures: always drawn on the CPU, so that a seed means the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseSource:
    """The noise that sampling starts from, by its seed; None: no noise."""

    seed: int | None


def initial_noise(like: Tensor, seed: int, batch_index: Sequence[int] | None = None) -> Tensor:
    """Noise for a whole batch of latents, float32 on the CPU.

    Args:
        like: gives the shape, [B, C, H, W].
        seed: 0..2**64 - 1.
        batch_index: which pictures of a bigger batch these are; each gets the noise it has there.
    """
    generator = _generator(seed)
    if batch_index is None:
        return torch.randn(like.shape, generator=generator)
    single = (1, *like.shape[1:])
    drawn = [torch.randn(single, generator=generator) for _ in range(max(batch_index) + 1)]
    return torch.cat([drawn[index] for index in batch_index])


class StepNoise:
    """Fresh noise for the way between any two levels, where and as `like` is.

    Its generator starts from the same seed as the initial noise, so the first draw equals it.
    """

    def __init__(self, like: Tensor, seed: int) -> None:
        self._shape, self._device = like.shape, like.device
        self._generator = _generator(seed)

    def __call__(self, sigma: Tensor, to: Tensor) -> Tensor:
        """Noise of that shape."""
        return self.of(self._shape)

    def of(self, shape: Sequence[int]) -> Tensor:
        """Noise of another shape, for latents that grow on the way."""
        return torch.randn(tuple(shape), generator=self._generator).to(self._device)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)
