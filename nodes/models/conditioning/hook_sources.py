"""What hooks change weights by: LoRAs, and what a whole checkpoint differs by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from nodes.models.families.family import TEXT_ENCODER
from nodes.models.files.pieces import Part
from nodes.models.files.tensor_files import ModelFileError, TensorFile
from nodes.models.networks import lora_names
from nodes.models.networks.changes import Change, Patch
from nodes.models.networks.lora import Adapters, Lora, check_fits
from nodes.models.networks.network import Handle
from nodes.models.networks.patched_files import PatchedFile


@dataclass(frozen=True, eq=False)
class LoraSource:
    """A LoRA, which is computed beside the weights: they stay as they are for other texts."""

    adapters: Adapters

    def patch(self, part: Part, strength: float) -> Patch | None:
        """The LoRA at a strength; see `hooks.Source`."""
        if not self.adapters.targets(part):
            of_text = part.title == TEXT_ENCODER
            if any(lora_names.is_of_text(each) is of_text for each in self.adapters.modules):
                check_fits(self.adapters, part)
            return None
        return Lora(self.adapters, strength, aside=True)


@dataclass(frozen=True, eq=False)
class ModelSource:
    """A checkpoint, whose weights are gone towards.

    Attributes:
        networks: its denoiser and its text encoders.
    """

    networks: tuple[Handle[Any], ...]

    def patch(self, part: Part, strength: float) -> Patch | None:
        """Its difference to a network of the same title; see `hooks.Source`."""
        for other in self.networks:
            if other.part.title == part.title:
                if part.names.keys().isdisjoint(other.part.names):
                    raise ModelFileError(
                        f"{other.part.header.path}: has no weight in common with "
                        f"{part.header.path}; take a checkpoint of the same kind of model"
                    )
                return Difference(other, strength)
        return None


@dataclass(frozen=True, eq=False)
class Difference:
    """What another network's weights differ by from those of the file; a `Patch`.

    Attributes:
        other: the network.
        strength: how much of the difference.
    """

    other: Handle[Any]
    strength: float

    @property
    def key(self) -> str:
        """The other network and the strength."""
        return f"~({self.other.key})*{self.strength!r}"

    def changes(self, part: Part) -> Iterator[tuple[str, Change]]:
        """A change for each weight of one shape that both have."""
        other, own = PatchedFile(self.other), TensorFile(part.header)
        source = str(other.part.header.path)
        for name in part.names:
            if name in other.part.names and part.shape(name) == other.part.shape(name):
                yield name, Change(partial(self._add, part, own, other, name), source)

    def _add(
        self, part: Part, own: TensorFile, other: PatchedFile, name: str, weight: Tensor
    ) -> None:
        original = part.weight(own, name).to(weight).reshape(weight.shape)
        weight.add_(other.patched(name, weight) - original, alpha=self.strength)
