"""Make the pronouncing data of `nodes/models/speech/english` from misaki's dictionaries.

    python training/pronunciation/make.py misaki-0.9.4-py3-none-any.whl

The wheel is read as an archive; its dictionaries are JSON under Apache-2.0 (see NOTICE beside the
result). For each accent two files come out: ``us.words.xz``, the gold and silver dictionaries in
one, in the notation that Kokoro v1.0 was trained on; and ``us.letters.xz``, letter-to-sound rules
learnt from the gold dictionary for words that stand in no dictionary.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import random
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from nodes.models.speech.english.letter_to_sound import LetterToSound, contexts

HOME = Path(__file__).parents[2] / "nodes" / "models" / "speech" / "english"
DATA = "misaki/data/{accent}_{grade}.json"
ROUNDS = 4

Entry = str | Mapping[str, str | None]


def notation(phonemes: str) -> str:
    """Kokoro v1.0 writes the flap as T and no glottal stop."""
    return phonemes.replace("ɾ", "T").replace("ʔ", "t")


def line(word: str, entry: Entry) -> str:
    """One line of a words file: word, default, then use=pronunciation for every other use."""
    if isinstance(entry, str):
        return f"{word}\t{notation(entry)}"
    default = notation(entry["DEFAULT"] or "")
    uses = [
        f"{use.lower()}={notation(phonemes or '')}"
        for use, phonemes in sorted(entry.items())
        if use != "DEFAULT" and phonemes != entry["DEFAULT"]
    ]
    return "\t".join([word, default, *uses])


def units(phonemes: str) -> list[str]:
    """Phonemes with their marks: a stress goes with its vowel, a length with the one before."""
    found: list[str] = []
    stress = ""
    for letter in phonemes:
        if letter in "ˈˌ":
            stress = letter
        elif letter == "ː" and found:
            found[-1] += letter
        else:
            found.append(stress + letter)
            stress = ""
    return found


Chunk = tuple[str, ...]


class Aligner:
    """Which letter gives which phonemes, found by expectation maximisation (hard)."""

    def __init__(self, pairs: list[tuple[str, list[str]]]) -> None:
        self.pairs = pairs
        self.costs: dict[tuple[str, Chunk], float] = {}

    def cost(self, letter: str, chunk: Chunk) -> float:
        """Negative logarithm of the chance that a letter gives this chunk."""
        known = self.costs.get((letter, chunk))
        if known is not None:
            return known
        if self.costs:
            return 14.0
        return (1.0, 0.6, 3.0, 9.0)[len(chunk)]

    def align(self, word: str, sounds: list[str]) -> list[Chunk] | None:
        """One chunk of 0 to 3 phonemes for each letter, at the least cost."""
        best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
        for letter in word:
            reached: dict[int, tuple[float, int]] = {}
            for start, (cost, _) in best[-1].items():
                for end in range(start, min(start + 3, len(sounds)) + 1):
                    total = cost + self.cost(letter, tuple(sounds[start:end]))
                    if end not in reached or total < reached[end][0]:
                        reached[end] = (total, start)
            best.append(reached)
        if len(sounds) not in best[-1]:
            return None
        chunks: list[Chunk] = []
        end = len(sounds)
        for reached in reversed(best[1:]):
            start = reached[end][1]
            chunks.append(tuple(sounds[start:end]))
            end = start
        return chunks[::-1]

    def run(self) -> Iterator[tuple[str, list[Chunk]]]:
        """Every word with its chunks, after some rounds of counting."""
        for _ in range(ROUNDS):
            counts: Counter[tuple[str, Chunk]] = Counter()
            letters: Counter[str] = Counter()
            for word, sounds in self.pairs:
                for letter, chunk in zip(word, self.align(word, sounds) or [], strict=False):
                    counts[letter, chunk] += 1
                    letters[letter] += 1
            self.costs = {
                pair: -math.log(count / letters[pair[0]]) for pair, count in counts.items()
            }
        for word, sounds in self.pairs:
            chunks = self.align(word, sounds)
            if chunks is not None:
                yield word, chunks


def learn(aligned: Iterable[tuple[str, list[Chunk]]]) -> dict[str, str]:
    """The widest contexts that say something else than the narrower ones they contain."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    narrower: dict[str, str] = {}
    for word, chunks in aligned:
        for position, chunk in enumerate(chunks):
            sound = "".join(chunk)
            within = ""
            for context in contexts(word, position):
                seen[context][sound] += 1
                narrower[context] = within
                within = context
    rules: dict[str, str] = {}
    told: dict[str, str] = {}  # what the rules say for a context, wide or narrow
    for context in sorted(seen, key=len):
        sound, _ = seen[context].most_common(1)[0]
        default = told.get(narrower[context])
        if sound != default:
            rules[context] = sound
        told[context] = rules.get(context, default or "")
    return rules


def trainable(dictionary: Mapping[str, Entry]) -> list[tuple[str, list[str]]]:
    """Plain lower-case words with one pronunciation."""
    return [
        (word, units(notation(entry)))
        for word, entry in dictionary.items()
        if isinstance(entry, str)
        and word.isascii()
        and word.isalpha()
        and len(word) > 2
        and word[1:].islower()
    ]


def write(path: Path, lines: Iterable[str]) -> None:
    """Text, one line each, compressed."""
    path.write_bytes(lzma.compress("\n".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def judge(rules: Mapping[str, str], held_out: list[tuple[str, list[str]]]) -> None:
    """Print how many unseen words come out right."""
    letters = LetterToSound(rules)
    said = [(letters.phonemes(word), "".join(sounds)) for word, sounds in held_out]
    plain = str.maketrans("", "", "ˈˌ")
    exact = sum(a == b for a, b in said) / len(said)
    sounds = sum(a.translate(plain) == b.translate(plain) for a, b in said) / len(said)
    print(f"unseen words: {exact:.1%} right, {sounds:.1%} but for the stress; {len(rules):,} rules")


def main() -> None:
    """Read the wheel, write four files, print what they are worth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel
    with zipfile.ZipFile(wheel) as archive:
        for accent in ("us", "gb"):
            gold, silver = (
                json.loads(archive.read(DATA.format(accent=accent, grade=grade)))
                for grade in ("gold", "silver")
            )
            merged: dict[str, Entry] = {**silver, **gold}
            write(HOME / f"{accent}.words.xz", (line(w, merged[w]) for w in sorted(merged)))
            pairs = [(word.lower(), sounds) for word, sounds in trainable(gold)]
            random.Random(0).shuffle(pairs)
            aligned = list(Aligner(pairs).run())
            cut = len(aligned) // 20
            judge(learn(aligned[cut:]), pairs[:cut])
            rules = learn(aligned)
            write(
                HOME / f"{accent}.letters.xz",
                (f"{context}\t{sound}" for context, sound in sorted(rules.items())),
            )


if __name__ == "__main__":
    main()
