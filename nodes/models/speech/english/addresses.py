"""Addresses in English words: web pages, mailboxes, paths, file names, versions."""

from __future__ import annotations

import re
from collections.abc import Callable

from nodes.models.speech.english.numbers import cardinal, digits

_WORDS = {
    "@": "at",
    ".": "dot",
    "/": "slash",
    "\\": "backslash",
    ":": "colon",
    "-": "dash",
    "_": "underscore",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "%": "percent",
    "~": "tilde",
    "+": "plus",
}
_SUFFIXES = (
    "py|js|ts|tsx|jsx|json|txt|md|html|css|png|jpg|jpeg|gif|pdf|csv|xml|yaml|yml|toml|sh|zip|gz|exe|"
    "dll|mp3|mp4|wav|onnx|safetensors|rs|go|cpp|java|ini|cfg|conf|log|doc|docx|xls|xlsx|sql|bin|"
    "bashrc|env"
)
_DOMAINS = "com|org|net|edu|gov|io|dev|ai|co|uk|de|fr"


def _address(found: re.Match[str]) -> str:
    """Of a web page or a mailbox: every sign is said."""
    said = re.sub(r"^(?:https?://)?(?:www\.)?|[/.,;:!?]+$", "", found[0])
    return _signs(said) + _stop(found[0])


def _path(found: re.Match[str]) -> str:
    """Of a file: every sign is said."""
    return _signs(found[0].rstrip(".,;:!?")) + _stop(found[0])


def _signs(address: str) -> str:
    said = re.sub(r"[@./\\:\-_?=&#%~+]", lambda sign: f" {_WORDS[sign[0]]} ", address)
    return re.sub(r"[^\w ]+", " ", re.sub(" {2,}", " ", said)).strip()


def _stop(address: str) -> str:
    """The mark behind an address, which is none of it."""
    return mark[0] if (mark := re.search(r"[.,;:!?]$", address)) else ""


def _version(found: re.Match[str]) -> str:
    name, numbers, suffix = found[1] or "", found[2].split("."), found[3]
    if not name and len(numbers) == 4:
        return " dot ".join(cardinal(int(number)) for number in numbers)
    said = " point ".join(
        digits(number) if number[0] == "0" else cardinal(int(number)) for number in numbers
    )
    return ("version " if name else "") + said + (f" {suffix}" if suffix else "")


RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\bhttps?://[^\s<>\"“”()]+|\bwww\.[^\s<>\"“”()]+"), _address),
    (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), _address),
    (
        re.compile(
            rf"\b[a-z][\w-]*(?:\.[a-z][\w-]*)*\.(?:{_DOMAINS})\b(?:/[^\s()“”\"]*)?(?!\.?\w)"
        ),
        _address,
    ),
    (re.compile(r"(?<![\w.)/])(?:~|\.{1,2})?/(?:[\w.@+-]+/?)+"), _path),
    (re.compile(r"\b[A-Z]:\\(?:[\w.@+-]+\\?)*"), _path),
    (re.compile(r"\b(?=[\w/-]*[A-Za-z_])[\w-]+(?:/[\w-]+)+/?(?=\.\w)\.\w{1,8}\b"), _path),
    (re.compile(rf"\b[A-Za-z_][\w-]*\.(?:{_SUFFIXES})\b(?!\.\w)"), _path),
    (re.compile(r"(?<!\w)\.(?=[A-Za-z]{2,})"), lambda found: "dot "),
    (
        re.compile(
            r"\b(?!\d\d?\.\d\d?\.(?:1\d|20)\d\d\b)"
            r"([vV](?:ersion )?\.? ?(?=\d+\.))?(\d+(?:\.\d+){2,}|(?<=[vV])\d+\.\d+)"
            r"(?:-?((?:rc|alpha|beta|dev)\d*))?\b"
        ),
        _version,
    ),
)
