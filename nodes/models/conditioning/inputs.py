"""What a network is given beside its latents, and how inputs of several rows become one batch."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nodes.models.conditioning.areas import Area

FRAMES = "frames"
"""Name of an input of networks of videos: how many latents, one after another, are of one video.

They are evaluated together.
"""


class Collation(Enum):
    """How the tensors of one input become one batch for several rows."""

    TEXT = "text"
    """[1, tokens, width]: of equal length, repeated for each latent of a row."""
    EACH = "each"
    """[1 or B, ...]: repeated for each latent of a row."""
    LIKE_X = "like x"
    """[1 or B, C, ...] over the whole picture: cut to a row's area, one for each latent of it."""
    SAME = "same"
    """One object for all rows; rows with another are evaluated apart."""


@dataclass(frozen=True, eq=False)
class Input:
    """A tensor of a network's input, and how it is batched with those of other rows."""

    tensor: Tensor
    collation: Collation


Inputs: TypeAlias = Mapping[str, Input]


@dataclass(frozen=True, eq=False)
class InputsRequest:
    """Asks a family for the inputs of one conditioning (also: `extra_conds`).

    Attributes:
        text: [1, tokens, width].
        options: the dict beside it.
        x: noisy latents of the step, [B, C, ...]; only their shape and device count.
        negative: whether it belongs to the negative conditioning.
        latents: where sampling began, in the unit of the denoiser, like `x`; None: not known.
        mask: 1 where latents change, [B, 1, ...]; None: everywhere.
        seed: of the sampling.
        guidance: its scale.
    """

    text: Tensor
    options: Mapping[str, Any] = field(repr=False)
    x: Tensor
    negative: bool = False
    latents: Tensor | None = None
    mask: Tensor | None = None
    seed: int = 0
    guidance: float = 1.0


def signature(inputs: Inputs) -> Hashable:
    """Rows of equal signature, and equal latents, can be evaluated together."""

    def kind(given: Input) -> Hashable:
        if given.collation is Collation.SAME:
            return id(given.tensor)
        return (
            given.tensor.shape[2:]
            if given.collation is Collation.LIKE_X
            else given.tensor.shape[1:]
        )

    return tuple(
        (name, given.collation.value, kind(given)) for name, given in sorted(inputs.items())
    )


def within(inputs: Inputs, area: Area | None) -> Inputs:
    """The inputs of a row that sees an area of the picture."""
    if area is None:
        return inputs
    return {
        name: Input(area.of(given.tensor), given.collation)
        if given.collation is Collation.LIKE_X
        else given
        for name, given in inputs.items()
    }


@dataclass(frozen=True, eq=False)
class Batch:
    """The inputs of several rows put together.

    Attributes:
        by_row: those with one entry for each latent, [rows, ...].
        same: those that are the same for all.
    """

    by_row: Mapping[str, Tensor]
    same: Mapping[str, Tensor]

    @property
    def together(self) -> int:
        """How many rows, one after another, cannot be evaluated apart."""
        return int(self.same[FRAMES]) if FRAMES in self.same else 1

    def of(self, some: slice) -> dict[str, Tensor]:
        """All inputs by their names, of some rows."""
        return {**{name: tensor[some] for name, tensor in self.by_row.items()}, **self.same}


@cache
def frames(count: int) -> Tensor:
    """What `FRAMES` is; one object for each count, so that videos of equal length share a batch."""
    return torch.tensor(count)


def batched(rows: Sequence[tuple[Inputs, int]]) -> Batch:
    """One tensor for each input, of rows of equal signature and how many latents each has."""
    first = rows[0][0]
    same = {
        name: given.tensor for name, given in first.items() if given.collation is Collation.SAME
    }
    by_row: dict[str, Tensor] = {}
    for name in [name for name in first if name not in same]:
        parts = [repeated(inputs[name].tensor, count) for inputs, count in rows]
        by_row[name] = parts[0] if len(parts) == 1 else torch.cat(parts)
    return Batch(by_row, same)


def repeated(tensor: Tensor, count: int) -> Tensor:
    """As many rows as there are latents, those that there are over and over; [count, ...]."""
    if len(tensor) == 1:
        return tensor.expand(count, *tensor.shape[1:])
    times = -(-count // len(tensor))
    return torch.cat([tensor] * times)[:count] if len(tensor) != count else tensor
