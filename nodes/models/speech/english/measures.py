"""Quantities in English words: money, units, powers, ranges, fractions."""

from __future__ import annotations

import re
from collections.abc import Callable

from nodes.models.speech.english.numbers import cardinal, decimal, fraction

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
_POWERS = {"2": "square", "3": "cubic"}
# Behind these a digit with K, M, B is the name of a thing: room 3B.
_NAMED = "room|flat|unit|gate|seat|block|row|exhibit|figure|fig|table|part|section|class|apartment"
_RATED = r"rated|rating|score|scored|scores|got|gave it|give it"
# Written as a fraction, but none.
_PAIRS = {(24, 7): "twenty-four seven", (9, 11): "nine eleven", (7, 11): "seven eleven"}
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


def _fraction(found: re.Match[str]) -> str:
    whole, above, below = found[1], int(found[2]), int(found[3])
    if pair := _PAIRS.get((above, below)):
        return f"{cardinal(int(whole))} {pair}" if whole else pair
    if not whole and above == below:
        return f"{cardinal(above)} {'out of ' * (below in (5, 10, 100))}{cardinal(below)}"
    said = fraction(above, below) if above < below or below <= 10 else ""
    if not said:
        return f"{cardinal(above)} over {cardinal(below)}"
    return f"{cardinal(int(whole))} and {said.replace('one ', 'a ', 1)}" if whole else said


def _scaled(found: re.Match[str]) -> str:
    """3.5M as "three point five million"; room 3B and a 4K screen stay letters."""
    named, amount, sign = found.groups()
    if named or (sign == "K" and amount in ("2", "4", "5", "8") and _thing(found)):
        return f"{named or ''}{decimal(amount)} {sign}"
    return f"{decimal(amount)} {_SHORT_SCALES[sign]}"


def _thing(found: re.Match[str]) -> bool:
    things = "video|tv|display|monitor|screen|camera|footage|resolution|film|movie|run|race|ultra"
    return bool(re.match(rf"[ -](?:{things})\b", found.string[found.end() :], re.IGNORECASE))


def _joined(found: re.Match[str]) -> str:
    return re.sub(r"\D", "", found[0])


def _power(found: re.Match[str]) -> str:
    base, exponent = found[1], found[2].lstrip("+")
    base = decimal(base) if base[:1].isdigit() else "A" if base == "a" else base
    if named := {"2": "squared", "3": "cubed"}.get(exponent):
        return f"{base} {named}"
    if exponent.isalpha():
        return f"{base} to the power of {exponent}"
    sign = "minus " if exponent[0] in "-—" else ""
    return f"{base} to the power of {sign}{cardinal(int(exponent.lstrip('-—')))}"


def _power_unit(found: re.Match[str]) -> str:
    amount, sign, power = found.groups()
    one, many = UNITS[sign]
    return f"{decimal(amount)} {_POWERS[power]} {one if amount == '1' else many}"


def _exponent(found: re.Match[str]) -> str:
    sign = "minus " if found[2] in ("-", "—") else ""
    return f"{decimal(found[1])} e {sign}{cardinal(int(found[3]))}"


def _height(found: re.Match[str]) -> str:
    return f"{cardinal(int(found[1]))} {cardinal(int(found[2]))}"


def _between(found: re.Match[str]) -> str:
    """10-15 as "10 to 15", 10 - 3 as "10 minus 3"."""
    first, second = (float(found[group].replace(",", "")) for group in (1, 3))
    less = found[2][0] == " " and (second < first or found[4])
    return f"{found[1]} {'minus' if less else 'to'} "


def _money_range(found: re.Match[str]) -> str:
    """$5-10 and $5-$10 as "5 to $10"; cents and scales keep a currency of their own."""
    sign, amount, scale, second = found.groups()
    own = second and (scale or "." in amount)
    return f"{sign * bool(own)}{amount}{scale or ''} to {'' if second else sign}"


def _quick_rules() -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
    """What is read by its form before anything else: grouped digits, powers, ranges."""
    return [
        (re.compile(r"(?<![\d+(.,-])\b\d{1,3}(?:(['_])\d{3})(?:\1\d{3})*\b(?![-.]\d)"), _joined),
        (
            re.compile(r"(?<![\d+(.,-])(?<!\d )\b\d{1,3}(?: \d{3}(?: \d{3})+| 000)\b(?! ?[-\d])"),
            _joined,
        ),
        (
            re.compile(rf"(?<![\d,])(\d+),(?=\d{{1,2}} ?(?:{_UNIT_SIGNS}|[€$£])(?!\w))"),
            lambda found: f"{found[1]}.",
        ),
        (
            re.compile(rf"(?<![\w.])({NUMBER}) ?({_UNIT_SIGNS})\^?([23])(?![\w^.])"),
            _power_unit,
        ),
        (
            re.compile(r"(?<![\w.])(\d+(?:\.\d+)?|[A-Za-z]|\))\^\(?([-—+]?\d+|[a-z]\b)\)?(?!\w)"),
            _power,
        ),
        (re.compile(r"\b(\d+(?:\.\d+)?)[eE]([-—+]?)(\d{1,3})\b"), _exponent),
        (re.compile(r"(?<![\w.])(\d)(?:'| ?ft\.? ?)(\d\d?)(?:[\"“”]|'')"), _height),
        (re.compile(r"\b(\d+(?:\.\d+)?)[xX](?= (?!\d))"), lambda m: f"{decimal(m[1])} times"),
    ]


def _ranges() -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
    """Two numbers with a dash between them; the unit or currency is said once."""
    signs = "".join(map(re.escape, CURRENCIES))
    return [
        (
            re.compile(
                rf"([{signs}])({NUMBER})([kKmMbBT]|bn)? ?[-—] ?(?=([{signs}])?(?:{NUMBER}))"
            ),
            _money_range,
        ),
        (
            re.compile(
                rf"(?<![\w.,-])(?:{NUMBER}) ?(?:{_UNIT_SIGNS}) ?[-—] ?"
                rf"(?=(?:{NUMBER}) ?(?:{_UNIT_SIGNS})(?!\w))"
            ),
            lambda found: f"{found[0].rstrip(' -—')} to ",
        ),
        (
            re.compile(rf"(?<![\w.,-])({NUMBER})( ?[-—] ?)(?=({NUMBER})(?![\d-])( ?=)?)"),
            _between,
        ),
    ]


def rules() -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
    """What is read as a quantity and how, in the order to try; dates and times come before."""
    signs = "".join(map(re.escape, CURRENCIES))
    return [
        *_quick_rules(),
        *_ranges(),
        (
            re.compile(rf"([{signs}]) ?({NUMBER})(?: ({SCALE})|([kKmMbBT]|bn)\b)?"),
            _money,
        ),
        (
            re.compile(rf"(\b(?:{_RATED})(?: (?:is|of|a|an|it))?:? )(\d{{1,3}})/(5|10|100)\b"),
            lambda m: f"{m[1]}{cardinal(int(m[2]))} out of {cardinal(int(m[3]))}",
        ),
        (
            re.compile(rf"(\b(?i:{_NAMED}) )?(?<![\w.,])({NUMBER})([kKMB]|bn|(?<=\.\d)T)\b(?!')"),
            _scaled,
        ),
        (re.compile(r"(?:\b(\d+) )?\b(\d{1,3})/(\d{1,3})\b(?!/)"), _fraction),
        (re.compile(rf"(?<![\w.])({NUMBER})(?: ?({_UNIT_SIGNS}))(?![\w/])"), _unit),
    ]
