"""Guidance by what is wanted and what is not, and many samplers answered by one evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from nodes.models.conditioning.areas import Conditioning, Cue, Place, cues
from nodes.models.networks.network import Network
from nodes.models.networks.unet import Model
from nodes.models.sampling.cfg import Point, perpendicular

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

REPEATS = 4  # a shorter text may be repeated so often to be as long as the other

Combine: TypeAlias = Callable[[Sequence[Tensor], Tensor, Tensor], Tensor]
"""Gets the answers, the latents that they are about, and their level."""


@dataclass(frozen=True, eq=False)
class Guide:
    """A model and what it is asked for; made by `guide` and its kin.

    Attributes:
        groups: conditionings that are answered for themselves; within one, texts share the
            picture by their weights.
        combine: makes one answer of those to the groups.
        negative: what is not wanted; samplers that go without guidance in part ask for it alone.
    """

    model: Model
    groups: Sequence[Sequence[Cue]]
    combine: Combine
    negative: Sequence[Cue] = ()
    _places: dict[tuple[int, torch.Size], Place] = field(
        default_factory=dict[tuple[int, torch.Size], Place], init=False, repr=False
    )

    @cached_property
    def cues(self) -> list[list[Cue]]:
        """The groups, all texts of equal length where possible."""
        lengths = [cue.text.shape[1] for group in self.groups for cue in group]
        length = math.lcm(*lengths)
        if lengths and length // min(lengths) > REPEATS:
            return [list(group) for group in self.groups]
        return [
            [replace(cue, text=cue.text.repeat(1, length // cue.text.shape[1], 1)) for cue in group]
            for group in self.groups
        ]

    @property
    def texts(self) -> list[Tensor]:
        """All texts that are evaluated."""
        return [cue.text for group in self.cues for cue in group]

    def active(self, sigma: Tensor) -> list[list[Cue]]:
        """The groups, of each what counts at a level of noise."""
        level, at = float(sigma), self.model.levels.at

        def counts(cue: Cue) -> bool:
            start, end = cue.span
            return at(end) <= level <= at(start)

        return [[cue for cue in group if counts(cue)] for group in self.cues]

    def with_unguided(self) -> Guide:
        """One whose answers come with those to the negative alone, as [2, B, C, H, W]."""
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

    def load(self, device: str) -> Network[UNet2DConditionModel]:
        """Load its model."""
        return self.model.load(device)

    def bind(self, loaded: Network[UNet2DConditionModel]) -> None:
        """Bind its model."""
        self.model.bind(loaded)

    def place(self, cue: Cue, shape: torch.Size) -> Place:
        """Where a text counts in latents of that shape."""
        key = (id(cue), shape)
        if key not in self._places:
            self._places[key] = cue.place(shape)
        return self._places[key]


def guide(
    model: Model, positive: Conditioning, negative: Conditioning = (), scale: float = 1.0
) -> Guide:
    """What is wanted, and what is not: at a scale of 1 the latter is never evaluated."""
    guiding, wanted, unwanted = model.guiding, cues(positive), cues(negative)

    def combine(answers: Sequence[Tensor], x: Tensor, sigma: Tensor) -> Tensor:
        strength = guiding.scale(sigma, scale)
        return guiding.guided(Point(x, sigma, answers[-1], answers[0], strength))

    groups = [wanted] if scale == 1 and not guiding.overrides else [unwanted, wanted]
    return Guide(model, groups, combine, unwanted)


def dual_guide(
    model: Model,
    first: Conditioning,
    second: Conditioning,
    negative: Conditioning,
    scales: tuple[float, float],
    *,
    nested: bool = False,
) -> Guide:
    """Two things that are wanted: the first beyond the second, the second beyond the negative.

    `scales` are of the first over the second, and of the second over the negative. Nested, the
    second's own guidance is what the first is guided from.
    """
    upper, lower = scales

    def combine(answers: Sequence[Tensor], x: Tensor, sigma: Tensor) -> Tensor:
        none, one, two = answers
        guided = none + (two - none) * lower
        guided = guided + (one - (guided if nested else two)) * upper
        return model.guiding.ended(Point(x, sigma, one, none, upper), guided)

    unwanted = cues(negative)
    return Guide(model, [unwanted, cues(first), cues(second)], combine, unwanted)


def perpendicular_guide(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty: Conditioning,
    scale: float,
    strength: float,
) -> Guide:
    """Away from the negative, but only across the way to the positive; `strength` of that."""
    unwanted = cues(negative)

    def combine(answers: Sequence[Tensor], x: Tensor, sigma: Tensor) -> Tensor:
        none, one, nothing = answers
        point = Point(x, sigma, one, none, scale)
        return model.guiding.ended(point, perpendicular(point, nothing, strength))

    return Guide(model, [unwanted, cues(positive), cues(empty)], combine, unwanted)


@dataclass(frozen=True, eq=False)
class Request:
    """What a sampler wants to know: the denoised form of `x` [B, C, H, W] at the level `sigma`."""

    guide: Guide
    x: Tensor
    sigma: Tensor

    @property
    def key(self) -> Hashable:
        """Requests of equal key can be answered by one evaluation."""
        lengths = frozenset(text.shape[1] for text in self.guide.texts)
        return self.guide.model.terms, self.x.shape[1:], self.x.device, lengths


@dataclass(frozen=True, eq=False)
class _Row:
    """One text for one request, on the part of the picture where it counts."""

    x: Tensor
    sigma: Tensor
    text: Tensor
    place: Place | None

    @property
    def kind(self) -> tuple[int, ...]:
        """Rows of one kind can be evaluated together."""
        return (self.text.shape[1], *self.x.shape[1:])


def answer(requests: Sequence[Request]) -> list[Tensor]:
    """The denoised latents that each of `requests`, all of equal key, asks for, in their order."""
    model = requests[0].guide.model
    rows = [
        [[_row(request, cue) for cue in group] for group in request.guide.active(request.sigma)]
        for request in requests
    ]
    flat = [row for of_one in rows for group in of_one for row in group]
    answers = _evaluated(model, flat)
    return [
        request.guide.combine(
            [_shared(request.x, group, [next(answers) for _ in group]) for group in of_one],
            request.x,
            request.sigma,
        )
        for request, of_one in zip(requests, rows, strict=True)
    ]


def _row(request: Request, cue: Cue) -> _Row:
    count = len(request.x)
    sigma = request.sigma.reshape(1).expand(count)
    text = cue.text.expand(count, -1, -1)
    if cue.is_plain:
        return _Row(request.x, sigma, text, None)
    place = request.guide.place(cue, request.x.shape)
    return _Row(place.area.of(request.x), sigma, text, place)


def _evaluated(model: Model, rows: Sequence[_Row]) -> Iterator[Tensor]:
    """The model's answer to each row; rows of one kind share an evaluation."""
    answers: dict[int, Tensor] = {}
    for kind in sorted({row.kind for row in rows}):
        chosen = [index for index, row in enumerate(rows) if row.kind == kind]
        together = model.denoised(
            torch.cat([rows[index].x for index in chosen]),
            torch.cat([rows[index].sigma for index in chosen]),
            torch.cat([rows[index].text for index in chosen]),
        )
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
