"""Texts with fields for values, in the notation of `str.format`, without attributes and calls."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

WIDEST = 100_000


class TemplateError(ValueError):
    """A text with places that cannot be filled; the text says why."""


class _Filler(string.Formatter):
    """Gives items of values, never attributes: those lead to everything a program holds."""

    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, str]:
        if "." in field_name.partition("[")[0] or "]." in field_name:
            raise TemplateError(
                f"f_string: {{{field_name[:100]}}} asks for an attribute; only values and their "
                "items can be shown, {a} or {a[0]}"
            )
        name, _, item = field_name.partition("[")
        if name not in kwargs:
            known = ", ".join(f"{{{name}}}" for name in kwargs) or "no value"
            raise TemplateError(
                f"f_string: there is no {{{name[:100]}}}; connected is {known}. "
                "Write {{ for a brace"
            )
        try:
            return super().get_field(field_name, args, kwargs)
        except (LookupError, TypeError, ValueError):
            raise TemplateError(
                f"f_string: the value of {{{name}}} has no item [{item[:100]}; it is "
                f"{_kind(kwargs[name])}"
            ) from None

    def format_field(self, value: Any, format_spec: str) -> str:
        if any(int(number[:20]) > WIDEST for number in re.findall(r"\d+", format_spec)):
            raise TemplateError(f"f_string: a place is wider than {WIDEST} characters")
        try:
            return super().format_field(value, format_spec)
        except (ValueError, TypeError, OverflowError):
            raise TemplateError(
                f"f_string: the format {format_spec[:100]!r} does not fit {_kind(value)}; "
                "write {a:.2f} for a number with two decimals, or {a} alone"
            ) from None


def _kind(value: Any) -> str:
    """What a value is, in words."""
    words: dict[str, str] = {
        **{"int": "a whole number", "float": "a number", "str": "a text", "bool": "yes or no"},
        **{"list": "a list", "tuple": "a list", "dict": "a table", "NoneType": "nothing"},
    }
    kind = type(value).__name__
    return words.get(kind, f"a {kind}")


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A text with ``{a}`` replaced by the value of that name, ``{a:.2f}`` as it says.

    Raises:
        TemplateError: it names a value that is not there, or cannot be read.
    """
    try:
        return _Filler().vformat(template, (), values)
    except TemplateError:
        raise
    except (ValueError, LookupError, TypeError, RecursionError):
        raise TemplateError(
            "f_string: a brace has no partner, or what is in it is no place such as {a} or "
            "{a:.2f}; write {{ and }} for braces"
        ) from None
