"""Tokenizers in the forms in which models bring them, read by libraries that know them.

Sentencepiece's models by sentencepiece, ``tokenizer.json`` by tokenizers, Mistral's ``tekken.json``
and the byte-pair lists of GGUF files put together for tokenizers, the word lists of GGUF files put
together for sentencepiece.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from nodes.models.text.tokenizers import byte_symbols

Ids: TypeAlias = Callable[[str], list[int]]
"""Ids of a text, without marks at its ends; marks that are written in it are found."""

HERE = Path(__file__).parent
QWEN, T5 = HERE / "qwen_tokenizer", HERE / "t5_tokenizer"
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA_WORDS = QWEN_WORDS.replace(r"\p{N}| ?", r"\p{N}{1,3}| ?")
TEKKEN_WORDS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GGUF_WORDS = {"qwen2": QWEN_WORDS, "llama-bpe": LLAMA_WORDS, "tekken": TEKKEN_WORDS}
"""How llama.cpp calls a way to cut a text into words, and the way."""
TEKKEN_MARKS = {
    "<unk>": 0, "<s>": 1, "</s>": 2, "[INST]": 3, "[/INST]": 4, "[IMG]": 10, "<pad>": 11,
    "[IMG_BREAK]": 12, "[IMG_END]": 13, "[SYSTEM_PROMPT]": 17, "[/SYSTEM_PROMPT]": 18,
}  # fmt: skip
"""Of files that name none."""
CONTROL, USER = 3, 4
"""Kinds of tokens in GGUF files, which are marks."""
FIRST_BYTE = 3
"""Id of byte 0 in ByT5, behind its marks."""


def bytes_of_text(text: str) -> list[int]:
    """ByT5's ids: the bytes of a text, moved behind three marks."""
    return [FIRST_BYTE + byte for byte in text.encode(errors="replace")]


def from_json(text: str) -> Ids:
    """By the content of a ``tokenizer.json``."""
    return _encoded(Tokenizer.from_str(text))


def from_sentencepiece(model: bytes) -> Ids:
    """By a model of sentencepiece, as ``spiece.model`` holds it."""
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_proto=model)

    def ids(text: str) -> list[int]:
        return cast(list[int], processor.encode(text, out_type=int))

    return ids


def from_tekken(text: str) -> Ids:
    """By the content of a ``tekken.json``: ids of bytes and words begin behind those of marks."""
    content: Mapping[str, Any] = json.loads(text)
    config: Mapping[str, Any] = content["config"]
    first = int(config["default_num_special_tokens"])
    count = int(config["default_vocab_size"]) - first
    ranks = {
        base64.b64decode(word["token_bytes"]): first + int(word["rank"])
        for word in content["vocab"][:count]
    }
    given: Sequence[Mapping[str, Any]] = content.get("special_tokens") or ()
    marks = {str(mark["token_str"]): int(mark["rank"]) for mark in given} or TEKKEN_MARKS
    words, merges = _by_ranks(ranks)
    return _encoded(byte_pairs(words, merges, marks, str(config["pattern"]), whole_words=True))


def from_gguf(values: Mapping[str, Any]) -> Ids | None:
    """By the ``tokenizer.ggml.`` values of a GGUF file; None: it has none that is known."""
    words: Sequence[str] = values.get("tokens") or ()
    if not words:
        return None
    types: Sequence[int] = values.get("token_type") or [1] * len(words)
    if values.get("model") == "gpt2":
        pattern = GGUF_WORDS.get(str(values.get("pre")))
        if pattern is None:
            return None
        merges = [_halves(line) for line in values.get("merges") or ()]
        marks = {
            word: id
            for id, (word, kind) in enumerate(zip(words, types, strict=True))
            if kind in (CONTROL, USER)
        }
        plain = {word: id for id, word in enumerate(words) if word not in marks}
        return _encoded(
            byte_pairs(plain, merges, marks, pattern, whole_words=pattern is not QWEN_WORDS)
        )
    return from_sentencepiece(_proto(values, words, types))


def published_qwen() -> Ids:
    """Qwen's, which comes along: of Qwen2.5, Qwen3 and their seeing models."""
    with gzip.open(QWEN / "merges.txt.gz", "rt", encoding="utf-8") as lines:
        merges = [_halves(line.rstrip("\n")) for line in lines]
    words = [*byte_symbols(), *(first + second for first, second in merges)]
    marks = json.loads((QWEN / "marks.json").read_text(encoding="utf-8"))
    vocabulary = {word: id for id, word in enumerate(words)}
    return _encoded(byte_pairs(vocabulary, merges, marks, QWEN_WORDS, composed=True))


def published_t5() -> Ids:
    """T5's, which comes along."""
    return from_json(gzip.decompress((T5 / "tokenizer.json.gz").read_bytes()).decode())


def byte_pairs(
    words: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    marks: Mapping[str, int],
    pattern: str,
    *,
    whole_words: bool = False,
    composed: bool = False,
) -> Tokenizer:
    """A tokenizer of byte pairs.

    Args:
        words: ids, each byte a character as GPT-2 writes it.
        merges: in their order.
        marks: ids of what is found in a text whole.
        pattern: cuts a text into words.
        whole_words: whether a word that has an id is not put together of its bytes.
        composed: whether letters and their accents become one character first.
    """
    # Marks would get the next free ids, so all are words of the model, and theirs stay.
    model = models.BPE(vocab={**words, **marks}, merges=[*merges], fuse_unk=False)
    model.ignore_merges = whole_words
    made = Tokenizer(model)
    if composed:
        made.normalizer = normalizers.NFC()
    steps: list[pre_tokenizers.PreTokenizer] = [
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    made.pre_tokenizer = pre_tokenizers.Sequence(steps)
    made.decoder = decoders.ByteLevel()
    if marks:
        found: Any = made
        found.add_special_tokens([AddedToken(mark, normalized=False) for mark in marks])
    return made


def _encoded(tokenizer: Tokenizer) -> Ids:
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def _halves(line: str) -> tuple[str, str]:
    first, _, second = line.partition(" ")
    return first, second


def _by_ranks(ranks: Mapping[bytes, int]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Words and merges by the ranks of byte strings."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    class Ranks(TikTokenConverter):  # takes the ranks themselves in place of a file of them
        @staticmethod
        def load_tiktoken_bpe(tiktoken_url: Any) -> Any:
            return tiktoken_url

    given: Any = ranks
    converter: Any = Ranks()
    return converter.extract_vocab_merges_from_model(given)


def _proto(values: Mapping[str, Any], words: Sequence[str], types: Sequence[int]) -> bytes:
    """A model of sentencepiece with the words of a GGUF file."""
    from sentencepiece import sentencepiece_model_pb2

    made: Any = sentencepiece_model_pb2
    model = made.ModelProto()
    scores: Sequence[float] = values.get("scores") or [0.0] * len(words)
    for word, score, kind in zip(words, scores, types, strict=True):
        model.pieces.add(piece=word, score=score, type=kind)
    kinds = made.TrainerSpec
    model.trainer_spec.model_type = kinds.UNIGRAM if values.get("model") == "t5" else kinds.BPE
    model.trainer_spec.byte_fallback = any(
        kind == made.ModelProto.SentencePiece.BYTE for kind in types
    )
    rules = model.normalizer_spec
    rules.add_dummy_prefix = bool(values.get("add_space_prefix", True))
    rules.remove_extra_whitespaces = bool(values.get("remove_extra_whitespaces", False))
    if (charsmap := values.get("precompiled_charsmap")) is not None:
        rules.precompiled_charsmap = bytes(byte & 255 for byte in charsmap)
    encoded: bytes = model.SerializeToString()
    return encoded
