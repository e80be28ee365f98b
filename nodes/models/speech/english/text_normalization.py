"""Text normalization: numbers, signs and abbreviations of written English become words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from nodes.models.speech.english import addresses, dates, measures
from nodes.models.speech.english.numbers import cardinal, decimal, digits, ordinal, roman, year
from nodes.models.speech.markup import unmarked

Rewrite = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

# Letters that only look different.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼʹ′`´", "'"),
        **dict.fromkeys("«„‟″", "“"),
        "»": "”",
        **dict.fromkeys("‐‑", "-"),
        **dict.fromkeys("–―−", "—"),
        **dict.fromkeys("[{", "("),
        **dict.fromkeys("]}", ")"),
        "。": ". ",
        "、": ", ",
        "¿": "",
        "¡": "",
    }
)

_TITLES = {
    "Mr": "mister",
    "Mrs": "missus",
    "Ms": "miz",
    "Dr": "doctor",
    "Prof": "professor",
    "Gen": "general",
    "Col": "colonel",
    "Capt": "captain",
    "Lt": "lieutenant",
    "Sgt": "sergeant",
    "Rev": "reverend",
    "Sen": "senator",
    "Rep": "representative",
    "Gov": "governor",
    "Pres": "president",
    "Hon": "honorable",
    "Mt": "mount",
    "Ft": "fort",
}
_DOTTED = {
    "Jr": "junior",
    "Sr": "senior",
    "Inc": "incorporated",
    "Ltd": "limited",
    "Co": "company",
    "Corp": "corporation",
    "Ave": "avenue",
    "Blvd": "boulevard",
    "Rd": "road",
    "Dept": "department",
    "Univ": "university",
    "approx": "approximately",
    "Temp": "temperature",
    "temp": "temperature",
    "cf": "compare",
    "sq": "square",
    "est": "established",
}
_BEFORE_A_NUMBER = {
    "Apt": "apartment",
    "apt": "apartment",
    "sec": "section",
    "Sec": "section",
    "vol": "volume",
    "Vol": "volume",
    "fig": "figure",
    "Fig": "figure",
    "ch": "chapter",
    "Ch": "chapter",
    "p": "page",
    "pp": "pages",
    "No": "number",
    "no": "number",
    "Nos": "numbers",
    "figs": "figures",
    "Figs": "figures",
}
# Within a sentence only: at its end they are words (the Sun.) or names (Jan.).
_CALENDAR = {
    "Jan": "January",
    "Feb": "February",
    "Mar": "March",
    "Apr": "April",
    "Jun": "June",
    "Jul": "July",
    "Aug": "August",
    "Sep": "September",
    "Sept": "September",
    "Oct": "October",
    "Nov": "November",
    "Dec": "December",
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Tues": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Thurs": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}
_SIGNS = {
    "&": " and ",
    "@": " at ",
    "+": " plus ",
    "=": " equals ",
    "%": " percent ",
    "×": " times ",
    "÷": " divided by ",
    "±": " plus or minus ",
    "≈": " about ",
    "≤": " at most ",
    "≥": " at least ",
    "√": " square root of ",
    "π": " pi ",
    "°": " degrees ",
    "~": " about ",
    "€": " euros ",
    "£": " pounds ",
    "$": " dollars ",
    "→": ", ",
    "•": ", ",
    "|": ", ",
    "/": " ",
    "\\": " ",
    "_": " ",
    "<": " ",
    ">": " ",
}
_NUMBERED = (
    "chapter|part|act|volume|book|section|war|phase|level|type|episode|figure|mark|title|"
    "appendix|article|grade|stage|class|round|scene"
)
_YEAR_BEFORE = "in|since|until|till|during|circa|year|of"
# A plural noun behind four digits: they count.
_COUNTED = (
    r" (?:(?!(?:was|is|has|as|its|this|us|plus|his|versus|does|always|across|besides|perhaps)\b)"
    r"[a-z]+s|people|men|women|children)\b"
)
# Languages and their like, written with a sign.
_SHARP = re.compile(r"\b([A-GJ])#(?!\w)")
_LATIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψω",
        re.findall(
            r"\w+",
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi "
            "rho sigma tau upsilon phi chi psi omega",
        ),
        strict=True,
    )
)


def _decade(found: re.Match[str]) -> str:
    century, tens = found[1] or "", found[2]
    if century == "20" and tens == "00":
        return "two thousands"
    said = {"0": "hundreds", "1": "tens"}.get(tens[0]) or cardinal(int(tens)).replace("y", "ies")
    return f"{cardinal(int(century)) if century else ''} {said}".strip()


def _four_digits(found: re.Match[str]) -> str:
    """A year where nothing says otherwise, and years are read so even where they are none."""
    number = int(found[1])
    said = year(number) if 1010 <= number <= 2099 else decimal(found[1])
    around = found.string
    before = " " if found.start() and around[found.start() - 1].isalpha() else ""
    after = " " if found.end() < len(around) and around[found.end()].isalpha() else ""
    return f"{before}{said}{after}"


def _code(found: re.Match[str]) -> str:
    """BA2490 as "B A two four nine oh"; FY2024 holds a year."""
    letters, number = found.groups()
    if 1900 <= int(number) <= 2099:
        return f"{letters} {year(int(number))}"
    return f"{letters} {digits(number).replace('zero', 'oh')}"


def _lines(found: re.Match[str]) -> str:
    """1080p as "ten eighty P"."""
    number = int(found[1])
    hundreds, rest = divmod(number, 100)
    said = f"{cardinal(hundreds)} {cardinal(rest)}" if rest >= 10 else cardinal(number)
    return f"{said} {found[2].upper()}"


def _superscript(found: re.Match[str]) -> str:
    """5² as 5^2; behind a word it is the number of a footnote, which is not read."""
    word, raised = found[1], found[2].translate(_LATIN)
    return word if word.isalpha() and len(word) > 2 else f"{word}^{raised}"


def _alone(found: re.Match[str]) -> str:
    """MMXXIV as a year."""
    value = roman(found[0])
    if value is None:
        return found[0]
    return year(value) if 1000 <= value < 2100 else cardinal(value)


def _roman(found: re.Match[str]) -> str:
    value = roman(found[2])
    if value is None:
        return found[0]
    if re.fullmatch(_NUMBERED, found[1], re.IGNORECASE):
        return f"{found[1]} {cardinal(value)}"
    if value == 1 or len(found[2]) < 2 or found[1].islower():
        return found[0]
    return f"{found[1]} the {ordinal(value)}"


def _sign(sign: str, word: str) -> Rewrite:
    return re.compile(rf"(?<=\d) ?{sign} ?(?=[\d.])"), f" {word} "


def _dotted(words: dict[str, str], then: str = "") -> Rewrite:
    names = "|".join(words)
    return re.compile(rf"\b({names})\.{then}"), lambda found: words[found[1]]


def _initials(found: re.Match[str]) -> str:
    """U.S.A. as USA; at the end of a sentence the full stop stays."""
    return found[0].replace(".", "").upper() + "." * (found.end() == len(found.string))


def _abbreviations() -> Iterator[Rewrite]:
    yield re.compile(r"\bPh\.\s?D\b\.?(?=,? [a-z(]|[,;:)])|\bPh\.D(?=\.)"), "PhD"
    yield re.compile(r"\bAT&T\b"), "A T and T"
    yield re.compile(r"\b(Mr|Mrs|Ms|Prof)\.|\bDr\.(?= ?[A-Z])"), lambda m: _TITLES[m[1] or "Dr"]
    yield re.compile(rf"\b({'|'.join(_TITLES)})\b\.?(?= [A-Z])"), lambda m: _TITLES[m[1]]
    yield re.compile(r"(?<=[a-z] )Dr\b\.?(?! ?[A-Z])"), "drive"
    yield re.compile(r"\b([A-Z]\w+) [Vv]\.(?= [A-Z])"), r"\1 versus"
    yield re.compile(r"\bP\.? ?O\.?(?= [Bb]ox\b)"), "P O"
    yield re.compile(r"\bSt\.?(?= [A-Z])"), "saint"
    yield re.compile(r"(?<=[a-z] )St\b\.?"), "street"
    yield re.compile(r"\b[Ee]\.g\.,?"), "for example,"
    yield re.compile(r"\b[Ii]\.e\.,?"), "that is,"
    yield re.compile(r"\betc\b\.?(?=,?\s*(?:[a-z]|$|[)—]))"), "et cetera"
    yield re.compile(r"\betc\b\.?"), "et cetera."
    yield re.compile(r"\b[Vv]s\b\.?"), "versus"
    yield re.compile(r"\bw/(?= ?\w)"), "with "
    yield _dotted(_DOTTED)
    yield _dotted(_BEFORE_A_NUMBER, r"(?= ?\d)")
    yield _dotted(_CALENDAR, r"(?=,? \w)")
    yield re.compile(r"\b(?:[A-Za-z]\.){2,}"), _initials
    yield re.compile(r"(?<![\w.])([A-Z])\.(?= ?[A-Z])"), r"\1"


def _quantities(british: bool) -> Iterator[Rewrite]:
    number = measures.NUMBER
    yield (
        re.compile(
            r"\b((?:for|in|after|within|took|takes|wait|waits|than|about|under|over|every|lasts|"
            r"timeout|delay|of|at|to) )(\d0)s\b(?! [a-z]+(?:s|ic)\b| kid| style)"
        ),
        lambda found: f"{found[1]}{cardinal(int(found[2]))} seconds",
    )
    yield re.compile(r"(?:\b(\d\d)|'|\b)([02-9]0)'?s\b"), _decade
    yield re.compile(r"(?<![\w)%°^])[-—](?=\.?\d)"), "minus "
    yield re.compile(rf"\b({number})(?:in\b| in\.(?= [a-z]))"), _inches
    yield re.compile(r"\b([A-Z]{1,3})(\d{4,})\b(?![.,]\d)"), _code
    yield re.compile(r"(?<![\w.,])(\d{3,4})([pi])\b"), _lines
    yield re.compile(r"(?<=\d)([abcdef])\b(?!-\d)"), lambda found: f" {found[1].upper()}"
    yield from dates.rules(british)
    yield from measures.rules()
    yield re.compile(r"\b(\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)\b"), _ordinal
    yield _SHARP, r"\1 sharp"
    yield re.compile(r"#(?=\d)"), "number "
    yield re.compile(r"#(?=\w)"), "hashtag "
    yield _sign("[-—]", "to")
    yield _sign("[x×*]", "times")
    yield _sign("/", "over")
    yield _sign("<", "is less than")
    yield _sign(">", "is greater than")
    yield (
        re.compile(rf"\b({_YEAR_BEFORE}) (1[0-8]\d\d)\b(?![,.]?\d)", re.IGNORECASE),
        lambda found: f"{found[1]} {year(int(found[2]))}",
    )
    yield re.compile(rf"(?<![\d.,])(?<!= )(\d{{4}})\b(?![,.]?\d|{_COUNTED})"), _four_digits
    yield re.compile(rf"(?<![.\d])(?:{number})"), _number
    yield re.compile(r"\d+"), lambda found: digits(found[0])


def _inches(found: re.Match[str]) -> str:
    return f"{decimal(found[1])} {'inch' if found[1] == '1' else 'inches'}"


def _ordinal(found: re.Match[str]) -> str:
    return ordinal(int(found[1].replace(",", "")))


def _number(found: re.Match[str]) -> str:
    """A number; one that touches a letter (GPT-4, 3D, mp3) is set off from it."""
    said = decimal(found[0])
    around = found.string
    before = " " if found.start() and around[found.start() - 1].isalpha() else ""
    after = " " if found.end() < len(around) and around[found.end()].isalpha() else ""
    return f"{before}{said}{after}"


def _rules(british: bool) -> tuple[Rewrite, ...]:
    return (
        (re.compile(r'(?:(?<=[\s(—])|^)"(?=\S)'), "“"),
        (re.compile(r'"'), "”"),
        (re.compile(r"\b([Tt])h'(?= )"), r"\1he"),
        *addresses.RULES,
        *_abbreviations(),
        (re.compile(r"\b([A-Z][a-z]+|[a-z]+) ([XVI]+)\b(?!')"), _roman),
        (re.compile(r"\b(?=[MDCLXVI]{4,}\b)(?!MILD|CIVIL|VIVID|LIVID|CIVIC)[MDCLXVI]+\b"), _alone),
        *_quantities(british),
        (re.compile(r"(?<=\w)\s*&\s*(?=\w)"), " and "),
        (re.compile(r"\*+"), ""),
        (re.compile("|".join(map(re.escape, _SIGNS))), lambda found: _SIGNS[found[0]]),
        (re.compile(r"(?<=\w)\(s\)"), "s"),
        (re.compile(r"(?<!\w)-+(?=\w)|(?<=\w)-+(?!\w)|(?<!\w)-+(?!\w)"), " — "),
        (re.compile(r"-{2,}"), " — "),
        (re.compile(r"\.{2,}"), "…"),
    )


class TextNormalizer:
    """Rewrites text for one accent (dates differ)."""

    def __init__(self, *, british: bool) -> None:
        self._rules = _rules(british)

    def __call__(self, text: str) -> str:
        """The text in letters and punctuation only; emoji and unknown signs are dropped."""
        said = _lettered(_SUPERSCRIPT.sub(_superscript, unmarked(text)).translate(_PLAIN))
        for pattern, replacement in self._rules:
            said = pattern.sub(replacement, said)
        return re.sub(r"\s+", " ", said).strip()


def _greek(found: re.Match[str]) -> str:
    """Greek letters by their names."""
    names = (_GREEK.get(letter, "sigma") for letter in found[0].lower())
    return f" {' '.join(names)} "


_SUPERSCRIPT = re.compile(r"([A-Za-z]+|\d|\)|)([⁻⁺]?[⁰¹²³⁴-⁹]+)")


def _lettered(text: str) -> str:
    """Compatibility forms resolved (full width, ligatures, ½), invisible signs removed."""
    text = re.sub("(?<=\\d)[\u00a0\u202f\u2009](?=\\d{3}(?!\\d))", "_", text)
    text = re.sub("[α-ωΑ-Ω]+", _greek, text)
    halves = re.sub(r"(?<=\d)(?=[½⅓⅔¼¾⅛])", " ", text)
    composed = unicodedata.normalize("NFKC", halves).replace("\u2044", "/")
    return "".join(
        " " if unicodedata.category(letter) in ("Zs", "Cc", "Zl", "Zp") else letter
        for letter in composed
        if unicodedata.category(letter) not in ("Cf", "So", "Sk", "Co", "Cn", "Cs")
        or letter in "°^"
    )
