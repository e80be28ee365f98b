"""Text into phonemes: English by dictionary and rules, other languages as written by the user.

The notation is misaki's, on which Kokoro was trained. Anywhere in a text ``[word](/fəˈnimz/)``
gives the phonemes of a word outright.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nodes.models.speech.english.part_of_speech import BEING, DETERMINERS, OBJECTS, determines, tags
from nodes.models.speech.english.pronunciation import Pronunciation
from nodes.models.speech.english.text_normalization import TextNormalizer
from nodes.models.speech.phonemes import EXPLICIT, VOWELS, unknown

MARKS = ';:,.!?—…"()“”'
_TOKEN = re.compile(rf"[^\W\d_]+(?:['’-][^\W\d_]+)*'?|[{re.escape(MARKS)}]")
_OPENINGS = frozenset(VOWELS + "ɐeo")  # of explicit phonemes and weak words too
_ENDING = re.compile(r"['’]?(s|ed|ing|ll|re|ve|d)\b")
_STRESSES = "ˈˌ"


class UnspeakableText(ValueError):
    """A text, or part of one, that this voice cannot say; the text says why."""


@dataclass
class Token:
    """A word or a mark of a sentence.

    Attributes:
        text: as written, numbers already in words.
        phonemes: given outright by the user, or found out.
        explicit: whether they were given outright.
    """

    text: str
    phonemes: str = ""
    explicit: bool = False

    @property
    def is_mark(self) -> bool:
        """Whether this is punctuation."""
        return not self.explicit and self.text in MARKS


class English:
    """Phonemes of English text in one accent; loading takes about half a second."""

    def __init__(self, *, british: bool) -> None:
        self._long = "ː" if british else ""
        self._words = Pronunciation(british=british)
        self._normalize = TextNormalizer(british=british)

    def phonemes(self, text: str) -> str:
        """Phonemes of a sentence, its punctuation kept; empty where nothing can be spoken.

        Raises:
            UnspeakableText: explicit phonemes that the model does not know.
        """
        tokens = [token for part in self._ended(text) for token in self._tokens(part)]
        _quiet_shouting(tokens)
        for place in reversed(range(len(tokens))):
            token = tokens[place]
            if not token.is_mark and not token.explicit:
                token.phonemes = self._sound(tokens, place)
        return _written(tokens)

    def _ended(self, text: str) -> Iterator[Token]:
        """The parts of a text, an ending right behind explicit phonemes said with them."""
        given: Token | None = None
        for part in _parts(text):
            ending = _ENDING.match(part.text) if given and not part.explicit else None
            if given and given.phonemes and ending:
                given.phonemes = self._words.ended(given.phonemes, ending[1])
                part.text = part.text[ending.end() :]
            given = part if part.explicit else None
            yield part

    def _tokens(self, part: Token) -> Iterator[Token]:
        if part.explicit:
            yield part
        else:
            yield from (Token(found) for found in _TOKEN.findall(self._normalize(part.text)))

    def _sound(self, tokens: list[Token], place: int) -> str:
        word = tokens[place].text
        before = _neighbours(tokens[place - 1 :: -1] if place else [])[::-1]
        after = _neighbours(tokens[place + 1 :])
        following = next((t.phonemes for t in tokens[place + 1 : place + 2] if not t.is_mark), "")
        match word if word in ("I", "A") else word.lower():
            case "I":
                return "ˌI"
            case "A" if before or not after:
                return self._words.spell("A")
            case "a" | "A":
                return "ɐ"
            case "the":
                return "ði" if _starts_with_vowel(following) else "ðə"
            case "to" if following:
                return "tʊ" if _starts_with_vowel(following) else "tə"
            case "to":
                return f"tu{self._long}"
            case "used" if _accustomed(before, after):
                return f"jˈu{self._long}st"
            case "used":
                return f"jˈu{self._long}zd"
            case "that" if determines(before, after):
                return self._words.phonemes(word, ("dt",))
            case _:
                return self._words.phonemes(word, tags(before, after))


class Foreign:
    """Languages without rules here: only explicit phonemes are spoken.

    Args:
        voice: its name, for the message.
        language: its language, in English.
    """

    def __init__(self, voice: str, language: str) -> None:
        self._voice = voice
        self._language = language

    def phonemes(self, text: str) -> str:
        """The explicit phonemes of a sentence and its punctuation.

        Raises:
            UnspeakableText: a word without phonemes, or phonemes the model does not know.
        """
        tokens: list[Token] = []
        for part in _parts(text):
            if part.explicit:
                tokens.append(part)
                continue
            if words := re.search(r"\w+", part.text):
                raise UnspeakableText(
                    f"voice {self._voice} speaks {self._language}, for which there are no "
                    f"pronunciation rules here: give {words[0]!r} as [{words[0]}](/phonemes/), or "
                    "choose an English voice (af_heart, bf_emma, ...)"
                )
            tokens += [Token(mark) for mark in part.text if mark in MARKS]
        return _written(tokens)


def _parts(text: str) -> Iterator[Token]:
    """Plain stretches of a text, and its explicit phonemes."""
    start = 0
    for found in EXPLICIT.finditer(text):
        yield Token(text[start : found.start()])
        phonemes = found[2].strip().replace("g", "ɡ").replace("r", "ɹ")
        if strange := unknown(phonemes):
            raise UnspeakableText(
                f"the phonemes /{found[2]}/ of {found[1]!r} hold {strange!r}, which the voice "
                "model does not know; use IPA letters"
            )
        yield Token(found[1], phonemes, explicit=True)
        start = found.end()
    yield Token(text[start:])


def _quiet_shouting(tokens: list[Token]) -> None:
    """Three or more words in capitals on end are no initialisms but shouted."""
    run: list[Token] = []
    for token in [*tokens, Token(".")]:
        if not token.is_mark and not token.explicit and token.text.isupper():
            run.append(token)
            continue
        if len(run) > 2 and any(len(word.text) > 2 for word in run):
            for word in run:
                word.text = word.text.lower()
        run = []


def _neighbours(tokens: list[Token]) -> list[str]:
    """The words up to the next mark, in lower case."""
    words: list[str] = []
    for token in tokens:
        if token.is_mark:
            break
        words.append(token.text.lower())
    return words


def _accustomed(before: list[str], after: list[str]) -> bool:
    """Whether "used" is a habit ("I used to go", "is used to it"), not a use ("is used to cut")."""
    if after[:1] != ["to"]:
        return False
    if before[-1:] in ([], ["get"], ["got"]) or before[-1] not in BEING:
        return True
    then = after[1] if len(after) > 1 else ""
    return not then or then in DETERMINERS | OBJECTS or then.endswith("ing")


def _starts_with_vowel(phonemes: str) -> bool:
    return phonemes.lstrip(_STRESSES)[:1] in _OPENINGS


def _written(tokens: list[Token]) -> str:
    """One string: words apart, marks close to their words, no marks without words."""
    said = ""
    for token in tokens:
        if not token.is_mark:
            glue = "" if not said or said[-1] in " (“" else " "
            said += glue + token.phonemes if token.phonemes else ""
        elif token.text in "(“":
            said += f" {token.text}"
        elif token.text == "—":
            said += " —" if said else ""
        elif said and said[-1] not in " (“" and said[-1] != token.text:
            said += token.text
    said = re.sub(r"[(“]\s*[)”]|\s+(?=[;:,.!?…)”])", "", said).strip()
    return said if any(letter not in f"{MARKS} " for letter in said) else ""
