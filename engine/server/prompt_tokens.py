"""What counts the tokens of prompts, by the packs' vocabularies and the home's models."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.registry import Registry
from engine.authoring.token_counter import TokenCounter
from engine.store.folders import Folders

EMBEDDINGS = ("", ".safetensors", ".sft")
"""Endings of files whose header says how many vectors they hold."""


class PromptTokenCounter:
    """Counts tokens; what that needs is imported at the first question."""

    def __init__(self, registry: Registry, folders: Folders) -> None:
        self._registry = registry
        self._folders = folders

    @cached_property
    def _tokens(self) -> TokenCounter | None:
        return self._registry.token_counter()

    def count(self, text: str, checkpoint: str | None) -> tuple[int, int, int]:
        """Tokens of a prompt, how many go into one chunk, and how many chunks they fill.

        A checkpoint that is not there counts as the usual one.

        Raises:
            MissingFile: no pack counts tokens.
        """
        if self._tokens is None:
            raise MissingFile("no node pack here counts tokens")
        path: Path | None = None
        with suppress(MissingFile):
            path = self._folders.model_path("checkpoints", checkpoint) if checkpoint else None
        return self._tokens.count(text, path, self._embedding)

    def _embedding(self, name: str) -> Path | None:
        for ending in EMBEDDINGS:
            with suppress(MissingFile, BadPath):
                path = self._folders.model_path("embeddings", name + ending)
                if path.is_file() and path.suffix in EMBEDDINGS[1:]:
                    return path
        return None
