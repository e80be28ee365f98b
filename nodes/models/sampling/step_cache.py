"""Answers of a network taken from the last ones, where little has changed since: EasyCache."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from nodes.models.sampling.cfg import Memory
from nodes.models.sampling.sigma_space import by_row

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class StepCache:
    """Which answers are taken from earlier ones; Zhou et al. 2025, algorithm 1.

    https://arxiv.org/abs/2507.02860

    Attributes:
        threshold: how far the answers may have changed, as estimated, since the network was last
            asked; in parts of their size.
        start: the sigma from which on they are taken.
        end: the sigma up to which.
        guided: whether the answers after guidance are taken (LazyCache), else those to each
            conditioning, which guidance follows.
        verbose: whether each answer that is taken is logged.
    """

    threshold: float
    start: float
    end: float
    guided: bool = False
    verbose: bool = False

    def of(self, memory: Memory) -> CachedSteps:
        """What this cache keeps in the memory of a sampling."""
        return memory.setdefault(self, CachedSteps(self))


@dataclass(eq=False)
class CachedSteps:
    """The answers of one sampling to its calls so far.

    An answer is seen as the noise in it at level 1, which in a flow is the velocity.

    Attributes:
        rule: when they are taken.
        context: what else the answers depended on; others are not taken for them.
        given: the input of the last call.
        outputs: the answers to it.
        changes: what the answers of the last call of the network had beside its input.
        rate: how much the outputs changed by a change of the input; None: not known.
        error: how much they have changed, by estimate, since the network was asked.
        shifts: how the latents that extra passes were asked about differed from the sampler's;
            None for each that was not made.
    """

    rule: StepCache
    context: Hashable = None
    given: Tensor | None = None
    outputs: Sequence[Tensor] = ()
    changes: Sequence[Tensor] = ()
    rate: float | None = None
    error: float = 0.0
    shifts: Sequence[Tensor | None] = ()
    _taken: int = field(default=0, init=False)

    def taken(self, given: Tensor, sigma: Tensor, context: Hashable) -> Sequence[Tensor] | None:
        """The answers without the network; None: it has to be asked, and `keep` told.

        Args:
            given: input of the network, [B, C, ...].
            sigma: its level.
            context: see the attribute.
        """
        rule, level = self.rule, float(sigma)
        before = self.given
        if before is None or self.rate is None or context != self.context:
            return None
        if not rule.end <= level <= rule.start:
            return None
        size = sum(_size(output) for output in self.outputs)
        self.error += self.rate * _size(given - before) / max(size, 1e-12)
        if self.error >= rule.threshold:
            return None
        self.given = given
        self.outputs = [given + change for change in self.changes]
        self._taken += 1
        if rule.verbose:
            name = "LazyCache" if rule.guided else "EasyCache"
            log.info("%s: answer %d is reused, at sigma %.4g", name, self._taken, level)
        return self.outputs

    def keep(self, given: Tensor, outputs: Sequence[Tensor], context: Hashable) -> None:
        """Remember what the network answered."""
        self.rate = self._rate_to(given, outputs) if context == self.context else None
        self.context, self.given, self.outputs = context, given, [*outputs]
        self.changes = [output - given for output in outputs]
        self.error = 0.0

    def _rate_to(self, given: Tensor, outputs: Sequence[Tensor]) -> float | None:
        moved = 0.0 if self.given is None else _size(given - self.given)
        if moved == 0:
            return None
        changed = sum(_size(a - b) for a, b in zip(outputs, self.outputs, strict=True))
        return changed / moved


def noise_in(x: Tensor, denoised: Tensor, sigma: Tensor) -> Tensor:
    """The noise of level 1 in latents of a level, by what is denoised."""
    return (x - denoised) / by_row(sigma, x)


def without_noise(x: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """The inverse of `noise_in`."""
    return x - noise * by_row(sigma, x)


def _size(latents: Tensor) -> float:
    return float(latents.float().abs().mean())
