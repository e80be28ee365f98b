"""What the value of a CLIP socket can do, whatever text encoders it is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

if TYPE_CHECKING:
    from nodes.models.conditioning.conditionings import Conditioning
    from nodes.models.conditioning.hooks import TextHooks
    from nodes.models.files.pieces import NetworkSource
    from nodes.models.networks.changes import Patch

Embeddings: TypeAlias = Callable[[str], Path | None]
"""The file of an embedding by its name; None: there is none."""
Patches: TypeAlias = Callable[["NetworkSource"], Sequence["Patch"]]
"""What changes a network, by its weights."""


class PromptEncoder(ABC):
    """Text encoders that together turn a prompt into a conditioning."""

    hooks: TextHooks | None
    """What changes it for what it encodes; None: nothing."""

    @property
    @abstractmethod
    def sources(self) -> Sequence[NetworkSource]:
        """The weights of each of its networks."""

    @abstractmethod
    def changed(self, patches: Patches, hooks: TextHooks | None = None) -> Self:
        """The same with further patches of each network, and with such hooks."""

    @abstractmethod
    def at_layer(self, layer: int) -> Self:
        """The same, the text of CLIP taken at another layer, counted from the end: -1 the last."""

    @abstractmethod
    def encode(
        self,
        text: str | Mapping[str, str],
        embeddings: Embeddings = lambda name: None,
        unknown: Callable[[str], object] = lambda name: None,
        **more: Any,
    ) -> Conditioning:
        """The conditioning of a prompt, or of one for each text encoder by its name.

        Args:
            text: may name embeddings.
            embeddings: the file of one by its name, None where there is none.
            unknown: called with the name of each that has no file, and is left out.
            more: what an encoder of a kind knows beyond.

        Raises:
            ModelFileError: an embedding for another kind of model.
        """
