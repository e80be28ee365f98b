"""Whatever a pack declares or shows, as plain JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, cast

FOLDERS = re.compile(r"(?<![\w:/.])/(?:[^/\n'\"()]+/)+")
"""The folders of an absolute path, in a text."""


def plain(value: Any) -> Any:
    """A value as JSON has it.

    Enums become their values, tuples and sets lists, subclasses of str plain ones, and what JSON
    does not know its text. A number that is not finite becomes None, as a member of an object it
    goes.
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return text(value)
        case int():
            return int(value) if -(2**63) <= value < 2**64 else text(value)
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            pairs = cast("Mapping[Any, Any]", value).items()
            return {text(key): plain(item) for key, item in pairs if not endless(item)}
        case bytes():
            return value.decode(errors="replace")
        case _ if isinstance(value, Iterable) and not isinstance(value, type):
            return [plain(item) for item in cast("Iterable[Any]", value)]
        case _:
            return text(value)


def text(value: Any) -> str:
    """Its text, as a str and no subclass of it, that can be sent."""
    exact = str.__str__(value) if isinstance(value, str) else str(value)
    return exact.encode(errors="replace").decode()


def without_folders(told: str) -> str:
    """An error's text as it may leave the machine: of a file's path only its name."""
    return FOLDERS.sub("", told)


def endless(value: Any) -> bool:
    """Whether it is a number that JSON cannot say."""
    return isinstance(value, float) and not math.isfinite(value)
