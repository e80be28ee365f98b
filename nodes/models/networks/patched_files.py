"""The weights of a network as its patches make them, of a network that is not loaded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nodes.models.files.tensor_files import ModelFileError, TensorFile
from nodes.models.networks.changes import Change
from nodes.models.networks.network import Handle


class PatchedFile:
    """The weights of a network, read one by one on demand.

    Attributes:
        changes: what the patches do to each weight that they change.

    Raises:
        ModelFileError: the file has changed, or a patch's has.
    """

    def __init__(self, handle: Handle[Any]) -> None:
        self.source = handle.source
        if not self.source.header.is_current:
            raise ModelFileError(
                f"{self.source.header.path}: has changed since it was chosen; queue the job again"
            )
        self._file = TensorFile(self.source.header)
        self.changes: dict[str, list[Change]] = {}
        for patch in handle.patches:
            for name, change in patch.changes(self.source):
                self.changes.setdefault(name, []).append(change)

    def original(self, name: str) -> Tensor:
        """A weight as the file has it; may be a view of the file's memory."""
        return self.source.weight(self._file, name)

    def patched(
        self, name: str, like: Tensor | None = None, rounded: torch.dtype | None = None
    ) -> Tensor:
        """A weight with its patches, in a float32 copy.

        Args:
            name: of the weight.
            like: a weight whose shape, of as many numbers, and whose device it gets.
            rounded: format that the weight is rounded to before it is changed (None: none).

        Raises:
            ModelFileError: a patch does not fit.
        """
        device = None if like is None else like.device
        original = self.original(name)
        if rounded is not None:
            original = original.to(rounded)
        weight = original.to(device, torch.float32, copy=True)
        if like is not None:
            weight = weight.reshape(like.shape)
        for change in self.changes.get(name, ()):
            change(weight)
        return weight
