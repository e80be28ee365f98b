"""The letters Kokoro reads: phonemes in misaki's notation, one number each.

Source of the numbers: the configuration that Kokoro-82M v1.0 was published with (178 ids, 114 of
them in use; 0 pads both ends of every input).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

PAD = 0
MOST = 510

_BY_FIRST_ID = {
    1: ";:,.!?",
    9: '—…"()“” \u0303ʣʥʦʨᵝꭧAI',
    31: "O",
    33: "Q",
    35: "ST",
    39: "W",
    41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ",
    75: "βɔɕç",
    80: "ɖðʤə",
    85: "ɚɛɜ",
    90: "ɟ",
    92: "ɡ",
    99: "ɥ",
    101: "ɨɪʝ",
    110: "ɯɰŋɳɲɴø",
    118: "ɸθœ",
    123: "ɹ",
    125: "ɾɻ",
    128: "ʁɽʂʃʈʧ",
    135: "ʊʋ",
    138: "ʌɣɤ",
    142: "χʎ",
    147: "ʒʔ",
    156: "ˈˌː",
    162: "ʰ",
    164: "ʲ",
    169: "↓",
    171: "→↗↘",
    177: "ᵻ",
}

IDS: Mapping[str, int] = {
    letter: first + offset
    for first, letters in _BY_FIRST_ID.items()
    for offset, letter in enumerate(letters)
}

VOWELS = "AIOQWYaiuæɑɒɔəɛɜɪʊʌᵊᵻ"  # of English

# [word](/phonemes/) in a text gives the phonemes of a word outright; an address such as
# [the manual](/docs/intro/) is a link.
EXPLICIT = re.compile(r"\[([^\[\]]*)\]\(/([^()/._?#=\d\n]*?)/\)")

_BREAKS = (re.compile(r"[.!?…;:]”?"), re.compile(r"[,—)]”?"), re.compile(r" "))


def tokens(phonemes: str) -> list[int]:
    """The ids of a phoneme string, without padding.

    Raises:
        KeyError: a letter the model does not know.
    """
    return [IDS[letter] for letter in phonemes]


def unknown(phonemes: str) -> str:
    """The letters of a phoneme string that the model does not know, each once."""
    return "".join(dict.fromkeys(letter for letter in phonemes if letter not in IDS))


def split_phonemes(phonemes: str, most: int = MOST) -> Iterator[str]:
    """Phonemes in pieces of at most `most`, cut at sentences, clauses, words, or anywhere."""
    rest = phonemes.strip()
    while len(rest) > most:
        at = _last_break(rest, most)
        yield rest[:at].strip()
        rest = rest[at:].strip()
    if rest:
        yield rest


def _last_break(phonemes: str, most: int) -> int:
    for kind in _BREAKS:
        ends = [found.end() for found in kind.finditer(phonemes, 0, most)]
        if ends and ends[-1] > most // 3:
            return ends[-1]
    return most
