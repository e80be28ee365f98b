"""Dates, times and numbers that are read digit by digit, in English words."""

from __future__ import annotations

import re
from collections.abc import Callable

from nodes.models.speech.english.numbers import cardinal, digits, ordinal, year

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

_BOOKS = (
    "Genesis|Exodus|Leviticus|Numbers|Deuteronomy|Joshua|Judges|Ruth|Samuel|Kings|Psalms?|Proverbs|"
    "Isaiah|Jeremiah|Ezekiel|Daniel|Matthew|Mark|Luke|John|Acts|Romans|Corinthians|Hebrews|James|"
    "Peter|Revelation"
)
_MONTH_NAMES = "|".join(MONTHS)


def _time(found: re.Match[str]) -> str:
    hour, minute, half = int(found[1]), int(found[2]), found[4]
    named = _half(half, found) if half else ""
    if found[1] == "00" and not found[3]:
        return f"oh oh {'oh ' * (0 < minute < 10)}{cardinal(minute)}" if minute else "midnight"
    if hour > 24 or minute > 59:
        return f"{cardinal(hour)} {cardinal(minute)}"
    if minute:
        said = f"{cardinal(hour)} {'oh ' * (minute < 10)}{cardinal(minute)}"
    elif hour > 12:
        said = f"{cardinal(hour)} hundred"
    else:
        said = cardinal(hour) if named else f"{cardinal(hour)} o'clock"
    seconds = f" and {cardinal(int(found[3]))} seconds" if found[3] else ""
    return said + seconds + named


def _hour(found: re.Match[str]) -> str:
    return cardinal(int(found[1])) + _half(found[2], found)


def _half(letter: str, found: re.Match[str]) -> str:
    """A M or P M; the full stop of "p.m." may end the sentence too."""
    ends = found[0].endswith(".") and found.end() == len(found.string)
    return f" {letter.upper()} M{'.' * ends}"


def _iso_date(found: re.Match[str]) -> str:
    return _date(int(found[3]), int(found[2]), int(found[1])) or found[0]


def _date(day: int, month: int, in_year: int) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(in_year)}"


def _slashed_date(british: bool) -> Callable[[re.Match[str]], str]:
    def say(found: re.Match[str]) -> str:
        first, second, in_year = (int(found[group]) for group in (1, 3, 4))
        in_year += 2000 * (len(found[4]) == 2)
        day, month = (first, second) if british or first > 12 else (second, first)
        return _date(day, month, in_year) or " ".join(map(cardinal, (first, second, in_year)))

    return say


def _month_day(found: re.Match[str]) -> str:
    then = f", {year(int(found[3]))}" if found[3] else ""
    return f"{found[1]} {ordinal(int(found[2]))}{then}"


def _day_month(found: re.Match[str]) -> str:
    then = f" {year(int(found[3]))}" if found[3] else ""
    return f"{ordinal(int(found[1]))} of {found[2]}{then}"


def _phone(found: re.Match[str]) -> str:
    groups = re.findall(r"\d+", found[0])
    plus = "plus " if found[0].startswith("+") else ""
    return plus + ", ".join(digits(group) for group in groups)


def _called(found: re.Match[str]) -> str:
    """An emergency number or a postal code: digit by digit."""
    return f"{found[1] or ''}{digits(found[2])}"


def _years(found: re.Match[str]) -> str:
    first, second = found[1], found[2]
    said = year(int(second)) if len(second) == 4 else cardinal(int(second))
    return f"{year(int(first))} to {said}"


_CLOCK = r"\d{1,2}(?::\d\d)?(?: ?[AaPp](?:[Mm]\b|\.[Mm]\.))|\d{1,2}:\d\d"


def rules(british: bool) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
    """What is read as a date, a time or a dialled number and how, in the order to try."""
    return [
        (
            re.compile(rf"(?<![\w:.,-])({_CLOCK}) ?[-—] ?(?=(?:{_CLOCK})(?![:\d]))"),
            lambda found: f"{found[1]} to ",
        ),
        (re.compile(r"\b(\d{4})[-/](\d{1,2})[-/](\d{1,2})\b"), _iso_date),
        (re.compile(r"\b(\d{1,2})([/-])(\d{1,2})\2(\d{4}|\d\d)\b(?![/-])"), _slashed_date(british)),
        (re.compile(r"\b(\d{1,2})(\.)(\d{1,2})\.(\d{4})\b(?!\.\d)"), _slashed_date(True)),
        (
            re.compile(
                r"(?:\+?(?<![\w.])\d{1,3}[ .-])?(?:\(\d{3}\) ?|(?<![\w.])\d{3}[ .-])"
                r"\d{3}[ .-]\d{4}\b"
            ),
            _phone,
        ),
        (re.compile(r"\+\d[\d -]{6,}\d\b"), _phone),
        (re.compile(r"(?<![\w.,-])\d{3}-\d{4}\b(?!-)"), _phone),
        (
            re.compile(
                r"(\b(?:[Cc]all|[Dd]ial|[Rr]ing) )?(?<![\w$£€.,#])(911|(?<=[lg] )\d{3})\b"
                r"(?! (?:[a-z]+s|people|men|women|children)\b|[\d.,%-]\d)"
            ),
            _called,
        ),
        (
            re.compile(
                r"(\b[A-Z]\w+,? (?:[A-Z]{2},? )?|\b[Zz][Ii][Pp](?: code)?:? (?:is )?|^)(\d{5})"
                r"(?=\W*$|[.,;])(?![.,]\d)"
            ),
            _called,
        ),
        (
            re.compile(r"(?<![\w.,-])(1[1-9]\d\d|20\d\d) ?[-—] ?(1[1-9]\d\d|20\d\d)\b(?![-.,]\d)"),
            _years,
        ),
        (re.compile(r"(?<![\w.,-])(1[1-9]\d\d|20\d\d)[-—](\d\d)\b(?![-.,:]\d)"), _years),
        (
            re.compile(rf"\b({_MONTH_NAMES}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}})\b)?"),
            _month_day,
        ),
        (
            re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)? ({_MONTH_NAMES})\b(?:,? (\d{{4}})\b)?"),
            _day_month,
        ),
        (
            re.compile(rf"\b({_BOOKS}) (\d{{1,3}}):(\d{{1,3}})\b"),
            lambda m: f"{m[1]} {cardinal(int(m[2]))} verse {cardinal(int(m[3]))}",
        ),
        (
            re.compile(r"\b(\d{1,4}):(\d)\b(?!:)"),
            lambda m: f"{cardinal(int(m[1]))} to {cardinal(int(m[2]))}",
        ),
        (
            re.compile(r"\b(\d{1,2}):(\d{2})(?::(\d{2}))?(?!\d)(?: ?([AaPp])(?:[Mm]\b|\.[Mm]\.))?"),
            _time,
        ),
        (re.compile(r"\b(\d{1,2}) ?([AaPp])(?:[Mm]\b|\.[Mm]\.)"), _hour),
    ]
