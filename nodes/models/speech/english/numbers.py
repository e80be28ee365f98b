"""Numbers in English words."""

from __future__ import annotations

import re

ONES = tuple(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
    """.split()  # noqa: SIM905 - as a list literal it fills the screen
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
PARTS = {2: "half", 4: "quarter"}
LARGEST = 1000 ** len(SCALES)


def cardinal(number: int) -> str:
    """123 as "one hundred twenty-three"; beyond 10^18 digit by digit."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= LARGEST:
        return digits(str(number))
    if number == 0:
        return ONES[0]
    words: list[str] = []
    for power in range(len(SCALES) - 1, -1, -1):
        group = number // 1000**power % 1000
        if group:
            words += [*_hundreds(group), SCALES[power]]
    return " ".join(word for word in words if word)


def _hundreds(number: int) -> list[str]:
    words = [ONES[number // 100], "hundred"] if number >= 100 else []
    rest = number % 100
    if rest >= 20:
        words.append("-".join(filter(None, [TENS[rest // 10], ONES[rest % 10] * (rest % 10 > 0)])))
    elif rest:
        words.append(ONES[rest])
    return words


def ordinal(number: int) -> str:
    """21 as "twenty-first"."""
    last = re.split(r"\W", cardinal(number))[-1]
    head = cardinal(number).removesuffix(last)
    if last in ORDINALS:
        return head + ORDINALS[last]
    return head + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def year(number: int) -> str:
    """1984 as "nineteen eighty-four", 2007 as "two thousand seven", 1905 as "nineteen oh five"."""
    century, rest = divmod(number, 100)
    if not 1000 <= number < 10_000 or number % 1000 < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' * (rest < 10)}{cardinal(rest)}"


def digits(text: str) -> str:
    """2024 as "two zero two four"; other characters are left out."""
    return " ".join(ONES[int(digit)] for digit in text if digit.isascii() and digit.isdigit())


def decimal(text: str) -> str:
    """1,234.50 as "one thousand two hundred thirty-four point five zero".

    A whole number with a leading zero, or too long to have a name, goes digit by digit.
    """
    whole, point, rest = text.replace(",", "").partition(".")
    if len(whole) > 1 and whole.startswith("0"):
        said = digits(whole)
    else:
        said = cardinal(int(whole)) if whole else ""
    return f"{said} point {digits(rest)}".strip() if point and rest else said


def fraction(above: int, below: int) -> str:
    """3/4 as "three quarters", 1/3 as "one third"."""
    if below < 2 or below > 100:
        return f"{cardinal(above)} over {cardinal(below)}"
    part = PARTS.get(below) or ordinal(below)
    if above == 1:
        return f"one {part}"
    return f"{cardinal(above)} {'halves' if below == 2 else part + 's'}"


_ROMAN = re.compile(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")


def roman(numeral: str) -> int | None:
    """XIV as 14; None for what is no Roman numeral below 4000."""
    if not _ROMAN.fullmatch(numeral) or not numeral:
        return None
    worth = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    values = [worth[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(-v if v < after else v for v, after in zip(values, following, strict=True))
