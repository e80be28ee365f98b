"""Quantities in English words: money, units, times, dates."""

from __future__ import annotations

import re
from collections.abc import Callable

from nodes.models.speech.english.numbers import cardinal, decimal, digits, fraction, ordinal, year

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

# Sign: one, many, hundredth, hundredths.
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "jeon", "jeon"),
    "₽": ("ruble", "rubles", "kopek", "kopeks"),
}

# Sign: one, many. Signs of one letter are units only right behind the number.
UNITS = {
    "km": ("kilometer", "kilometers"),
    "m": ("meter", "meters"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "nm": ("nanometer", "nanometers"),
    "mi": ("mile", "miles"),
    "ft": ("foot", "feet"),
    "yd": ("yard", "yards"),
    "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"),
    "mg": ("milligram", "milligrams"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "V": ("volt", "volts"),
    "mph": ("mile per hour", "miles per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "dB": ("decibel", "decibels"),
    "px": ("pixel", "pixels"),
    "fps": ("frame per second", "frames per second"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "k": ("thousand", "thousand"),
    "%": ("percent", "percent"),
    "¢": ("cent", "cents"),
}

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
SCALE = r"(?:thousand|million|billion|trillion)"
_SHORT_SCALES = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "b": "billion",
    "B": "billion",
    "bn": "billion",
    "T": "trillion",
}
_MONTH_NAMES = "|".join(MONTHS)
_UNIT_SIGNS = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))


def _money(found: re.Match[str]) -> str:
    sign, amount, scale, short = found.groups()
    one, many, hundredth, hundredths = CURRENCIES[sign]
    scale = scale or _SHORT_SCALES.get(short or "")
    if scale:
        return f"{decimal(amount)} {scale} {many}"
    whole, _, rest = amount.replace(",", "").partition(".")
    if len(rest) not in (0, 2):
        return f"{decimal(amount)} {many}"
    pounds, pence = int(whole or 0), int(rest or 0)
    parts = [f"{cardinal(pounds)} {one if pounds == 1 else many}"] if pounds or not pence else []
    if pence:
        parts.append(f"{cardinal(pence)} {hundredth if pence == 1 else hundredths}")
    return " and ".join(parts)


def _unit(found: re.Match[str]) -> str:
    amount, sign = found.groups()
    one, many = UNITS[sign]
    return f"{decimal(amount)} {one if amount == '1' else many}"


def _time(found: re.Match[str]) -> str:
    hour, minute, half = int(found[1]), int(found[2]), found[4]
    named = _half(half, found) if half else ""
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
        first, second, in_year = (int(part) for part in found.groups())
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


def _fraction(found: re.Match[str]) -> str:
    whole, above, below = found[1], int(found[2]), int(found[3])
    if (above, below) == (24, 7):
        return "twenty-four seven"
    said = fraction(above, below)
    return f"{cardinal(int(whole))} and {said.replace('one ', 'a ', 1)}" if whole else said


def rules(british: bool) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
    """What is read as a quantity and how, in the order to try."""
    signs = "".join(map(re.escape, CURRENCIES))
    return [
        (re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b"), _iso_date),
        (re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b"), _slashed_date(british)),
        (re.compile(r"\+?\b(?:\d{1,3}[ -])?\(?\d{3}\)?[ -]\d{3}-\d{4}\b"), _phone),
        (re.compile(r"\+\d[\d -]{6,}\d\b"), _phone),
        (
            re.compile(rf"\b({_MONTH_NAMES}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{4}})\b)?"),
            _month_day,
        ),
        (
            re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)? ({_MONTH_NAMES})\b(?:,? (\d{{4}})\b)?"),
            _day_month,
        ),
        (
            re.compile(r"\b(\d{1,2}):(\d{2})(?::(\d{2}))?(?!\d)(?: ?([AaPp])(?:[Mm]\b|\.[Mm]\.))?"),
            _time,
        ),
        (re.compile(r"\b(\d{1,2}) ?([AaPp])(?:[Mm]\b|\.[Mm]\.)"), _hour),
        (
            re.compile(rf"([{signs}]) ?({NUMBER})(?: ({SCALE})|([kKmMbBT]|bn)\b)?"),
            _money,
        ),
        (re.compile(r"(?:\b(\d+) )?\b(\d{1,3})/(\d{1,3})\b(?!/)"), _fraction),
        (re.compile(rf"(?<![\w.])({NUMBER})(?: ?({_UNIT_SIGNS}))(?![\w/])"), _unit),
    ]
