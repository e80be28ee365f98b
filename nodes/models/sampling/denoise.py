"""From a latent and a seed to a denoised latent, step by step."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nodes.models.networks.unet import Model
from nodes.models.sampling.brownian import Brownian
from nodes.models.sampling.guidance import Guide, Request, answer
from nodes.models.sampling.noise import initial_noise, step_noise
from nodes.models.sampling.samplers import BROWNIAN, UNGUIDED, Noise, Sampling, Way

OTHER_NOISE = frozenset({"ddim"})
"""Samplers that keep what is outside of a mask under the noise of the next seed."""


@dataclass(frozen=True, eq=False)
class Turn:
    """A pause: `index` of `total` steps are done, and `request` wants an answer.

    `denoised` is the last answer, in the unit of the network, None before the first.
    """

    index: int
    total: int
    request: Request
    denoised: Tensor | None


class Finished(NamedTuple):
    """Where a walk ended, and the last answer on the way; float32 on the CPU."""

    latents: Tensor
    denoised: Tensor


def denoise(
    guide: Guide,
    latents: Tensor,
    *,
    sampler: str | Way,
    sigmas: Tensor,
    seed: int,
    batch_index: Sequence[int] | None = None,
    mask: Tensor | None = None,
    noisy: bool = True,
) -> Generator[Turn, Tensor, Finished]:
    """Put noise of level ``sigmas[0]`` on the latents and walk down the levels.

    A generator: send it the answer to each `Turn` (see `guidance.answer` and `completed`); it
    returns latents in the unit they came in.

    Args:
        guide: the model, which must be bound, and the texts.
        latents: float32 [B, C, H, W]; zeros, of any kind of model, for a picture from nothing.
        sampler: a name in `SAMPLERS`, or a `Way`.
        sigmas: falling levels (see `schedules.sigmas`); fewer than two leave the latents alone.
        seed: of the noise.
        batch_index: which pictures of a bigger batch these are.
        mask: 1 where to denoise, 0 where to keep, [B or 1, H, W] of any size.
        noisy: False puts no noise on: it is on them already.
    """
    model = guide.model
    latents = model.start(latents)
    if len(sigmas) < 2:
        return Finished(latents, latents)
    device = model.network.device
    noise = initial_noise(latents, seed, batch_index) if noisy else torch.zeros_like(latents)
    noise = noise.to(device)
    clean = latents.float().to(device) * model.latent_scale
    strength = (1 + sigmas[0] ** 2).sqrt() if model.levels.is_largest(sigmas[0]) else sigmas[0]
    way = Way(sampler) if isinstance(sampler, str) else sampler
    fresh = _fresh(way, noise, sigmas, seed)
    steps = way.steps(noise * strength + clean, sigmas, fresh, model.levels)
    if way.name in OTHER_NOISE:
        noise = initial_noise(latents, seed + 1, batch_index).to(device)
    keep = None if mask is None else _Keep(clean, noise, _fitted(mask, clean), model, sigmas)
    end, last = yield from _walk(guide, steps, sigmas, keep, unguided=way.name in UNGUIDED)
    return Finished((end / model.latent_scale).cpu(), (last / model.latent_scale).cpu())


def noised(
    model: Model, latents: Tensor, seed: int | None, batch_index: Sequence[int] | None, level: float
) -> Tensor:
    """Latents with noise of a level on, in the unit they came in; without a seed as they are."""
    latents = model.start(latents)
    if seed is None:
        return latents
    noise = initial_noise(latents, seed, batch_index)
    return latents + noise * level / model.latent_scale


def completed(turns: Generator[Turn, Tensor, Finished]) -> Tensor:
    """The latents of `denoise` when each of its turns is answered at once and alone."""
    try:
        turn = next(turns)
        while True:
            turn = turns.send(answer([turn.request])[0])
    except StopIteration as end:
        return end.value.latents


@dataclass(frozen=True, eq=False)
class _Keep:
    """Holds the latents outside a mask where they were."""

    clean: Tensor
    noise: Tensor
    mask: Tensor
    model: Model
    sigmas: Tensor

    def before(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`x` inside, the clean latents with as much noise outside."""
        mask = self._mask(sigma)
        return x * mask + (self.clean + self.noise * sigma) * (1 - mask)

    def after(self, denoised: Tensor, sigma: Tensor) -> Tensor:
        """The answer inside, the clean latents outside."""
        mask = self._mask(sigma)
        return denoised * mask + self.clean * (1 - mask)

    def _mask(self, sigma: Tensor) -> Tensor:
        """The mask at a level: with a differential model, what is inside by now.

        Levin & Fried 2023, https://arxiv.org/abs/2306.00950: a place begins to change when as
        much of the steps is left as its value says.
        """
        strength = self.model.differential
        if strength == 0:
            return self.mask
        levels = self.model.levels
        last = self.sigmas[-1].maximum(levels.table[0])
        start, end, now = (float(levels.timestep(s)) for s in (self.sigmas[0], last, sigma))
        inside = (self.mask >= (now - end) / max(1.0, start - end)).to(self.mask)
        return strength * inside + (1 - strength) * self.mask


def _fresh(way: Way, noise: Tensor, sigmas: Tensor, seed: int) -> Noise:
    """What a sampler puts on between two levels."""
    if way.name not in BROWNIAN:
        return step_noise(noise, seed)
    return Brownian(noise, seed, float(sigmas[sigmas > 0].min()), float(sigmas.max()))


def _walk(
    guide: Guide, steps: Sampling, sigmas: Tensor, keep: _Keep | None, *, unguided: bool
) -> Generator[Turn, Tensor, tuple[Tensor, Tensor]]:
    """Pass the sampler's questions on, and the answers back."""
    total = len(sigmas) - 1
    asked = guide.with_unguided() if unguided else guide
    question = next(steps)
    denoised = None
    while True:
        x, sigma = question.x, question.sigma
        index = int((sigmas > sigma).sum())
        if keep is not None:
            x = keep.before(x, sigma)
        told = yield Turn(index, total, Request(asked, x, sigma), denoised)
        if keep is not None:
            told = keep.after(told, sigma)
        denoised = told[0] if unguided else told
        try:
            question = steps.send(told)
        except StopIteration as end:
            return end.value, denoised


def _fitted(mask: Tensor, latents: Tensor) -> Tensor:
    """The mask at the latents' size, one for each of them, [B, 1, h, w]."""
    flat = mask.float().reshape(-1, 1, *mask.shape[-2:]).to(latents.device)
    small = interpolate(flat, size=latents.shape[-2:], mode="bilinear")
    repeats = -(-len(latents) // len(small))
    return torch.cat([small] * repeats)[: len(latents)]
