"""Letter-to-sound rules: phonemes of a word that is in no dictionary.

Each letter is looked up together with as many of its neighbours as the rules know, from wide to
narrow. The rules were learnt from a dictionary (training/pronunciation).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from nodes.models.speech.phonemes import VOWELS

WIDEST = 5  # letters seen on either side
EDGE = "#"

_STRESSED = re.compile("ˈ")
_VOWEL = re.compile(f"[{VOWELS}]")


def contexts(word: str, position: int) -> Iterator[str]:
    """A letter within its neighbours, "left.letter.right", from narrow to wide.

    The right side grows first: what follows an English letter tells more than what precedes it.
    """
    padded = EDGE + word + EDGE
    at = position + 1
    before = ""
    for width in range(2 * WIDEST + 1):
        left, right = padded[max(0, at - width // 2) : at], padded[at + 1 :][: (width + 1) // 2]
        context = f"{left}.{padded[at]}.{right}"
        if context != before:
            yield context
        before = context


class LetterToSound:
    """Letter-to-sound rules, from context to phonemes."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        self.rules = rules

    def phonemes(self, word: str) -> str:
        """Phonemes of a lower-case word of the letters a-z, with one main stress."""
        return _stressed("".join(self._letter(word, at) for at in range(len(word))))

    def _letter(self, word: str, position: int) -> str:
        known = [self.rules[c] for c in contexts(word, position) if c in self.rules]
        return known[-1] if known else ""


def _stressed(phonemes: str) -> str:
    first = phonemes.find("ˈ")
    if first >= 0:
        return phonemes[: first + 1] + _STRESSED.sub("ˌ", phonemes[first + 1 :])
    if "ˌ" in phonemes:
        return phonemes.replace("ˌ", "ˈ", 1)
    vowel = _VOWEL.search(phonemes)
    return phonemes if vowel is None else f"{phonemes[: vowel.start()]}ˈ{phonemes[vowel.start() :]}"
