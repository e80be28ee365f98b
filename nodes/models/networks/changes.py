"""Changes of single weights, and patches that make them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Protocol

from torch import Tensor

from nodes.models.files.pieces import NetworkSource
from nodes.models.files.tensor_files import ModelFileError


@dataclass(frozen=True, eq=False)
class LowRank:
    """``weight += factor * up @ down``, without ever holding the product.

    Attributes:
        up: [rows, rank], or with ones behind.
        down: [rank, columns], or for a convolution [rank, channels, height, width].
    """

    up: Tensor = field(repr=False)
    down: Tensor = field(repr=False)
    factor: float

    def __call__(self, weight: Tensor) -> None:
        """Add it to a weight [rows, ...]."""
        up, down = self.up.flatten(1).to(weight), self.down.flatten(1).to(weight)
        weight.view(weight.shape[0], -1).addmm_(up, down, alpha=self.factor)


@dataclass(frozen=True, eq=False)
class Change:
    """A change of a float32 weight in place.

    Attributes:
        apply: changes it; a RuntimeError means that it is for another shape.
        source: file and module that it comes from, in front of a message.
        aside: done by a side branch even where it could be merged.
    """

    apply: Callable[[Tensor], object] = field(repr=False)
    source: str
    aside: bool = False

    def __call__(self, weight: Tensor) -> None:
        """Change `weight`.

        Raises:
            ModelFileError: the change is for a weight of another shape.
        """
        try:
            self.apply(weight)
        except RuntimeError as error:
            raise self.unfit(weight.shape, str(error).splitlines()[0]) from None

    def unfit(self, shape: Sequence[int], why: str) -> ModelFileError:
        """The error of a change that is for a weight of another shape."""
        return ModelFileError(
            f"{self.source} does not fit a weight of shape {tuple(shape)} ({why}); "
            "it is for another kind of model"
        )

    def check(self, low_rank: LowRank, shape: Sequence[int]) -> None:
        """Check that a low rank fits a weight that is not there.

        Raises:
            ModelFileError: it is for a weight of another shape.
        """
        rows, columns = low_rank.up.shape[0], prod(low_rank.down.shape[1:])
        if (rows, columns) != (shape[0], prod(shape[1:])):
            raise self.unfit(shape, f"it has {rows} rows of {columns}")


class Patch(Protocol):
    """Something that changes weights, a LoRA say."""

    @property
    def key(self) -> str:
        """Tells this patch, its strength included, from all others."""
        ...

    def changes(self, source: NetworkSource) -> Iterable[tuple[str, Change]]:
        """What it does to the network of `source`: pairs of a weight's name and a change of it."""
        ...
