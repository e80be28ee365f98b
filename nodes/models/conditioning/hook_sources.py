"""What hooks change weights by: LoRAs, and what a whole checkpoint differs by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from nodes.models.families.family import TEXT_ENCODER
from nodes.models.files.pieces import NetworkSource
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

    def patch(self, source: NetworkSource, strength: float) -> Patch | None:
        """The LoRA at a strength; see `hooks.Source`."""
        if not self.adapters.targets(source):
            of_text = source.title == TEXT_ENCODER
            if any(lora_names.is_of_text(each) is of_text for each in self.adapters.modules):
                check_fits(self.adapters, source)
            return None
        return Lora(self.adapters, strength, aside=True)


@dataclass(frozen=True, eq=False)
class ModelSource:
    """A checkpoint, whose weights are gone towards.

    Attributes:
        networks: its denoiser and its text encoders.
    """

    networks: tuple[Handle[Any], ...]

    def patch(self, source: NetworkSource, strength: float) -> Patch | None:
        """Its difference to a network of the same title; see `hooks.Source`."""
        for other in self.networks:
            if other.source.title == source.title:
                if source.names.keys().isdisjoint(other.source.names):
                    raise ModelFileError(
                        f"{other.source.header.path}: has no weight in common with "
                        f"{source.header.path}; take a checkpoint of the same kind of model"
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

    def changes(self, source: NetworkSource) -> Iterator[tuple[str, Change]]:
        """A change for each weight of one shape that both have."""
        other, own = PatchedFile(self.other), TensorFile(source.header)
        origin = str(other.source.header.path)
        for name in source.names:
            if name in other.source.names and source.shape(name) == other.source.shape(name):
                yield name, Change(partial(self._add, source, own, other, name), origin)

    def _add(
        self, source: NetworkSource, own: TensorFile, other: PatchedFile, name: str, weight: Tensor
    ) -> None:
        original = source.weight(own, name).to(weight).reshape(weight.shape)
        weight.add_(other.patched(name, weight) - original, alpha=self.strength)
