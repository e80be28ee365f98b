"""What the step caches of a model answer in place of its network, see `step_cache`."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from nodes.models.sampling.cfg import Extra
from nodes.models.sampling.guiders import Guider
from nodes.models.sampling.step_cache import CachedSteps, noise_in, without_noise


class Answers(NamedTuple):
    """What a guider makes one answer of: those to its groups, and what extra passes gave."""

    groups: Sequence[Tensor]
    extras: Sequence[Extra | None]


class Recall:
    """The step caches at one call of a sampling.

    Args:
        guider: of the sampling, whose memory they use.
        x: the latents of the call.
        sigma: their level.
    """

    def __init__(self, guider: Guider, x: Tensor, sigma: Tensor) -> None:
        self._x, self._sigma = x, sigma
        self._caches = [cache.of(guider.memory) for cache in guider.model.caches]
        self._given = guider.model.space.network_input(x, sigma) if self._caches else x

    def guided(self) -> Tensor | None:
        """The guided answer; None: it has to be found."""
        for cached in self._of(guided=True):
            taken = cached.taken(self._given, self._sigma, self._x.shape)
            if taken is not None:
                return without_noise(self._x, taken[0], self._sigma)
        return None

    def keep_guided(self, answer: Tensor) -> None:
        """Remember a guided answer."""
        for cached in self._of(guided=True):
            noise = noise_in(self._x, answer, self._sigma)
            cached.keep(self._given, [noise], self._x.shape)

    def answers(self, context: Hashable, groups: int) -> Answers | None:
        """What is guided; None: it has to be found.

        Args:
            context: what it depends on beside the latents.
            groups: how many there are.
        """
        for cached in self._of(guided=False):
            taken = cached.taken(self._given, self._sigma, context)
            if taken is not None:
                found = [without_noise(self._x, noise, self._sigma) for noise in taken[:groups]]
                noises = iter(taken[groups:])
                return Answers(found, [self._extra(shift, noises) for shift in cached.shifts])
        return None

    def _extra(self, shift: Tensor | None, noises: Iterator[Tensor]) -> Extra | None:
        if shift is None:
            return None
        x = self._x + shift
        return Extra(x, without_noise(x, next(noises), self._sigma))

    def keep_answers(self, context: Hashable, answers: Answers) -> None:
        """Remember what the network answered."""
        made = [extra for extra in answers.extras if extra is not None]
        for cached in self._of(guided=False):
            noise = [noise_in(self._x, answer, self._sigma) for answer in answers.groups]
            noise += [noise_in(extra.x, extra.denoised, self._sigma) for extra in made]
            cached.keep(self._given, noise, context)
            cached.shifts = [extra and extra.x - self._x for extra in answers.extras]

    def _of(self, *, guided: bool) -> list[CachedSteps]:
        return [cached for cached in self._caches if cached.rule.guided is guided]
