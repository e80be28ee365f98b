"""Embeddings in a prompt: where their names end is decided by the files there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.models.text.prompt_weights import Vector, parted

FILES = {"name", "sub/name", "sub\\name", "my style", "my style v1.5", "v1.5-neg", "name.pt", "a,b"}


def read(prompt: str, files: set[str] = FILES) -> tuple[str, list[str]]:
    """The prompt with each embedding as <name>, and the names that no file has."""
    unknown: list[str] = []

    def vectors(name: str) -> list[Vector]:
        return [Vector(name, 0)] if name in files else []

    found = parted(prompt, lambda text: [*map(ord, text)], 1000, vectors, unknown.append)
    words = [
        f"<{token.embedding}>" if isinstance(token, Vector) else chr(token)
        for chunk in found
        for token, _ in chunk
    ]
    return "".join(words), unknown


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("embedding:name", "<name>"),
        ("embedding:name,something", "<name>,something"),
        ("embedding:name, cat", "<name>, cat"),
        ("a cat embedding:name.", "a cat <name>."),
        ("embedding:name; embedding:name!", "<name>; <name>!"),
        ('a "embedding:name" cat', 'a "<name>" cat'),
        ("x,embedding:name", "x,<name>"),
        ("(embedding:name:1.2)", "<name>"),
        ("(embedding:name, x:1.2)", "<name>, x"),
        ("[embedding:name]", "[<name>]"),
        ("EMBEDDING:name Embedding:name", "<name> <name>"),
        ("a\nembedding:name\nb", "a\n<name>\nb"),
        ("embedding:sub/name embedding:sub\\name", "<sub/name> <sub\\name>"),
        ("embedding:name.pt, x", "<name.pt>, x"),
        ("embedding:my style, x", "<my style>, x"),
        ("embedding:my style v1.5 x", "<my style v1.5> x"),
        ("embedding:v1.5-neg.", "<v1.5-neg>."),
        ("embedding:a,b,c", "<a,b>,c"),
        ("embedding:name embedding:name,embedding:name", "<name> <name>,<name>"),
        ("myembedding:name", "myembedding:name"),
        ("embedding: name", "embedding: name"),
    ],
)
def test_a_name_is_the_longest_that_a_file_has_and_the_rest_is_text(prompt: str, expected: str):
    assert read(prompt) == (expected, [])


@pytest.mark.parametrize(
    ("prompt", "expected", "unknown"),
    [
        ("a embedding:nope, cat", "a , cat", ["nope"]),
        ("embedding:nope,something", ",something", ["nope"]),
        ("embedding:names.", ".", ["names"]),
        ("embedding:no.pt and embedding:name", " and <name>", ["no.pt"]),
        ("(embedding:nope:1.2)", "", ["nope"]),
    ],
)
def test_a_name_that_no_file_has_is_left_out_alone_and_told(
    prompt: str, expected: str, unknown: list[str]
):
    assert read(prompt) == (expected, unknown)


@given(
    st.text(alphabet="ab ,.:\"'!?;\n", max_size=12),
    st.sampled_from([",", ".", ";", '"', "!", "\n"]),
)
def test_no_letter_behind_a_name_is_lost(after: str, mark: str):
    found, unknown = read(f"embedding:name{mark}{after}", {"name"})
    assert (found, unknown) == (f"<name>{mark}{after}", [])
