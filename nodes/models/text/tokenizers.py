"""CLIP's byte-pair tokenizer, read from a folder.

A folder holds either ``bpe_simple_vocab_16e6.txt.gz`` (the merges as CLIP's authors publish them),
``vocab.json`` with ``merges.txt``, or ``tokenizer.json``; and a ``tokenizer_config.json``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from nodes.models.files.tensor_files import ModelFileError

PUBLISHED = Path(__file__).parent / "clip_tokenizer"
"""Folder of the vocabulary of CLIP, which checkpoints in one file have."""
PUBLISHED_MERGES = "bpe_simple_vocab_16e6.txt.gz"
CLIP_VOCABULARY = 49408
START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


@dataclass(frozen=True, eq=False)
class ClipTokenizer:
    """Turns text into token ids, without start, end or padding.

    Attributes:
        start, end, pad: ids of the marks around a text.
        length: tokens of one chunk, both marks included (77 for CLIP).
    """

    bpe: Tokenizer
    start: int
    end: int
    pad: int
    length: int

    def ids(self, text: str) -> list[int]:
        """Ids of `text`; any text has some, unknown words fall to pieces."""
        return self.bpe.encode(text, add_special_tokens=False).ids


def read_clip_tokenizer(folder: Path) -> ClipTokenizer:
    """The tokenizer that lies in `folder`.

    Raises:
        ModelFileError: there is none, or its vocabulary lacks a mark it names.
    """
    vocabulary, merges = _vocabulary(folder)
    config = cast(
        dict[str, Any], json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    )
    bpe = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=[*merges],
            end_of_word_suffix="</w>",
            unk_token=END,
            fuse_unk=False,
        )
    )
    # CLIP's own text cleaning: lower case, composed characters, and CJK characters stand alone.
    cleaning: list[normalizers.Normalizer] = [
        normalizers.BertNormalizer(
            clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
        ),
        normalizers.NFC(),
        normalizers.Lowercase(),
    ]
    bpe.normalizer = normalizers.Sequence(cleaning)
    splitting: list[pre_tokenizers.PreTokenizer] = [
        pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    bpe.pre_tokenizer = pre_tokenizers.Sequence(splitting)

    def mark(name: str, usual: str) -> int:
        content: Any = config.get(name) or usual
        if isinstance(content, Mapping):
            content = cast(Mapping[str, Any], content)["content"]
        if content not in vocabulary:
            raise ModelFileError(f"{folder}: the vocabulary has no {name} {content!r}")
        return vocabulary[content]

    end = mark("eos_token", END)
    return ClipTokenizer(
        bpe=bpe,
        start=mark("bos_token", START),
        end=end,
        pad=mark("pad_token", END),
        length=int(config.get("model_max_length", 77)),
    )


def _vocabulary(folder: Path) -> tuple[dict[str, int], Sequence[tuple[str, str]]]:
    if (published := folder / PUBLISHED_MERGES).exists():
        return _published(published)
    if (table := folder / "vocab.json").exists() and (rules := folder / "merges.txt").exists():
        lines = rules.read_text(encoding="utf-8").splitlines()
        return json.loads(table.read_text(encoding="utf-8")), _pairs(lines)
    if (whole := folder / "tokenizer.json").exists():
        model = json.loads(whole.read_text(encoding="utf-8"))["model"]
        pairs = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
        return model["vocab"], [(first, second) for first, second in pairs]
    raise ModelFileError(
        f"{folder}: no tokenizer here; expected vocab.json with merges.txt, or tokenizer.json"
    )


def _published(path: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary of CLIP: byte symbols, the same ending a word, each merge, two marks."""
    symbols = byte_symbols()
    count = CLIP_VOCABULARY - 2 * len(symbols) - 2
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        next(lines)  # the version
        merges = _pairs([next(lines) for _ in range(count)])
    words = [*symbols, *(s + "</w>" for s in symbols), *(a + b for a, b in merges), START, END]
    return {word: index for index, word in enumerate(words)}, merges


def _pairs(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Merge rules, one to a line."""
    rules = [line.split() for line in lines if not line.startswith("#version")]
    return [(rule[0], rule[1]) for rule in rules if len(rule) == 2]


def byte_symbols() -> list[str]:
    """A character for each byte, in CLIP's order; printable ones stand for themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    hidden = 256 - len(printable)
    return [chr(c) for c in printable] + [chr(256 + n) for n in range(hidden)]
