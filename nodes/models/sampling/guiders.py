"""Guiders: a model, its conditionings, and how the answers to these become one."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from nodes.models.conditioning.areas import Cond, Conditioning, Region, conds, regions
from nodes.models.conditioning.control import handles_of, shared_with
from nodes.models.conditioning.defaults import with_defaults
from nodes.models.conditioning.gligen import OPTION as GLIGEN
from nodes.models.conditioning.inputs import Inputs, InputsRequest, signature
from nodes.models.networks.denoiser import Denoiser
from nodes.models.networks.network import Handle, Network
from nodes.models.sampling.cfg import CfgInput, Extra, ExtraPass, Memory, perp_neg

REPEATS = 4  # a shorter text may be repeated so often to be as long as the other

Extras: TypeAlias = Sequence[Extra | None]


class Answered(NamedTuple):
    """What a guider makes one answer of.

    Attributes:
        answers: to its groups.
        x: the latents that they are about.
        sigma: their level.
        extras: what extra passes gave.
        memory: see `CfgInput`.
    """

    answers: Sequence[Tensor]
    x: Tensor
    sigma: Tensor
    extras: Extras
    memory: Memory


Combine: TypeAlias = Callable[[Answered], Tensor]


class _Timed(NamedTuple):
    """A region, and between which sigmas it counts."""

    region: Region
    start: float
    end: float


@dataclass(frozen=True, eq=False)
class Guider:
    """A model and what it is asked for; made by `cfg_guider` and the like.

    Attributes:
        groups: conditionings that are answered for themselves, the negative one first; within one,
            texts share the picture by their weights.
        combine: makes one answer of those to the groups.
        negative: the negative conditioning; CFG++ samplers ask for its answer alone.
        positive: the positive conditioning; extra passes ask for its answer.
        latents: where sampling begins, in the unit of the network; None: not known.
        mask: 1 where they change, [B, 1, ...]; None: everywhere.
        seed: of the sampling.
        memory: see `CfgInput`; another one for each sampling.
        scale: of the guidance, for networks that are given it.
    """

    model: Denoiser
    groups: Sequence[Sequence[Cond]]
    combine: Combine
    negative: Sequence[Cond] = ()
    positive: Sequence[Cond] = ()
    latents: Tensor | None = None
    mask: Tensor | None = None
    seed: int = 0
    memory: Memory = field(default_factory=dict[object, Any], repr=False)
    scale: float = 1.0
    _inputs: dict[tuple[int, torch.Size], Inputs] = field(
        default_factory=dict[tuple[int, torch.Size], Inputs], init=False, repr=False
    )
    _regions: dict[tuple[int, ...], list[list[_Timed]]] = field(
        default_factory=dict[tuple[int, ...], list[list[_Timed]]], init=False, repr=False
    )

    @cached_property
    def conds(self) -> list[list[Cond]]:
        """The groups, all texts of equal length where possible."""
        lengths = [cond.text.shape[1] for group in self.groups for cond in group]
        length = math.lcm(*lengths)
        if lengths and length // min(lengths) > REPEATS:
            return [list(group) for group in self.groups]
        return [
            [
                replace(cond, text=cond.text.repeat(1, length // cond.text.shape[1], 1))
                for cond in group
            ]
            for group in self.groups
        ]

    def starting(self, latents: Tensor, mask: Tensor | None, seed: int) -> Guider:
        """The same, told where sampling begins, and its seed."""
        return replace(self, latents=latents, mask=mask, seed=seed, memory={})

    def inputs(self, cond: Cond, x: Tensor) -> Inputs:
        """What the network is given for a conditioning, beside latents like `x`.

        Raises:
            ValueError: it is another kind of model's.
        """
        key = (id(cond), x.shape)
        if key not in self._inputs:
            about = cond.text, cond.options, x, cond.negative, self.latents, self.mask, self.seed
            self._inputs[key] = self.model.inputs(InputsRequest(*about, self.scale))
        return self._inputs[key]

    def signatures(self, x: Tensor) -> frozenset[Hashable]:
        """Of the inputs for all conditionings, beside latents like `x`."""
        conds = [cond for group in self.conds for cond in group]
        return frozenset(signature(self.inputs(cond, x)) for cond in conds)

    def active(self, shape: Sequence[int], sigma: Tensor) -> list[list[Region]]:
        """The groups, of each what counts at a level of noise, for latents of a shape."""
        key = tuple(shape)
        if key not in self._regions:
            self._regions[key] = self._resolved(key)
        level = float(sigma)
        return [
            with_defaults([region for region, start, end in group if end <= level <= start])
            for group in self._regions[key]
        ]

    def group_index(self, extra: ExtraPass) -> int | None:
        """Which of the groups an extra pass is about; None: it is not evaluated."""
        wanted = self.negative if extra.of_uncond else self.positive
        return next((n for n, group in enumerate(self.groups) if group is wanted), None)

    def with_uncond(self) -> Guider:
        """One whose answers come with those to the negative alone, as [2, B, C, ...]."""
        negative = self.negative or self.groups[-1]
        places = [place for place, group in enumerate(self.groups) if group is negative]
        groups = self.groups if places else [*self.groups, negative]
        count, place = len(self.groups), places[0] if places else -1

        def both(given: Answered) -> Tensor:
            guided = self.combine(given._replace(answers=given.answers[:count]))
            return torch.stack([guided, given.answers[place]])

        return replace(self, groups=groups, combine=both)

    @property
    def key(self) -> str:
        """Of its model: whoever leases a guide leases that."""
        return self.model.key

    @property
    def base(self) -> str:
        """Of its model."""
        return self.model.base

    def nbytes(self, device: str) -> int:
        """Of its model."""
        return self.model.nbytes(device)

    @property
    def handles(self) -> Sequence[Handle[nn.Module]]:
        """The control nets and GLIGEN models of its conditionings."""
        conds = [cond for group in (*self.groups, self.negative) for cond in group]
        grounded = [cond.options[GLIGEN] for cond in conds if GLIGEN in cond.options]
        return [*handles_of(conds), *(net for each in grounded for net in each.handles)]

    def load(self, device: str) -> Network[nn.Module]:
        """Load its model."""
        return self.model.load(device)

    def bind(self, loaded: Network[nn.Module]) -> None:
        """Bind its model."""
        self.model.bind(loaded)

    def _resolved(self, shape: tuple[int, ...]) -> list[list[_Timed]]:
        """The groups for latents of a shape, with the sigmas between which each text counts.

        Areas of a negative conditioning count for the others even where it is not evaluated.
        """
        unseen = [] if any(group is self.negative for group in self.groups) else [self.negative]
        first, *others = [*unseen, *self.conds]
        *others, first = regions([*others, first], shape)  # the negative one last
        sigma = self.model.space.percent_to_sigma
        return [
            [
                _Timed(region, sigma(region.cond.span[0]), sigma(region.cond.span[1]))
                for region in group
            ]
            for group in [first, *others][len(unseen) :]
        ]


def cfg_guider(
    model: Denoiser, positive: Conditioning, negative: Conditioning = (), scale: float = 1.0
) -> Guider:
    """A positive and a negative conditioning.

    At a scale of 1 the latter is never evaluated, nor where the network is given the scale.
    """
    guidance, cond = model.guidance, conds(positive)
    uncond = conds(shared_with(positive, negative), negative=True)

    alone = model.is_given_guidance or (scale == 1 and not guidance.needs_uncond)
    both = [cond] if alone else [uncond, cond]
    others = [conds(conditioning) for conditioning in guidance.conditionings]

    def combine(given: Answered) -> Tensor:
        answers, more = given.answers[: len(both)], given.answers[len(both) :]
        strength = guidance.scale(given.sigma, scale)
        about = given.x, given.sigma, answers[-1], answers[0], strength
        return guidance.combine(CfgInput(*about, given.extras, more, given.memory))

    return Guider(model, [*both, *others], combine, uncond, cond, scale=scale)


def dual_cfg_guider(
    model: Denoiser,
    first: Conditioning,
    second: Conditioning,
    negative: Conditioning,
    scales: tuple[float, float],
    *,
    nested: bool = False,
) -> Guider:
    """Two positive conditionings: the first beyond the second, the second beyond the negative.

    `scales` are of the first over the second, and of the second over the negative. Nested, the
    second's own guidance is what the first is guided from.
    """
    upper, lower = scales

    def combine(given: Answered) -> Tensor:
        none, one, two = given.answers
        guided = none + (two - none) * lower
        guided = guided + (one - (guided if nested else two)) * upper
        about = CfgInput(given.x, given.sigma, one, none, upper, given.extras, (), given.memory)
        return model.guidance.apply_post_cfg(about, guided)

    uncond, cond = conds(shared_with(first, negative), negative=True), conds(first)
    return Guider(model, [uncond, cond, conds(second)], combine, uncond, cond)


def perp_neg_guider(
    model: Denoiser,
    positive: Conditioning,
    negative: Conditioning,
    empty: Conditioning,
    scale: float,
    strength: float,
) -> Guider:
    """Away from the negative, but only across the way to the positive; `strength` of that."""
    uncond, cond = conds(shared_with(positive, negative), negative=True), conds(positive)

    def combine(given: Answered) -> Tensor:
        none, one, nothing = given.answers
        about = CfgInput(given.x, given.sigma, one, none, scale, given.extras, (), given.memory)
        return model.guidance.apply_post_cfg(about, perp_neg(about, nothing, strength))

    return Guider(model, [uncond, cond, conds(empty)], combine, uncond, cond)
