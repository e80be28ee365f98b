"""A transformer of diffusers evaluated without some of its blocks.

Blocks are numbered from 0 in each of their lists, the double ones of picture and text and the
single ones of both, as node graphs number them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from nodes.models.families.renaming import count
from nodes.models.networks.patched_unet import Kind, UNetPatch

LISTS: Mapping[Kind, Sequence[str]] = {
    "double": ("transformer_blocks", "joint_transformer_blocks", "blocks", "layers"),
    "single": ("single_transformer_blocks",),
}
"""What transformers call their lists of blocks; each has at most one of a kind."""
PAIRS = ("Joint", "Flux", "Chroma", "AuraFlow", "QwenImage", "Hunyuan")
"""How the classes of blocks begin that give text and picture, where they are given both."""
PICTURE_FIRST = "Hunyuan"
"""Those that give the picture first."""


class PassedBy(nn.Module):
    """In the place of a block: what comes to it is what leaves it.

    Args:
        kind: class of the block.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.pairs = kind.startswith(PAIRS)
        self.picture_first = kind.startswith(PICTURE_FIRST)

    def forward(
        self, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, *_: Any, **__: Any
    ) -> Any:
        """The picture, or text and picture, as blocks of that class give them."""
        if encoder_hidden_states is None or not self.pairs:
            return hidden_states
        if self.picture_first:
            return hidden_states, encoder_hidden_states
        return encoder_hidden_states, hidden_states


@dataclass(frozen=True, eq=False)
class PatchedTransformer:
    """Called as the transformer itself, which it leaves as it is.

    Attributes:
        module: a transformer of diffusers.
        patches: of these only the layers that are skipped count here.
    """

    module: Any
    patches: Sequence[UNetPatch]

    def __call__(self, *given: Any, **named: Any) -> Any:
        """The output without the blocks that a patch skips."""
        with self._without():
            return self.module(*given, **named)

    @contextmanager
    def _without(self) -> Generator[None]:
        """The module without the blocks that are skipped; whoever evaluates it holds its lock."""
        changed: list[tuple[nn.ModuleList, int, nn.Module]] = []
        try:
            for kind, blocks in block_lists(self.module).items():
                for number, block in enumerate(blocks):
                    if any(patch.skips(number, kind) for patch in self.patches):
                        changed.append((blocks, number, block))
                        blocks[number] = PassedBy(type(block).__name__)
            yield
        finally:
            for blocks, number, block in changed:
                blocks[number] = block


def block_lists(module: Any) -> dict[Kind, nn.ModuleList]:
    """The lists of blocks that a transformer has, by their kind."""
    found: dict[Kind, nn.ModuleList] = {}
    for kind, names in LISTS.items():
        for name in names:
            if isinstance(blocks := getattr(module, name, None), nn.ModuleList):
                found[kind] = blocks
    return found


def block_counts(weights: Iterable[str]) -> dict[Kind, int]:
    """How many blocks of each kind a transformer has, by the names of its weights."""
    named = dict.fromkeys(weights, ())
    return {kind: max(count(named, name) for name in names) for kind, names in LISTS.items()}
