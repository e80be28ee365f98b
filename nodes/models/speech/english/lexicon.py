"""The pronouncing dictionaries: words and their phonemes in Kokoro's notation.

Derived from misaki's gold and silver dictionaries (Apache-2.0, see NOTICE) by
training/pronunciation/make.py.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping, Sequence
from importlib.resources import files


class Lexicon:
    """Words of one accent.

    Attributes:
        entries: word to its phonemes, then ``tag=phonemes`` for parts of speech that sound
            otherwise, separated by tabs; nothing after the sign means that letters are spelled.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = entries

    @classmethod
    def load(cls, accent: str) -> Lexicon:
        """The dictionary of an accent, "us" or "gb"; takes a quarter of a second."""
        return cls(read_table(f"{accent}.words.xz"))

    def __contains__(self, word: str) -> bool:
        return word in self.entries

    def find(self, word: str, tags: Sequence[str] = ()) -> str | None:
        """Phonemes of a word in exactly this spelling, or None.

        Args:
            word: as written.
            tags: what the word may be here ("noun", "verb", "vbd", "adj", "none" before a pause,
                ...), the likeliest first.
        """
        entry = self.entries.get(word)
        if entry is None:
            return None
        default, *others = entry.split("\t")
        by_tag = dict(other.split("=", 1) for other in others)
        return next((by_tag[tag] for tag in tags if tag in by_tag), default)


def read_table(name: str) -> dict[str, str]:
    """A compressed text of this package: what stands before the first tab of a line, and after."""
    packed = files("nodes.models.speech.english").joinpath(name).read_bytes()
    lines = lzma.decompress(packed).decode("utf-8").split("\n")
    return dict(line.split("\t", 1) for line in lines)
