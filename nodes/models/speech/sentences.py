"""Running text into sentences, each short enough to be spoken in one breath of a model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nodes.models.speech.markup import unmarked
from nodes.models.speech.phonemes import EXPLICIT

LONGEST = 300
SHORTEST = 24
WRAPPED = 60  # a line at least this long that just stops was broken by an editor

# Words whose full stop ends no sentence.
TITLES = frozenset(
    """
    mr mrs ms mx dr prof st sr jr gen col maj capt cmdr lt sgt cpl rev hon sen rep gov pres supt
    mt ft vs no nos vol fig figs ch sec pp p ed eds cf al approx est dept univ e.g i.e viz
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun
    """.split()  # noqa: SIM905 - as a list literal it fills the screen
)

_PARAGRAPH = re.compile(r"\n\s*\n")
_END = re.compile(r"""(?:[.!?…]+["'”’)\]]*(?=\s)|[。！？]+)""")
_LAST_WORD = re.compile(r"([^\W\d_](?:[\w.'’-]*\w)?)\.$")
_CLAUSE = re.compile(r"""[,;:—–][)"'”’]*(?=\s)|\)(?=\s)|\s[-–—](?=\s)""")


def split_sentences(text: str, longest: int = LONGEST) -> list[str]:
    """The sentences of a text, in order, stripped; nothing speakable is lost.

    Very short sentences are joined with their neighbours of the same paragraph, since speech
    models stumble over single words; sentences above `longest` characters are cut at clauses,
    then at words, then anywhere, but never within phonemes that the user gave. Markup is left out.
    """
    return [
        piece
        for paragraph in _PARAGRAPH.split(unmarked(text))
        for sentence in _joined(_sentences(paragraph), longest)
        for piece in _cut(sentence, longest)
    ]


def _sentences(paragraph: str) -> Iterator[str]:
    for line in _unwrapped(paragraph):
        start = 0
        for end in _END.finditer(line):
            sentence = line[start : end.end()].strip()
            if _goes_on(sentence, line[end.end() :].lstrip()):
                continue
            yield sentence
            start = end.end()
        if rest := line[start:].strip():
            yield rest


def _unwrapped(paragraph: str) -> Iterator[str]:
    """Lines as they were meant: a long line without an end runs on in the next."""
    kept = ""
    for line in paragraph.splitlines():
        kept = f"{kept} {line.strip()}".strip()
        if len(line.rstrip()) < WRAPPED or re.search(r"""[.!?:…]["'”’)\]]*$""", kept):
            yield kept
            kept = ""
    if kept:
        yield kept


def _goes_on(sentence: str, rest: str) -> bool:
    """Whether the full stop at the end of `sentence` belongs to a word of it."""
    if rest[:1].islower():
        return not sentence.endswith(("!", "?")) or rest[:1] not in "\"'“”‘’"
    last = _LAST_WORD.search(sentence)
    if last is None:
        return False
    word = last[1]
    initial = len(word) == 1 and word.isupper() and word != "I"
    return initial or word.lower() in TITLES


def _joined(sentences: Iterator[str], longest: int) -> Iterator[str]:
    kept = ""
    for sentence in sentences:
        if kept and (len(kept) >= SHORTEST or len(kept) + len(sentence) >= longest):
            yield kept
            kept = ""
        kept = f"{kept} {sentence}".strip() if _ends(kept) else f"{kept}. {sentence}"
    if kept:
        yield kept


def _ends(text: str) -> bool:
    return not text or not text[-1].isalnum()


def _cut(sentence: str, longest: int) -> Iterator[str]:
    rest = sentence
    while len(rest) > longest:
        at = _last_break(rest, longest)
        yield rest[:at].strip()
        rest = rest[at:].strip()
    if rest:
        yield rest


def _last_break(text: str, longest: int) -> int:
    at = _break(text, longest)
    for given in EXPLICIT.finditer(text):
        if given.start() < at < given.end():
            return given.start() or given.end()
    return at


def _break(text: str, longest: int) -> int:
    clauses = [found.end() for found in _CLAUSE.finditer(text, 0, longest)]
    if clauses and clauses[-1] > longest // 3:
        return clauses[-1]
    space = text.rfind(" ", 1, longest + 1)
    return space if space > 0 else longest
