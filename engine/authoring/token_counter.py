"""Counting a prompt's tokens, as the packs' own text encoders would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class TokenCounter(Protocol):
    """Knows how text encoders cut texts; a pack brings one (`TOKENS` in its package)."""

    def count(
        self, text: str, checkpoint: Path | None, embedding: Callable[[str], Path | None]
    ) -> tuple[int, int, int]:
        """Tokens of a prompt, how many go into one chunk, and how many chunks they fill.

        Args:
            text: the prompt.
            checkpoint: the model whose vocabulary counts; None for the usual one.
            embedding: the file of an embedding by its name; None where there is none.
        """
        ...
