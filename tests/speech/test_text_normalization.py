"""Numbers, signs and abbreviations are read as a person would read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.models.speech.english.numbers import cardinal, ordinal, roman, year
from nodes.models.speech.english.text_normalization import TextNormalizer

AMERICAN = TextNormalizer(british=False)
BRITISH = TextNormalizer(british=True)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        # numbers
        ("1,234,567", "one million two hundred thirty-four thousand five hundred sixty-seven"),
        ("3.14", "three point one four"),
        ("-5 and .5", "minus five and point five"),
        ("007", "zero zero seven"),
        ("1st 22nd 103rd", "first twenty-second one hundred third"),
        ("1/2, 3/4, 2 1/3", "one half, three quarters, two and a third"),
        ("½ or 2½", "one half or two and a half"),
        ("10-20 people", "ten to twenty people"),
        ("version 1.2.3", "version one point two point three"),
        ("3 x 4 = 12", "three times four equals twelve"),
        ("GPT-4, mp3, 3D", "GPT-four, mp three, three D"),
        # years and dates
        ("in 1984", "in nineteen eighty-four"),
        ("since 1066", "since ten sixty-six"),
        ("1905, 2000, 2007", "nineteen oh five, two thousand, two thousand seven"),
        ("the 1990s and '80s", "the nineteen nineties and eighties"),
        ("July 4, 2025", "July fourth, twenty twenty-five"),
        ("Nov. 20", "November twentieth"),
        ("4 July 2025", "fourth of July twenty twenty-five"),
        ("2026-11-20", "November twentieth, twenty twenty-six"),
        # times
        ("3:45 pm", "three forty-five P M"),
        ("9:00, 9:05, 15:00", "nine o'clock, nine oh five, fifteen hundred"),
        ("at 5 p.m.", "at five P M."),
        # money and measures
        ("$5.99", "five dollars and ninety-nine cents"),
        ("$1, £2, €20", "one dollar, two pounds, twenty euros"),
        ("$3.5 million, $2bn", "three point five million dollars, two billion dollars"),
        ("$0.05", "five cents"),
        ("50%", "fifty percent"),
        ("1 km, 5kg, 60 mph", "one kilometer, five kilograms, sixty miles per hour"),
        ("20°C", "twenty degrees Celsius"),
        ("2.4 GHz and 16GB", "two point four gigahertz and sixteen gigabytes"),
        ("555-867-5309", "five five five, eight six seven, five three zero nine"),
        # abbreviations
        ("Dr. Lee and Mrs. Ray", "doctor Lee and missus Ray"),
        ("Main St. in St. Louis", "Main street in saint Louis"),
        ("e.g. tea, i.e. a drink", "for example, tea, that is, a drink"),
        ("U.S.A. vs. U.K. teams", "USA versus UK teams"),
        ("No. 5, p. 12", "number five, page twelve"),
        ("World War II, Henry VIII", "World War two, Henry the eighth"),
        ("the Sun.", "the Sun."),
        # signs
        ("you & me, R&D, AT&T", "you and me, R and D, A T and T"),
        ("me@mail.com", "me at mail dot com"),
        ("https://example.com/a", "example dot com slash a"),
        ("#1 and #tag", "number one and hashtag tag"),
        ("*bold* _text_ 😀 ok", "bold text ok"),
        ("he said—“yes”--and left", "he said—“yes” — and left"),
        ('"yes" he said', "“yes” he said"),
        ("it’s", "it's"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
    ],
)  # fmt: skip
def test_american(written: str, spoken: str):
    assert AMERICAN(written) == spoken


def test_the_day_comes_first_in_britain():
    assert BRITISH("03/04/2025") == "April third, twenty twenty-five"
    assert AMERICAN("03/04/2025") == "March fourth, twenty twenty-five"


@given(st.text(max_size=80))
def test_any_text_ends_without_digits_of_ours(text: str):
    assert not any(letter.isascii() and letter.isdigit() for letter in AMERICAN(text))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (101, "one hundred one"),
        (1_000_000, "one million"),
        (10**18, " ".join(["one", *["zero"] * 18])),
        (-7, "minus seven"),
    ],
)
def test_cardinals(number: int, words: str):
    assert cardinal(number) == words


def test_other_numbers():
    assert [ordinal(n) for n in (1, 8, 12, 20, 100)] == [
        "first", "eighth", "twelfth", "twentieth", "one hundredth",
    ]  # fmt: skip
    assert year(1900) == "nineteen hundred"
    assert [roman(n) for n in ("I", "IV", "XIV", "IIII", "")] == [1, 4, 14, None, None]
