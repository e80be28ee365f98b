"""How two answers, to what is wanted and to what is not, become one.

Each rule is of one paper. All of them speak of denoised latents; the noise that a model found is
what lies between those and the latent that it was asked about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

fourier: Any = torch.fft  # has no types


@dataclass(frozen=True, eq=False)
class Point:
    """What a model answered at one place of a walk.

    Attributes:
        x: the latents, [B, C, H, W].
        sigma: their level of noise.
        wanted: denoised towards what is wanted.
        unwanted: denoised towards what is not.
        scale: how strongly the first is preferred.
    """

    x: Tensor
    sigma: Tensor
    wanted: Tensor
    unwanted: Tensor
    scale: float | Tensor


Rule: TypeAlias = Callable[[Point], Tensor]
After: TypeAlias = Callable[[Point, Tensor], Tensor]


def plain(point: Point) -> Tensor:
    """Ho & Salimans 2022, https://arxiv.org/abs/2207.12598."""
    return point.unwanted + (point.wanted - point.unwanted) * point.scale


@dataclass(frozen=True)
class Guiding:
    """The rules that a model wears.

    Attributes:
        overrides: scales in place of the one that was asked for, between two levels.
        before: changes of the answers.
        rule: makes one of them.
        after: changes of that.
    """

    overrides: tuple[tuple[float, float, float], ...] = ()
    before: tuple[Callable[[Point], Point], ...] = ()
    rule: Rule = plain
    after: tuple[After, ...] = ()

    def scale(self, sigma: Tensor, asked: float) -> float:
        """How strong guidance is at a level."""
        for start, end, scale in reversed(self.overrides):
            if end <= float(sigma) <= start:
                return scale
        return asked

    def guided(self, point: Point) -> Tensor:
        """One answer of two."""
        for change in self.before:
            point = change(point)
        return self.ended(point, self.rule(point))

    def ended(self, point: Point, answer: Tensor) -> Tensor:
        """The answer as the last rules leave it."""
        for change in self.after:
            answer = change(point, answer)
        return answer


def perpendicular(point: Point, empty: Tensor, strength: float) -> Tensor:
    """Only what the unwanted has beside the wanted; Armandpour et al. 2023.

    https://arxiv.org/abs/2304.04968; both are seen from the answer to no text.
    """
    wanted, unwanted = point.wanted - empty, point.unwanted - empty
    along = (unwanted * wanted).sum() / (wanted**2).sum().clamp(min=1e-12)
    return empty + point.scale * (wanted - strength * (unwanted - along * wanted))


def rescaled(share: float) -> Rule:
    """As much spread as the answer to what is wanted has; Lin et al. 2023, equations 14 to 16.

    https://arxiv.org/abs/2305.08891; on velocities, `share` of it mixed with the plain answer.
    """

    def rule(point: Point) -> Tensor:
        grown = (point.sigma**2 + 1).sqrt()

        def velocity(denoised: Tensor) -> Tensor:
            return (point.x / grown**2 - denoised) * grown / point.sigma

        guided = velocity(plain(point))
        spread = _spread(velocity(point.wanted)) / _spread(guided)
        mixed = guided * (share * spread + 1 - share)
        return point.x / grown**2 - mixed * point.sigma / grown

    return rule


def _spread(latents: Tensor) -> Tensor:
    return latents.std(dim=(1, 2, 3), keepdim=True)


def zero_star(point: Point) -> Tensor:
    """The unwanted first scaled to the wanted; Fan et al. 2025, https://arxiv.org/abs/2503.18886."""
    wanted, unwanted = point.x - point.wanted, point.x - point.unwanted
    dims = (1, 2, 3)
    along = (wanted * unwanted).sum(dims, keepdim=True) / (unwanted**2).sum(dims, keepdim=True)
    unwanted = unwanted * along.nan_to_num()
    return point.x - (unwanted + (wanted - unwanted) * point.scale)


def of_equal_length(strength: float, *, before: bool) -> tuple[Rule, tuple[After, ...]]:
    """Guidance that makes no place brighter: at most as long, over the channels, as the wanted.

    Args:
        strength: how much of it.
        before: on the noise, longer or shorter, in place of the plain rule.
    """

    def rule(point: Point) -> Tensor:
        guided, wanted = point.x - plain(point), point.x - point.wanted
        length = _length(guided)
        ratio = torch.where(length > 0, _length(wanted) / length, 1.0)
        return point.x - guided * (strength * ratio + 1 - strength)

    def after(point: Point, answer: Tensor) -> Tensor:
        length = _length(answer) + 1e-8
        return answer * (_length(point.wanted) / length).clamp(max=1) * strength

    return (rule, ()) if before else (plain, (after,))


def _length(latents: Tensor) -> Tensor:
    return (latents**2).sum(dim=1, keepdim=True).sqrt()


def by_frequency(low: float, high: float, cutoff: int) -> Callable[[Point], Point]:
    """Coarse and fine differences by scales of their own; Huang et al. 2025.

    https://arxiv.org/abs/2504.02154; coarse are `cutoff` frequencies to either side of none.
    """

    def change(point: Point) -> Point:
        waves = fourier.fftshift(fourier.fft2((point.wanted - point.unwanted).float()), (-2, -1))
        scale = torch.full(waves.shape[-2:], high, device=waves.device)
        places = [
            slice(max(0, side // 2 - cutoff), side // 2 + cutoff) for side in waves.shape[-2:]
        ]
        scale[places[0], places[1]] = low
        turned = fourier.ifft2(fourier.ifftshift(waves * scale, (-2, -1))).real
        return replace(point, wanted=point.unwanted + turned.to(point.wanted))

    return change


def along_the_batch(least: float, *, there_and_back: bool) -> Rule:
    """Guidance that grows over the pictures of a film, from `least` on; or grows and falls."""

    def rule(point: Point) -> Tensor:
        way = torch.linspace(0, 1, len(point.x)).view(-1, 1, 1, 1).to(point.x)
        if there_and_back:
            way = 1 - (2 * way - 1).abs()
        return plain(replace(point, scale=least + way * (point.scale - least)))

    return rule


def rescored(share: float, spread: float) -> After:
    """Temporal score rescaling: less noise (`share` below 1) or more, the later the more so."""

    def after(point: Point, answer: Tensor) -> Tensor:
        signal = (spread / point.sigma) ** 2
        return point.x + (signal + 1) / (signal / share + 1) * (answer - point.x)

    return after


def with_less_noise(scale: float) -> After:
    """The noise that was found, that many times smaller; Ning et al. 2023.

    https://arxiv.org/abs/2308.15321.
    """

    def after(point: Point, answer: Tensor) -> Tensor:
        return point.x - (point.x - answer) / scale

    return after
