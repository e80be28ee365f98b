"""Guiders: a model and its conditionings, and how many samplers share one evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from nodes.models.conditioning.areas import Cond, Conditioning, Region, WeightedArea, conds, regions
from nodes.models.conditioning.inputs import Asked, Batch, Inputs, batched, signature, within
from nodes.models.networks.network import Network
from nodes.models.networks.unet import Model
from nodes.models.sampling.cfg import CfgInput, perp_neg

REPEATS = 4  # a shorter text may be repeated so often to be as long as the other

Combine: TypeAlias = Callable[[Sequence[Tensor], Tensor, Tensor], Tensor]
"""Gets the answers, the latents that they are about, and their level."""


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
        latents: where sampling begins, in the unit of the network; None: not known.
        mask: 1 where they change, [B, 1, ...]; None: everywhere.
    """

    model: Model
    groups: Sequence[Sequence[Cond]]
    combine: Combine
    negative: Sequence[Cond] = ()
    latents: Tensor | None = None
    mask: Tensor | None = None
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

    def starting(self, latents: Tensor, mask: Tensor | None) -> Guider:
        """The same, told where sampling begins."""
        return replace(self, latents=latents, mask=mask)

    def inputs(self, cond: Cond, x: Tensor) -> Inputs:
        """What the network is given for a conditioning, beside latents like `x`.

        Raises:
            ValueError: it is another kind of model's.
        """
        key = (id(cond), x.shape)
        if key not in self._inputs:
            about = cond.text, cond.options, x, cond.negative
            self._inputs[key] = self.model.inputs(Asked(*about, self.latents, self.mask))
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
            [region for region, start, end in group if end <= level <= start]
            for group in self._regions[key]
        ]

    def with_uncond(self) -> Guider:
        """One whose answers come with those to the negative alone, as [2, B, C, ...]."""
        negative = self.negative or self.groups[-1]
        places = [place for place, group in enumerate(self.groups) if group is negative]
        groups = self.groups if places else [*self.groups, negative]
        count, place = len(self.groups), places[0] if places else -1

        def both(answers: Sequence[Tensor], x: Tensor, sigma: Tensor) -> Tensor:
            return torch.stack([self.combine(answers[:count], x, sigma), answers[place]])

        return replace(self, groups=groups, combine=both)

    @property
    def key(self) -> str:
        """Of its model: whoever leases a guide leases that."""
        return self.model.key

    @property
    def base(self) -> str:
        """Of its model."""
        return self.model.base

    @property
    def nbytes(self) -> int:
        """Of its model."""
        return self.model.nbytes

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
    model: Model, positive: Conditioning, negative: Conditioning = (), scale: float = 1.0
) -> Guider:
    """A positive and a negative conditioning: at a scale of 1 the latter is never evaluated."""
    guidance, cond, uncond = model.guidance, conds(positive), conds(negative, negative=True)

    def combine(answers: Sequence[Tensor], x: Tensor, sigma: Tensor) -> Tensor:
        strength = guidance.scale(sigma, scale)
        return guidance.combine(CfgInput(x, sigma, answers[-1], answers[0], strength))

    groups = [cond] if scale == 1 and not guidance.scale_overrides else [uncond, cond]
    return Guider(model, groups, combine, uncond)


def dual_cfg_guider(
    model: Model,
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

    def combine(answers: Sequence[Tensor], x: Tensor, sigma: Tensor) -> Tensor:
        none, one, two = answers
        guided = none + (two - none) * lower
        guided = guided + (one - (guided if nested else two)) * upper
        return model.guidance.apply_post_cfg(CfgInput(x, sigma, one, none, upper), guided)

    uncond = conds(negative, negative=True)
    return Guider(model, [uncond, conds(first), conds(second)], combine, uncond)


def perp_neg_guider(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty: Conditioning,
    scale: float,
    strength: float,
) -> Guider:
    """Away from the negative, but only across the way to the positive; `strength` of that."""
    uncond = conds(negative, negative=True)

    def combine(answers: Sequence[Tensor], x: Tensor, sigma: Tensor) -> Tensor:
        none, one, nothing = answers
        given = CfgInput(x, sigma, one, none, scale)
        return model.guidance.apply_post_cfg(given, perp_neg(given, nothing, strength))

    return Guider(model, [uncond, conds(positive), conds(empty)], combine, uncond)


@dataclass(frozen=True, eq=False)
class StepRequest:
    """A sampler asks for the denoised form of `x` [B, C, H, W] at the noise level `sigma`.

    `index` of `total` steps are done; `denoised` is the last answer, None before the first.
    """

    guider: Guider
    x: Tensor
    sigma: Tensor
    index: int = 0
    total: int = 1
    denoised: Tensor | None = None

    @property
    def key(self) -> Hashable:
        """Requests of equal key can be answered by one evaluation."""
        guider = self.guider
        return guider.model.terms, self.x.shape[1:], self.x.device, guider.signatures(self.x)


@dataclass(frozen=True, eq=False)
class _Row:
    """One text for one request, on the part of the picture where it counts."""

    x: Tensor
    sigma: Tensor
    inputs: Inputs
    place: WeightedArea | None

    @cached_property
    def kind(self) -> Hashable:
        """Rows of one kind can be evaluated together."""
        return self.x.shape[1:], signature(self.inputs)


def answer(requests: Sequence[StepRequest]) -> list[Tensor]:
    """The denoised latents that each of `requests`, all of equal key, asks for, in their order."""
    model = requests[0].guider.model
    rows = [
        [
            [_row(request, region) for region in group]
            for group in request.guider.active(request.x.shape, request.sigma)
        ]
        for request in requests
    ]
    flat = [row for of_one in rows for group in of_one for row in group]
    answers = _evaluated(model, flat)
    return [
        request.guider.combine(
            [_shared(request.x, group, [next(answers) for _ in group]) for group in of_one],
            request.x,
            request.sigma,
        )
        for request, of_one in zip(requests, rows, strict=True)
    ]


def _row(request: StepRequest, region: Region) -> _Row:
    count = len(request.x)
    sigma = request.sigma.reshape(1).expand(count)
    inputs = request.guider.inputs(region.cond, request.x)
    place = region.place
    if place is None:
        return _Row(request.x, sigma, inputs, None)
    return _Row(place.area.of(request.x), sigma, within(inputs, place.area), place)


def _evaluated(model: Model, rows: Sequence[_Row]) -> Iterator[Tensor]:
    """The model's answer to each row; rows of one kind share evaluations, as memory allows."""
    answers: dict[int, Tensor] = {}
    for kind in dict.fromkeys(row.kind for row in rows):
        chosen = [index for index, row in enumerate(rows) if row.kind == kind]
        x = torch.cat([rows[index].x for index in chosen])
        sigma = torch.cat([rows[index].sigma for index in chosen])
        given = batched([(rows[index].inputs, len(rows[index].x)) for index in chosen])

        def denoised(
            some: slice, x: Tensor = x, sigma: Tensor = sigma, given: Batch = given
        ) -> Tensor:
            return model.denoised(x[some], sigma[some], given.of(some))

        together = model.network.batches.evaluated(denoised, len(x), x.shape[1:])
        parts = torch.split(together, [len(rows[index].x) for index in chosen])
        answers.update(zip(chosen, parts, strict=True))
    return (answers[index] for index in range(len(rows)))


def _shared(x: Tensor, rows: Sequence[_Row], answers: Sequence[Tensor]) -> Tensor:
    """The mean of the answers to one group, each with its weight; nothing where none counts."""
    if len(rows) == 1 and rows[0].place is None:
        return answers[0]
    total, weights = torch.zeros_like(x), torch.full_like(x, 1e-37)
    for row, answer in zip(rows, answers, strict=True):
        if row.place is None:
            total += answer
            weights += 1
        else:
            weight = row.place.weight.to(x)
            row.place.area.of(total).add_(answer * weight)
            row.place.area.of(weights).add_(weight.expand_as(answer))
    return total / weights
