"""What a text encoder other than CLIP is, by the names and shapes of its weights.

`t5_layout` and `llm_layout` recognise them, `language_layouts` asks both. Nothing here needs torch:
the server asks too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nodes.models.files.pieces import Piece, Pieces

Shapes: TypeAlias = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class LanguageLayout:
    """How a text encoder other than CLIP is built.

    Attributes:
        kind: of its network: "t5", "umt5", "byt5", "qwen3", "qwen3-vl", "qwen2.5-vl", "gemma2",
            "gemma3", "llama3" or "mistral3".
        title: what a person calls it: "T5-XXL", "Qwen3 4B".
        width: of its vectors.
        vocabulary: which tokenizer it has: "t5", "umt5", "pile-t5", "bytes", "qwen", "gemma2",
            "gemma3", "llama3" or "tekken".
        network: its class in transformers, "module:Class".
        config: for the configuration of that class.
        pieces: what each weight of the network is made of, names as in the file.
        stack: name of the list of its layers in the network.
        has_norm: whether the file has the norm behind the last layer.
        sees: whether the file has a vision tower.
        is_published: whether a model of this kind and width is known.
    """

    kind: str
    title: str
    width: int
    vocabulary: str
    network: str
    config: Mapping[str, Any] = field(repr=False)
    pieces: Pieces = field(repr=False)
    stack: str = field(default="layers", repr=False)
    has_norm: bool = True
    sees: bool = False
    is_published: bool = True

    @property
    def layers(self) -> int:
        """How many layers it has."""
        config: Mapping[str, Any] = self.config.get("text_config", self.config)
        return int(config.get("num_hidden_layers", config.get("num_layers", 0)))


@dataclass(frozen=True)
class NamedWeights:
    """The weights of a file by the names that transformers gives them.

    Attributes:
        pieces: each name's piece of the file.
        shapes: of what the pieces are taken from.
    """

    pieces: Mapping[str, Piece]
    shapes: Shapes

    def __contains__(self, name: str) -> bool:
        return name in self.pieces

    def shape(self, name: str) -> Sequence[int]:
        """The shape of a weight."""
        return self.shapes[self.pieces[name].name]

    def rows(self, name: str) -> int:
        """The first side of a weight."""
        return self.shape(name)[0]

    def count(self, beginning: str) -> int:
        """How many numbered parts, from 0, have names that begin so: layers of a network."""
        numbers = {
            name.removeprefix(beginning).partition(".")[0]
            for name in self.pieces
            if name.startswith(beginning)
        }
        return len([number for number in numbers if number.isdecimal()])

    def below(self, beginning: str, ours: str) -> dict[str, tuple[Piece, ...]]:
        """The pieces of weights whose names begin so, with another beginning in its place."""
        return {
            ours + name.removeprefix(beginning): (piece,)
            for name, piece in self.pieces.items()
            if name.startswith(beginning)
        }
