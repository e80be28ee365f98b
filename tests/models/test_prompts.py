"""Prompts: weights, chunks, tokens."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.models.files.tensor_files import ModelFileError
from nodes.models.text.prompt_weights import SPLITTABLE, Segment, chunks, segments
from nodes.models.text.tokenizers import PUBLISHED, ClipTokenizer, read_clip_tokenizer

MARKS = (0, 1, 2)

cut = partial(chunks, start=0, end=1, pad=2)


@pytest.fixture(scope="module")
def clip_tokenizer() -> ClipTokenizer:
    return read_clip_tokenizer(PUBLISHED)


def letters(text: str) -> list[int]:
    """A tokenizer for tests: one token for each letter."""
    return [ord(letter) for letter in text if letter != " "]


def test_the_shipped_vocabulary_is_clips(clip_tokenizer: ClipTokenizer):
    assert clip_tokenizer.ids("a photo of an astronaut riding a horse") == [
        320, 1125, 539, 550, 18376, 6765, 320, 4558,
    ]  # fmt: skip
    assert (clip_tokenizer.start, clip_tokenizer.end, clip_tokenizer.pad) == (49406, 49407, 49407)
    assert clip_tokenizer.bpe.get_vocab_size() == 49408


def test_prompts_become_the_reference_tokens_and_weights(
    clip_tokenizer: ClipTokenizer, reference: Path
):
    cases: list[dict[str, Any]] = json.loads((reference / "prompts.json").read_text())["cases"]
    for case in cases:
        found = chunks(
            case["prompt"], clip_tokenizer.ids, start=49406, end=49407, pad=49407, length=77
        )
        expected = [[*part, *[[49407, 1.0]] * (77 - len(part))] for part in case["chunks"]]
        assert [[token for token, _ in part] for part in found] == [
            [token for token, _ in part] for part in expected
        ], case["prompt"]
        weights = [weight for part in found for _, weight in part]
        assert weights == pytest.approx([weight for part in expected for _, weight in part], 1e-9)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("plain", [("plain", 1.0)]),
        ("(a)", [("a", 1.1)]),
        ("(a:0.5)(b)", [("a", 0.5), ("b", 1.1)]),
        ("(a (b:2) c)", [("a ", 1.1), ("b", 2.0), (" c", 1.1)]),
        ("(a:nan)", [("a:nan", 1.1)]),
        ("open (never (closed)", [("open ", 1.0), ("never ", 1.1), ("(closed", 1.1)]),
        ("(a (b:1.2)", [("a ", 1.2), ("(b", 1.2)]),
        ("a :) (cat:1.5) dog", [("a :) (cat:1.5) dog", 1.0)]),
        ("open (never closed", [("open ", 1.0), ("(never closed", 1.0)]),
        (r"\(a\)", [("(a)", 1.0)]),
        ("a\\b", [("a\\b", 1.0)]),
        ("()", []),
    ],
)
def test_brackets_set_weights(prompt: str, expected: list[tuple[str, float]]):
    found = [(segment.text, segment.weight) for segment in segments(prompt) if segment.text]
    assert found == [(text, pytest.approx(weight)) for text, weight in expected]


@given(st.text(alphabet=r"ab :.5()\,", max_size=40))
@settings(max_examples=300)
def test_any_prompt_has_segments_that_keep_its_letters(prompt: str):
    found = segments(prompt)
    assert all(isinstance(segment, Segment) for segment in found)
    kept = "".join(segment.text for segment in found)
    assert [c for c in kept if c in "ab"] == [c for c in prompt if c in "ab"]


@given(st.text(alphabet="ab ()", max_size=120), st.integers(10, 30))
@settings(max_examples=200)
def test_chunks_are_full_length_and_lose_nothing(prompt: str, length: int):
    found = cut(prompt, letters, length=length)
    assert {len(part) for part in found} == {length}
    tokens = [token for part in found for token, _ in part if token not in MARKS]
    assert tokens == [t for segment in segments(prompt) for t in letters(segment.text)]


def test_a_short_segment_moves_to_the_next_chunk_whole():
    short = "b" * (SPLITTABLE - 1)
    found = cut(f"{'a' * 10}({short})", letters, length=16)
    assert [sum(token == ord("b") for token, _ in part) for part in found] == [0, len(short)]
    assert found[0][10:] == [(ord("a"), 1.0), (1, 1.0), *[(2, 1.0)] * 4]


def test_a_long_segment_is_torn():
    found = cut("a" * 20, letters, length=16)
    assert [sum(token == ord("a") for token, _ in part) for part in found] == [14, 6]


def test_no_text_is_no_tokens(clip_tokenizer: ClipTokenizer):
    assert clip_tokenizer.ids("") == []
    assert clip_tokenizer.ids(" \n\t ") == []


def test_a_folder_without_vocabulary_says_what_it_needs(tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"vocab\.json with merges\.txt"):
        read_clip_tokenizer(tmp_path)


def test_one_file_vocabularies_are_the_same(tmp_path: Path, tiny_folder: Path):
    folder = tiny_folder / "tokenizer"
    two_files = read_clip_tokenizer(folder)
    (tmp_path / "tokenizer.json").write_text(two_files.bpe.to_str())
    (tmp_path / "tokenizer_config.json").write_text((folder / "tokenizer_config.json").read_text())
    one_file = read_clip_tokenizer(tmp_path)
    text = "Cat & dog, 日本 🦊"
    assert one_file.ids(text) == two_files.ids(text)
    assert one_file.length == 24
