"""From a latent and a seed to a denoised latent, step by step."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nodes.models.networks.denoiser import Denoiser
from nodes.models.sampling.brownian import Brownian
from nodes.models.sampling.evaluation import StepRequest, evaluate
from nodes.models.sampling.guiders import Guider
from nodes.models.sampling.noise import StepNoise, initial_noise
from nodes.models.sampling.samplers import BROWNIAN, Noise, Sampler, SamplerSteps

OTHER_NOISE = frozenset({"ddim"})
"""Samplers that keep what is outside of a mask under the noise of the next seed."""


ALMOST_THERE = 1.0002
"""A sigma that is so little below one of the schedule counts as that: flows begin a bit below 1."""
INTERPOLATION = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""Of masks, by how many axes latents have beside rows and channels."""


class Finished(NamedTuple):
    """Latents at the end, and the denoised ones of the last step; float32 on the CPU."""

    latents: Tensor
    denoised: Tensor


def denoise(
    guider: Guider,
    latents: Tensor,
    *,
    sampler: str | Sampler,
    sigmas: Tensor,
    seed: int,
    batch_index: Sequence[int] | None = None,
    mask: Tensor | None = None,
    noisy: bool = True,
) -> Generator[StepRequest, Tensor, Finished]:
    """Put noise of level ``sigmas[0]`` on the latents and sample down the sigmas.

    A generator: send it the denoised latents for each `StepRequest` (see `evaluation.evaluate` and
    `completed`); it returns latents in the unit they came in.

    Args:
        guider: the model, which must be bound, and the texts.
        latents: float32 [B, C, H, W]; zeros, of any kind of model, for a picture from nothing.
        sampler: a name in `SAMPLERS`, or a `Sampler`.
        sigmas: falling levels (see `schedules.sigmas`); fewer than two leave the latents alone.
        seed: of the noise.
        batch_index: which pictures of a bigger batch these are.
        mask: 1 where to denoise, 0 where to keep, [B or 1, H, W] of any size.
        noisy: False puts no noise on: it is on them already.
    """
    model = guider.model
    latents = model.start(latents)
    if len(sigmas) < 2:
        return Finished(latents, latents)
    device = model.network.device
    noise = initial_noise(latents, seed, batch_index) if noisy else torch.zeros_like(latents)
    noise = noise.to(device)
    clean = model.latent.process_in(latents.float().to(device))
    chosen = Sampler(sampler) if isinstance(sampler, str) else sampler
    fresh = _fresh(chosen, noise, sigmas, seed)
    start = model.space.noised(clean, noise, sigmas[0], first=True)
    steps = chosen.steps(start, sigmas, fresh, model.space)
    if chosen.name in OTHER_NOISE:
        noise = initial_noise(latents, seed + 1, batch_index).to(device)
    keep = None if mask is None else _Keep(clean, noise, fitted_mask(mask, clean), model, sigmas)
    guider = guider.starting(clean, None if keep is None else keep.mask, seed)
    end, last = yield from _run(guider, steps, sigmas, keep, cfg_pp=chosen.cfg_pp)
    end = model.space.finished(end, sigmas[-1])
    return Finished(model.latent.process_out(end).cpu(), model.latent.process_out(last).cpu())


def noised(
    model: Denoiser,
    latents: Tensor,
    seed: int | None,
    batch_index: Sequence[int] | None,
    level: float,
) -> Tensor:
    """Latents with noise of a level on, in the unit they came in; without a seed as they are."""
    latents = model.start(latents)
    if seed is None:
        return latents
    noise = initial_noise(latents, seed, batch_index)
    clean = model.latent.process_in(latents)
    return model.latent.process_out(model.space.noised(clean, noise, torch.tensor(level)))


def completed(steps: Generator[StepRequest, Tensor, Finished]) -> Tensor:
    """The latents of `denoise` with each of its requests evaluated at once and alone."""
    try:
        request = next(steps)
        while True:
            request = steps.send(evaluate([request])[0])
    except StopIteration as end:
        return end.value.latents


@dataclass(frozen=True, eq=False)
class _Keep:
    """Holds the latents outside a mask where they were."""

    clean: Tensor
    noise: Tensor
    mask: Tensor
    model: Denoiser
    sigmas: Tensor

    def of(self, x: Tensor) -> _Keep:
        """The same for latents of another size."""
        if x.shape[2:] == self.clean.shape[2:]:
            return self
        size, mode = x.shape[2:], INTERPOLATION[x.ndim - 2]
        clean, mask = (interpolate(each, size=size, mode=mode) for each in (self.clean, self.mask))
        noise = interpolate(self.noise, size=size, mode="nearest-exact")
        return replace(self, clean=clean, noise=noise, mask=mask)

    def before(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`x` inside, the clean latents outside, with as much noise unless the model wants none."""
        mask = self._mask(sigma)
        if self.model.family.keeps_clean:
            return x * mask + self.clean * (1 - mask)
        return x * mask + self.model.space.noised(self.clean, self.noise, sigma) * (1 - mask)

    def after(self, denoised: Tensor, sigma: Tensor) -> Tensor:
        """The denoised latents inside, the clean latents outside."""
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
        space = self.model.space
        last = self.sigmas[-1].maximum(space.table[0])
        start, end, now = (float(space.timestep(s)) for s in (self.sigmas[0], last, sigma))
        inside = (self.mask >= (now - end) / max(1.0, start - end)).to(self.mask)
        return strength * inside + (1 - strength) * self.mask


def _fresh(sampler: Sampler, noise: Tensor, sigmas: Tensor, seed: int) -> Noise:
    """What a sampler puts on between two levels."""
    if sampler.name not in BROWNIAN:
        return StepNoise(noise, seed)
    return Brownian(noise, seed, float(sigmas[sigmas > 0].min()), float(sigmas.max()))


def _run(
    guider: Guider,
    steps: SamplerSteps,
    sigmas: Tensor,
    keep: _Keep | None,
    *,
    cfg_pp: bool,
) -> Generator[StepRequest, Tensor, tuple[Tensor, Tensor]]:
    """Pass the sampler's model calls on as step requests, and the results back.

    Beside the latents it returns the denoised ones of the last step's first call.
    """
    total = len(sigmas) - 1
    guider = guider.with_uncond() if cfg_pp else guider
    call = next(steps)
    denoised = None
    while True:
        x, sigma = call.x, call.sigma
        index = min(int((sigmas > sigma * ALMOST_THERE).sum()), total - 1)
        outside = None if keep is None else keep.of(x)
        if outside is not None:
            x = outside.before(x, sigma)
        result = yield StepRequest(guider, x, sigma, index, total, denoised)
        if outside is not None and cfg_pp:
            result = torch.stack([outside.after(result[0], sigma), result[1]])
        elif outside is not None:
            result = outside.after(result, sigma)
        if denoised is None or not call.inner:
            denoised = result[0] if cfg_pp else result
        try:
            call = steps.send(result)
        except StopIteration as end:
            return end.value, denoised


def fitted_mask(mask: Tensor, latents: Tensor) -> Tensor:
    """The mask at the latents' size, [B, 1, ...], as many as latents; of a video one a frame."""
    sides = latents.shape[2:]
    if len(sides) == 3 and mask.ndim < 5:
        whole = mask.reshape(1, 1, -1, *mask.shape[-2:])
    else:
        whole = mask.reshape(-1, 1, *mask.shape[-len(sides) :])
    small = interpolate(
        whole.float().to(latents.device), size=sides, mode=INTERPOLATION[len(sides)]
    )
    repeats = -(-len(latents) // len(small))
    return torch.cat([small] * repeats)[: len(latents)]
