"""Texts fall into sentences where a reader would pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.models.speech.sentences import split_sentences

PARAGRAPH = "The first sentence has some length. The second one does too! And is there a third?"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            PARAGRAPH,
            [
                "The first sentence has some length.",
                "The second one does too!",
                "And is there a third?",
            ],
        ),
        ("Dr. Smith met Mrs. Jones at 5 p.m. yesterday, e.g. in St. Louis.", 1),
        ("J. R. R. Tolkien wrote books, i.e. long ones, vs. short ones, etc. for years.", 1),
        ("Pi is 3.14159 and version 1.2.3 is out at example.com today.", 1),
        ("“Is it really you over there?” he asked. “It is nobody else but me.” She left.", 3),
        ("Wait… what was that noise? Nobody in the house knew!!! Really nobody at all.", 3),
        ("A heading without a full stop\n\nA paragraph that follows the heading.", 2),
        ("The first item of the list\nThe second item of the list\nThe third item of the list", 3),
        ("これは文です。これも文です。", 1),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_boundaries(text: str, sentences: list[str] | int):
    found = split_sentences(text)
    assert (len(found) if isinstance(sentences, int) else found) == sentences


def test_lines_broken_by_an_editor_are_one_sentence():
    wrapped = (
        "This line was broken by an editor because it was getting very\nlong, and it goes on here."
    )
    assert split_sentences(wrapped) == [wrapped.replace("\n", " ")]


def test_single_words_are_spoken_with_their_neighbours():
    assert split_sentences("Yes. No. Perhaps it is so. We shall see about that.") == [
        "Yes. No. Perhaps it is so.",
        "We shall see about that.",
    ]


def test_a_long_sentence_is_cut_at_its_clauses():
    clause = "and then they walked on for another mile or so"
    text = ", ".join([clause] * 20) + "."
    found = split_sentences(text, 200)
    assert all(len(piece) <= 200 for piece in found)
    assert all(piece.endswith((",", ".")) for piece in found)


def test_without_clauses_words_stay_whole():
    found = split_sentences("word " * 500, 100)
    assert set(" ".join(found).split()) == {"word"}
    assert all(len(piece) <= 100 for piece in found)


def test_phonemes_that_the_user_gave_stay_whole():
    given_word = f"[go](/{'ɡˈO ' * 30}/)"
    assert split_sentences(f"We {given_word} on and on", 60)[1] == given_word


@given(st.text(alphabet="abc AB.,;!?…'\"()—-\n 1", max_size=600), st.integers(20, 80))
def test_nothing_speakable_is_lost_and_no_piece_is_too_long(text: str, longest: int):
    found = split_sentences(text, longest)

    def speakable(words: str) -> str:
        return "".join(letter for letter in words if letter.isalnum())

    assert speakable("".join(found)) == speakable(text)
    assert all(0 < len(piece) <= longest for piece in found)
