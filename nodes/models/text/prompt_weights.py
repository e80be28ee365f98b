r"""Weights in a prompt: ``(word)`` is 1.1 times as strong, ``(word:1.3)`` 1.3 times.

``\(`` is a mere bracket. The rules are ComfyUI's: brackets nest and multiply, a number after the
last colon is absolute for its level, ``[x]`` and BREAK mean nothing. What brackets without a
partner mean is theirs too, see `_groups`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

STRONGER = 1.1
SPLITTABLE = 8  # so many tokens of one segment may be torn apart at the end of a chunk

PIECES = re.compile(r"\\[()]|[()]|[^()\\]+|\\")

# A word that stands for the vectors of a file, which may stand in quotes or behind a comma.
EMBEDDING = re.compile(r"(?<!\w)embedding:(?=[^\s:])", re.IGNORECASE)
# What ends a name that no file has.
NAME = re.compile(r"[^\s,;:()\[\]{}\"'<>|]*[^\s,;:()\[\]{}\"'<>|.!?]|")
LONGEST_NAME = 200
ENDS = 16
"""So many places where a name may end are tried: names may have blanks, dots and commas in them."""

DEEPEST = 200


@dataclass(frozen=True)
class Vector:
    """In the place of a token: one vector of a named embedding."""

    embedding: str
    index: int


Token: TypeAlias = int | Vector
Chunk: TypeAlias = list[tuple[Token, float]]
Vectors: TypeAlias = Callable[[str], Sequence[Vector]]


@dataclass(frozen=True)
class Segment:
    """A run of text with one weight."""

    text: str
    weight: float


def segments(prompt: str, weight: float = 1.0) -> list[Segment]:
    r"""The prompt cut where its weight changes.

    >>> segments(r"a (red:1.3) fox \(animal\)")
    [Segment(text='a ', weight=1.0), Segment(text='red', weight=1.3), \
Segment(text=' fox (animal)', weight=1.0)]

    Raises:
        RecursionError: brackets are very deep in each other.
    """
    found: list[Segment] = []
    for group, text in _groups(prompt):
        if group:
            inner, factor = _number(text, weight)
            found += segments(inner, factor)
        elif text:
            found.append(Segment(text.replace(r"\(", "(").replace(r"\)", ")"), weight))
    return found


def _groups(prompt: str) -> Iterator[tuple[bool, str]]:
    """The top level of a prompt: (is it in brackets, its text without them).

    Brackets without a partner count too: after a ")" too many the next "(" closes that, and what
    follows a "(" too many is in brackets if it ends in ")".
    """
    depth, current = 0, list[str]()
    for piece in PIECES.findall(prompt):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if depth > DEEPEST:  # each level is read again inside of the one around it
            raise RecursionError(f"a prompt's brackets are over {DEEPEST} deep in each other")
        if piece == "(" and depth == 1:
            yield _item(current)
            current = []
        current.append(piece)
        if piece == ")" and depth == 0:
            yield _item(current)
            current = []
    yield _item(current)


def _item(pieces: Sequence[str]) -> tuple[bool, str]:
    """Text, and whether it stood in brackets, which are taken off."""
    if len(pieces) > 1 and (pieces[0], pieces[-1]) == ("(", ")"):
        return True, "".join(pieces[1:-1])
    return False, "".join(pieces)


def _number(text: str, weight: float) -> tuple[str, float]:
    """The text and weight of what stood in brackets."""
    before, colon, after = text.rpartition(":")
    if colon and before:
        try:
            number = float(after)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return before, number
    return text, weight * STRONGER


def chunks(
    prompt: str,
    ids: Callable[[str], Sequence[int]],
    *,
    start: int,
    end: int,
    pad: int,
    length: int,
    vectors: Vectors = lambda name: (),
    unknown: Callable[[str], object] = lambda name: None,
) -> list[Chunk]:
    """The prompt as chunks of `length` (token, weight) pairs, marks and padding included.

    Args:
        prompt: text with weights.
        ids: the tokenizer: ids of a text, without marks.
        start: id that begins a chunk.
        end: id that ends its text.
        pad: id that fills it up.
        length: tokens in a chunk.
        vectors: of an embedding by its name; none of one that is not there, which is left out.
        unknown: called with the name of each that is left out.
    """
    found = parted(prompt, ids, length - 2, vectors, unknown)
    return [_framed(chunk, start, end, pad, length) for chunk in found]


def parted(
    prompt: str,
    ids: Callable[[str], Sequence[int]],
    room: int,
    vectors: Vectors = lambda name: (),
    unknown: Callable[[str], object] = lambda name: None,
) -> list[Chunk]:
    """The prompt as chunks of `room` (token, weight) pairs at most, the last of them open.

    A run of fewer than `SPLITTABLE` tokens, of a segment or of an embedding, is never torn apart:
    it moves to the next chunk whole. There is always one chunk at least.
    """
    filled: list[Chunk] = [[]]
    for group in _runs(segments(prompt), ids, vectors, unknown):
        while group:
            free = room - len(filled[-1])
            if len(group) <= free:
                filled[-1] += group
                break
            # (a run that fits no chunk must be torn too)
            if len(group) >= SPLITTABLE or len(group) > room:
                filled[-1] += group[:free]
                group = group[free:]
            filled.append([])
    return filled


def _runs(
    segments: Sequence[Segment],
    ids: Callable[[str], Sequence[int]],
    vectors: Vectors,
    unknown: Callable[[str], object],
) -> Iterator[Chunk]:
    """Tokens that belong together: of the text between embeddings, or of one embedding."""
    for segment in segments:
        text, place = segment.text, 0
        for word in EMBEDDING.finditer(text):
            if word.start() < place:  # in the name of the one before
                continue
            yield [(token, segment.weight) for token in ids(text[place : word.start()])]
            name, found = _embedding(text[word.end() :], vectors)
            if not found:
                unknown(name)
            yield [(vector, segment.weight) for vector in found]
            place = word.end() + len(name)
        yield [(token, segment.weight) for token in ids(text[place:])]


def _embedding(text: str, vectors: Vectors) -> tuple[str, Sequence[Vector]]:
    """The name that a text begins with, and its vectors: the longest that a file has.

    A name ends where no letter, digit, "_" or "-" follows. One that no file has ends before a blank
    or punctuation, and has no vectors.
    """
    line = text[:LONGEST_NAME].partition("\n")[0]
    ends = [at for at in range(1, len(line) + 1) if not _goes_on(line[at : at + 1])][:ENDS]
    for end in reversed(ends):
        if line[end - 1] != " " and (found := vectors(line[:end])):
            return line[:end], found
    unknown = NAME.match(line)
    return unknown[0] if unknown else "", ()


def _goes_on(character: str) -> bool:
    return character.isalnum() or character in ("_", "-")


def _framed(chunk: Chunk, start: int, end: int, pad: int, length: int) -> Chunk:
    framed: Chunk = [(start, 1.0), *chunk, (end, 1.0)]
    return framed + [(pad, 1.0)] * (length - len(framed))
