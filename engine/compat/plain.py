"""Whatever a pack declares or shows, as plain JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import islice
from numbers import Integral, Real
from typing import Any, cast

from engine.authoring.errors import SoundstageError
from engine.run.limits import is_scalar

FOLDERS = re.compile(r"(?<![\w:/.])/(?:[^/\n'\"()]+/)+")
"""The folders of an absolute path, in a text."""
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Where in memory an object is, in its text."""
MAX_MESSAGE_LENGTH = 1000
MOST_ITEMS = 1_000_000
WIDEST = 2**1023
"""Integers beyond are no number for clients that count in doubles, as browsers do."""


class Endless(SoundstageError):
    """A list has more items than anybody can use, or no end."""


def plain(value: Any, *, wide: bool = False) -> Any:
    """A value as JSON has it.

    Enums become their values, tuples and sets lists, numbers of numpy and torch plain ones,
    subclasses of str plain ones, and what JSON does not know its text. A number that no client
    can read, which is infinite, say, becomes None, as a member of an object it goes.

    Args:
        value: anything.
        wide: integers may have more than 64 bits, as they are not sent by msgpack.

    Raises:
        Endless: a list has over a million items.
        Exception: whatever the value's own methods raise.
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value, wide=wide)
        case str():
            return text(value)
        case Integral() | Real():
            return _sent(number(value), wide=wide)
        case Mapping():
            pairs = _bounded(cast("Mapping[Any, Any]", value).items())
            return {text(k): plain(v, wide=wide) for k, v in pairs if not _is_unreadable(v)}
        case bytes():
            return value.decode(errors="replace")
        case _ if is_scalar(value):
            return plain(value.item(), wide=wide)
        case _ if isinstance(value, Iterable) and not isinstance(value, type):
            return listed(cast("Iterable[Any]", value), wide=wide)
        case _:
            return ADDRESS.sub("", text(value))


def listed(values: Iterable[Any], *, wide: bool = False) -> list[Any]:
    """Each value as JSON has it; see `plain`."""
    return [plain(item, wide=wide) for item in _bounded(values)]


def number(value: Any) -> int | float | None:
    """A number of any kind as Python's own; None for anything else, and for what is no finite one.

    Integers beyond the doubles count as infinite.
    """
    if is_scalar(value):
        value = value.item()
    if isinstance(value, bool):
        return None
    if isinstance(value, Integral):
        whole = int(value)
        return whole if abs(whole) < WIDEST else None
    if isinstance(value, Real):
        real = float(value)
        return real if math.isfinite(real) else None
    return None


def _sent(value: int | float | None, *, wide: bool) -> int | float | str | None:
    fits = wide or not isinstance(value, int) or -(2**63) <= value < 2**64
    return value if fits else str(value)


def _is_unreadable(value: Any) -> bool:
    """Whether it is a number that JSON cannot say, or no client can read."""
    if isinstance(value, bool | Enum) or not isinstance(value, Real):
        return False
    return number(value) is None


def _bounded(items: Iterable[Any]) -> list[Any]:
    found = list(islice(items, MOST_ITEMS + 1))
    if len(found) > MOST_ITEMS:
        raise Endless(f"a list has over {MOST_ITEMS} items, or no end")
    return found


def text(value: Any) -> str:
    """Its text, as a str and no subclass of it, that can be sent."""
    exact = str.__str__(value) if isinstance(value, str) else str(value)
    return exact.encode(errors="replace").decode()


def presentable(message: str) -> str:
    """An error's text as it may leave the machine: of paths only the file, no addresses."""
    return FOLDERS.sub("", ADDRESS.sub("", message[:MAX_MESSAGE_LENGTH]))
