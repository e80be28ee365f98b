"""Classifier-free guidance, and answering many samplers with one evaluation of the network.

Ho & Salimans 2022, https://arxiv.org/abs/2207.12598: the answer is the one without the text plus
`scale` times the difference that the text makes.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nodes.models.unet import Model

REPEATS = 4  # a shorter text may be repeated so often to be as long as the other


@dataclass(frozen=True, eq=False)
class Guide:
    """A model and what it is asked for.

    Attributes:
        positive: encoded texts, each [1, tokens, width]; several count as their mean.
        negative: the same for what is not wanted; unused when scale is 1.
        scale: how strongly the text is followed (cfg).
    """

    model: Model
    positive: Sequence[Tensor]
    negative: Sequence[Tensor]
    scale: float

    @cached_property
    def texts(self) -> list[Tensor]:
        """All texts to evaluate, the negative ones first, of equal length where possible."""
        texts = [*self.negative, *self.positive] if self.scale != 1 else list(self.positive)
        lengths = [text.shape[1] for text in texts]
        length = math.lcm(*lengths)
        if length // min(lengths) > REPEATS:
            return texts
        return [text.repeat(1, length // text.shape[1], 1) for text in texts]

    def combined(self, answers: Sequence[Tensor]) -> Tensor:
        """One answer from those for each of `texts`."""
        if self.scale == 1:
            return _mean(answers)
        cut = len(self.negative)
        without, with_text = _mean(answers[:cut]), _mean(answers[cut:])
        return without + (with_text - without) * self.scale


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
        return self.guide.model.key, self.x.shape[1:], self.x.device, lengths


@dataclass(frozen=True, eq=False)
class _Row:
    """One text for the whole of one request."""

    x: Tensor
    sigma: Tensor
    text: Tensor


def answer(requests: Sequence[Request]) -> list[Tensor]:
    """The denoised latents that each of `requests`, all of equal key, asks for, in their order."""
    model = requests[0].guide.model
    rows = [[_row(request, text) for text in request.guide.texts] for request in requests]
    answers = iter(_evaluated(model, [row for of_one in rows for row in of_one]))
    return [
        request.guide.combined([next(answers) for _ in of_one])
        for request, of_one in zip(requests, rows, strict=True)
    ]


def _row(request: Request, text: Tensor) -> _Row:
    count = len(request.x)
    return _Row(request.x, request.sigma.reshape(1).expand(count), text.expand(count, -1, -1))


def _evaluated(model: Model, rows: Sequence[_Row]) -> Iterator[Tensor]:
    """The model's answer to each row; rows with texts of one length share an evaluation."""
    answers: dict[int, Tensor] = {}
    for length in sorted({row.text.shape[1] for row in rows}):
        chosen = [index for index, row in enumerate(rows) if row.text.shape[1] == length]
        together = model.denoised(
            torch.cat([rows[index].x for index in chosen]),
            torch.cat([rows[index].sigma for index in chosen]),
            torch.cat([rows[index].text for index in chosen]),
        )
        parts = torch.split(together, [len(rows[index].x) for index in chosen])
        answers.update(zip(chosen, parts, strict=True))
    return (answers[index] for index in range(len(rows)))


def _mean(answers: Sequence[Tensor]) -> Tensor:
    return answers[0] if len(answers) == 1 else torch.stack(list(answers)).mean(dim=0)
