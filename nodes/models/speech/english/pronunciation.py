"""Phonemes of one word: from the dictionary, from its parts, or from its letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property

from nodes.models.speech.english.additions import added
from nodes.models.speech.english.letter_to_sound import LetterToSound
from nodes.models.speech.english.lexicon import Lexicon, read_table
from nodes.models.speech.phonemes import VOWELS

# Words that are younger than the dictionaries, spelled so that these can say them.
RESPELLED = {
    "github": "git hub",
    "json": "jason",
    "kokoro": "co core oh",
    "youtube": "you tube",
    "wifi": "why fie",
    "iphone": "eye phone",
    "ipad": "eye pad",
    "javascript": "java script",
    "chatgpt": "chat G P T",
    "nginx": "engine X",
    "postgres": "post gress",
    "postgresql": "post gress Q L",
    "numpy": "num pie",
    "pytorch": "pie torch",
    "phd": "P H D",
    "ok": "okay",
    "gonna": "going to",
}

_SIBILANTS = ("s", "z", "ʃ", "ʒ", "ʧ", "ʤ")
_VOICELESS = ("p", "t", "k", "f", "θ", "s", "ʃ", "ʧ")
# American, British.
_PREFIXES = {
    "un": ("ˌʌn", "ˌʌn"),
    "re": ("ɹˌi", "ɹˌiː"),
    "non": ("nˌɑn", "nˌɒn"),
    "pre": ("pɹˌi", "pɹˌiː"),
    "anti": ("ˌænti", "ˌanti"),
    "over": ("ˌOvəɹ", "ˌQvə"),
    "under": ("ˌʌndəɹ", "ˌʌndə"),
    "super": ("sˌupəɹ", "sˌuːpə"),
    "mis": ("mˌɪs", "mˌɪs"),
    "out": ("ˌWt", "ˌWt"),
    "co": ("kˌO", "kˌQ"),
    "dis": ("dˌɪs", "dˌɪs"),
}
_SUFFIXES = {
    "ness": "nəs",
    "less": "ləs",
    "ly": "li",
    "ful": "fᵊl",
    "ment": "mənt",
    "ish": "ɪʃ",
    "able": "əbᵊl",
    "like": "lˌIk",
    "hood": "hˌʊd",
    "ship": "ʃˌɪp",
}
_CONTRACTED = {"ve": "v", "d": "d", "ll": "əl", "re": "əɹ"}
_SHORTEST_PART = 3


class Pronunciation:
    """Pronunciation of words in one accent."""

    def __init__(self, *, british: bool) -> None:
        self.british = british
        self.accent = "gb" if british else "us"
        self.lexicon = Lexicon.load(self.accent)

    def phonemes(self, word: str, tags: Sequence[str] = ()) -> str:
        """Phonemes of a word of letters, apostrophes and hyphens; empty for foreign scripts.

        Args:
            word: as written; capitals matter (US and us, NASA and FBI).
            tags: see `Lexicon.find`.
        """
        return self._known(word, tags) or self._parts(word) or self._unknown(word)

    def spell(self, letters: str) -> str:
        """Letters said one by one: FBI."""
        names = [self.lexicon.find(letter) or "" for letter in letters.upper()]
        # Only the last letter keeps the full stress.
        weak = [name.replace("ˈ", "ˌ") for name in names[:-1]]
        return "".join([*weak, *names[-1:]])

    def ended(self, phonemes: str, ending: str) -> str:
        """Phonemes with an ending of letters: s, ed, ing, or of a contraction: ll, re, ve, d."""
        match ending:
            case "s":
                return self._with_s(phonemes)
            case "ed":
                return self._with_ed(phonemes)
            case "ing":
                return self._with_ing(phonemes)
            case _:
                weak = "" if ending in ("ll", "re") or phonemes[-1:] in VOWELS else "ə"
                return phonemes + weak + _CONTRACTED[ending]

    def _known(self, word: str, tags: Sequence[str]) -> str | None:
        if _is_initialism(word):
            return self._capitals(word, tags)
        if plural := re.fullmatch(r"([A-Z]{2,})'?s", word):
            return self._with_s(self.phonemes(plural[1]))
        if found := added(word, british=self.british):
            return found
        if respelled := RESPELLED.get(word.lower()):
            return " ".join(self.phonemes(part) for part in respelled.split())
        return (
            self._listed(word, tags)
            or self._possessive(word)
            or self._contracted(word)
            or self._inflected(word)
        )

    def _listed(self, word: str, tags: Sequence[str] = ()) -> str | None:
        lower = word.lower()
        for spelling in dict.fromkeys((word, lower, lower.capitalize(), _ascii(lower))):
            if found := self.lexicon.find(spelling, tags):
                return found
        return None

    def _capitals(self, word: str, tags: Sequence[str]) -> str | None:
        """NASA is in the dictionary, STOP is a shouted word, FBI is spelled."""
        if word in self.lexicon:
            return self.lexicon.find(word, ("noun", *tags)) or self.spell(word)
        if word.lower() in RESPELLED:
            return None if word.lower() == word else self.phonemes(word.lower())
        if len(word) > 1 and word.lower() in self.lexicon:
            return self.lexicon.find(word.lower(), tags)
        if len(word) > 4 and re.search("[AEIOUY]", word):
            return self._inflected(word.lower())
        return self.spell(word)

    def _possessive(self, word: str) -> str | None:
        if word.lower().endswith("'s"):
            return self._with_s(self.phonemes(word[:-2]))
        if word.endswith("'"):
            return self._listed(word[:-1]) or self._inflected(word[:-1])
        return None

    def _contracted(self, word: str) -> str | None:
        stem, apostrophe, ending = word.lower().rpartition("'")
        if not apostrophe or ending not in _CONTRACTED or not stem:
            return None
        weak = "" if ending in ("ll", "re") else "ə"
        said = self.phonemes(stem)
        return said + (_CONTRACTED[ending] if said[-1:] in VOWELS else weak + _CONTRACTED[ending])

    def _inflected(self, word: str) -> str | None:
        """A listed word with -s, -ed or -ing."""
        lower = word.lower()
        for ending, stems, finish in (
            ("s", _stems_s(lower), self._with_s),
            ("ed", _stems(lower, "ed"), self._with_ed),
            ("ing", _stems(lower, "ing"), self._with_ing),
        ):
            if lower.endswith(ending):
                for stem in stems:
                    if len(stem) > 2 and (found := self._listed(stem)):
                        return finish(found)
        return None

    def _with_s(self, stem: str) -> str:
        if stem.endswith(_SIBILANTS):
            return stem + ("ɪz" if self.british else "ᵻz")
        return stem + ("s" if stem.endswith(("p", "t", "k", "f", "θ")) else "z")

    def _with_ed(self, stem: str) -> str:
        if stem.endswith("d"):
            return stem + ("ɪd" if self.british else "ᵻd")
        if stem.endswith("t"):
            return f"{self._flapped(stem)}{'ɪd' if self.british else 'ᵻd'}"
        return stem + ("t" if stem.endswith(_VOICELESS) else "d")

    def _with_ing(self, stem: str) -> str:
        return f"{self._flapped(stem)}ɪŋ"

    def _flapped(self, stem: str) -> str:
        """American t between vowels is a flap."""
        flaps = not self.british and len(stem) > 1 and stem[-1] == "t" and stem[-2] in VOWELS
        return f"{stem[:-1]}T" if flaps else stem

    def _parts(self, word: str) -> str | None:
        """Hyphenated words and camelCase, part by part."""
        if "-" in word:
            return " ".join(filter(None, (self.phonemes(part) for part in word.split("-") if part)))
        parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+", word)
        if len(parts) > 1 and not word.isupper():
            return " ".join(filter(None, map(self.phonemes, parts)))
        return None

    def _unknown(self, word: str) -> str:
        plain = _ascii(word.lower()).replace("'", "")
        if not plain:
            return ""
        if len(plain) == 1 or (len(plain) <= 5 and not re.search("[aeiouy]", plain)):
            return self.spell(plain)
        return self._derived(plain) or self._compound(plain) or self._letters.phonemes(plain)

    def _derived(self, word: str) -> str | None:
        for suffix, sound in _SUFFIXES.items():
            if word.endswith(suffix) and len(word) > len(suffix) + 2:
                for stem in _stems(word, suffix):
                    if found := self._listed(stem):
                        return found + sound
        for prefix, sounds in _PREFIXES.items():
            rest = word.removeprefix(prefix)
            if rest != word and len(rest) > 3:
                found = self._listed(rest) or self._inflected(rest) or self._derived(rest)
                if found:
                    return sounds[self.british] + found
        return None

    def _compound(self, word: str) -> str | None:
        """Two listed words in one, the longer first part preferred: "sound" + "stage"."""
        for cut in range(len(word) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
            head, tail = self.lexicon.find(word[:cut]), word[cut:]
            if head and (rest := self.lexicon.find(tail) or self._inflected(tail)):
                return head + rest.replace("ˈ", "ˌ")
        return None

    @cached_property
    def _letters(self) -> LetterToSound:
        return LetterToSound(read_table(f"{self.accent}.letters.xz"))


def _is_initialism(word: str) -> bool:
    return len(word) > 1 and word.isupper() and word.isalpha()


def _stems_s(word: str) -> list[str]:
    if word.endswith("ies"):
        return [f"{word[:-3]}y", word[:-1]]
    if word.endswith(("ses", "zes", "xes", "shes", "ches")):
        return [word[:-1], word[:-2]]
    return [word[:-1]] if not word.endswith("ss") else []


def _stems(word: str, ending: str) -> list[str]:
    """What may have stood before an ending: cod-ed, code-d, plann-ed, tri-ed."""
    base = word[: -len(ending)]
    stems = [base, f"{base}e"]
    if len(base) > 2 and base[-1] == base[-2]:
        stems.append(base[:-1])
    if base.endswith("i"):
        stems.append(f"{base[:-1]}y")
    return stems


def _ascii(word: str) -> str:
    """The word without accents, and without letters that are not Latin."""
    replaced = word.translate(str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l"}))
    decomposed = unicodedata.normalize("NFD", replaced)
    return "".join(letter for letter in decomposed if letter.isascii())
