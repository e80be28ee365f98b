"""How many tokens a prompt has for its text encoder, without the encoder itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nodes.models.files.tensor_files import ModelFileError, read_header
from nodes.models.text.prompt_weights import Vector, parted
from nodes.models.text.tokenizers import PUBLISHED, ClipTokenizer, read_clip_tokenizer

Embeddings = Callable[[str], Path | None]


class PromptTokens:
    """Counts tokens; keeps each vocabulary that it read."""

    def __init__(self) -> None:
        self._read: dict[Path, ClipTokenizer] = {}

    def count(
        self, text: str, checkpoint: Path | None, embedding: Embeddings
    ) -> tuple[int, int, int]:
        """Tokens of a prompt, how many go into one chunk, and how many chunks they fill.

        Args:
            text: a prompt with weights and embeddings.
            checkpoint: whose vocabulary counts: a diffusers folder has its own; None: the usual.
            embedding: the file of one by its name.

        Raises:
            ModelFileError: the vocabulary cannot be read.
        """
        own = None if checkpoint is None else checkpoint / "tokenizer"
        folder = own if own is not None and own.is_dir() else PUBLISHED
        tokenizer = self._read.get(folder) or read_clip_tokenizer(folder)
        self._read[folder] = tokenizer
        room = tokenizer.length - 2
        chunks = parted(text, tokenizer.ids, room, lambda name: _vectors(name, embedding(name)))
        return sum(map(len, chunks)), room, len(chunks)


def _vectors(name: str, path: Path | None) -> list[Vector]:
    """Places of an embedding's vectors, counted in the header of its file."""
    if path is None:
        return []
    try:
        shapes = list(read_header(path).shapes.values())
    except ModelFileError:
        return []
    count = shapes[0][0] if shapes and len(shapes[0]) > 1 else min(len(shapes), 1)
    return [Vector(name, index) for index in range(count)]
