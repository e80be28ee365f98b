"""Texts with places for values, in the notation of `str.format`, of which only values are told."""

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
        return super().get_field(field_name, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> str:
        if any(int(number[:20]) > WIDEST for number in re.findall(r"\d+", format_spec)):
            raise TemplateError(f"f_string: a place is wider than {WIDEST} characters")
        return super().format_field(value, format_spec)


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A text with ``{a}`` replaced by the value of that name, ``{a:.2f}`` as it says.

    Raises:
        TemplateError: it names a value that is not there, or cannot be read.
    """
    try:
        return _Filler().vformat(template, (), values)
    except TemplateError:
        raise
    except (KeyError, IndexError) as error:
        known = ", ".join(f"{{{name}}}" for name in values) or "no value"
        raise TemplateError(
            f"f_string: there is no {error}; connected is {known}. Write {{{{ for a brace"
        ) from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise TemplateError(f"f_string cannot be filled: {error}") from None
