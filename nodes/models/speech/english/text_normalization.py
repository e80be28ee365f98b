"""Text normalization: numbers, signs and abbreviations of written English become words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from nodes.models.speech.english import measures
from nodes.models.speech.english.numbers import cardinal, decimal, digits, ordinal, roman, year

Rewrite = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

# Letters that only look different.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼʹ′`´", "'"),
        **dict.fromkeys("«„‟″", "“"),
        "»": "”",
        **dict.fromkeys("‐‑\u00ad", "-"),
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
    "est": "established",
}
_BEFORE_A_NUMBER = {
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
_YEAR_BEFORE = "in|since|by|from|until|till|before|after|during|around|of|year|circa|to|and"


def _address(found: re.Match[str]) -> str:
    """Of a web page or a mailbox: every sign is said."""
    said = re.sub(r"^(?:https?://)?(?:www\.)?|[/.]+$", "", found[0])
    for sign, word in (
        ("@", "at"),
        (".", "dot"),
        ("/", "slash"),
        ("-", "dash"),
        ("_", "underscore"),
    ):
        said = said.replace(sign, f" {word} ")
    return re.sub(r"[^\w ]+", " ", said)


def _decade(found: re.Match[str]) -> str:
    century, tens = found[1] or "", found[2]
    if century == "20" and tens == "00":
        return "two thousands"
    said = {"0": "hundreds", "1": "tens"}.get(tens[0]) or cardinal(int(tens)).replace("y", "ies")
    return f"{cardinal(int(century)) if century else ''} {said}".strip()


def _four_digits(found: re.Match[str]) -> str:
    number = int(found[0])
    return year(number) if 1900 <= number <= 2099 else cardinal(number)


def _version(found: re.Match[str]) -> str:
    return " point ".join(cardinal(int(part)) for part in found[0].split("."))


def _roman(found: re.Match[str]) -> str:
    value = roman(found[2])
    if value is None:
        return found[0]
    if re.fullmatch(_NUMBERED, found[1], re.IGNORECASE):
        return f"{found[1]} {cardinal(value)}"
    if value == 1 or len(found[2]) < 2 or found[1].islower():
        return found[0]
    return f"{found[1]} the {ordinal(value)}"


def _between(sign: str, word: str) -> Rewrite:
    return re.compile(rf"(?<=\d) ?{sign} ?(?=[\d.])"), f" {word} "


def _dotted(words: dict[str, str], then: str = "") -> Rewrite:
    names = "|".join(words)
    return re.compile(rf"\b({names})\.{then}"), lambda found: words[found[1]]


def _initials(found: re.Match[str]) -> str:
    """U.S.A. as USA; at the end of a sentence the full stop stays."""
    return found[0].replace(".", "").upper() + "." * (found.end() == len(found.string))


def _abbreviations() -> Iterator[Rewrite]:
    yield re.compile(r"\bhttps?://[^\s<>\"]+|\bwww\.[^\s<>\"]+"), _address
    yield re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), _address
    yield (
        re.compile(
            r"\b[a-z][\w-]*(?:\.[a-z][\w-]*)*\.(?:com|org|net|edu|gov|io|dev|ai)\b(?:/\S*)?"
        ),
        _address,
    )
    yield re.compile(r"\bAT&T\b"), "A T and T"
    yield re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof)\."), lambda found: _TITLES[found[1]]
    yield re.compile(rf"\b({'|'.join(_TITLES)})\b\.?(?= [A-Z])"), lambda m: _TITLES[m[1]]
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
    yield re.compile(r"(?:\b(\d\d)|')(\d0)'?s\b"), _decade
    yield re.compile(r"(?<![\w)])[-—](?=\.?\d)"), "minus "
    yield re.compile(rf"\b({number})in\b"), lambda found: f"{decimal(found[1])} inches"
    yield from measures.rules(british)
    yield re.compile(r"\b\d+(?:\.\d+){2,}\b"), _version
    yield re.compile(r"\b(\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)\b"), _ordinal
    yield re.compile(r"#(?=\d)"), "number "
    yield re.compile(r"#(?=\w)"), "hashtag "
    yield _between("[-—]", "to")
    yield _between("[x×*]", "times")
    yield _between("/", "over")
    yield _between("<", "is less than")
    yield _between(">", "is greater than")
    yield (
        re.compile(rf"\b({_YEAR_BEFORE}) (1[0-8]\d\d)\b(?![,.]?\d)", re.IGNORECASE),
        lambda found: f"{found[1]} {year(int(found[2]))}",
    )
    yield re.compile(r"(?<![\d.,])\d{4}\b(?![,.]?\d)"), _four_digits
    yield re.compile(rf"(?<![.\d])(?:{number})"), _number
    yield re.compile(r"\d+"), lambda found: digits(found[0])


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
        *_abbreviations(),
        (re.compile(r"\b([A-Z][a-z]+|[a-z]+) ([XVI]+)\b(?!')"), _roman),
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
        said = _lettered(text.translate(_PLAIN))
        for pattern, replacement in self._rules:
            said = pattern.sub(replacement, said)
        return re.sub(r"\s+", " ", said).strip()


def _lettered(text: str) -> str:
    """Compatibility forms resolved (full width, ligatures, ½), invisible signs removed."""
    halves = re.sub(r"(?<=\d)(?=[½⅓⅔¼¾⅛])", " ", text)
    composed = unicodedata.normalize("NFKC", halves).replace("\u2044", "/")
    return "".join(
        " " if unicodedata.category(letter) in ("Zs", "Cc", "Zl", "Zp") else letter
        for letter in composed
        if unicodedata.category(letter) not in ("Cf", "So", "Sk", "Co", "Cn", "Cs")
        or letter in "°^"
    )
