"""Nodes that compute with numbers."""

from __future__ import annotations

import math
from string import ascii_lowercase
from typing import Annotated, Any, NamedTuple

from engine import Choice, Mark, Range, Slots, Text, Tooltip, Widget, node

ASPECTS = {
    "1:1 (Square)": (1, 1),
    "2:3 (Portrait Photo)": (2, 3),
    "3:2 (Photo)": (3, 2),
    "3:4 (Portrait Standard)": (3, 4),
    "4:3 (Standard)": (4, 3),
    "9:16 (Portrait Widescreen)": (9, 16),
    "16:9 (Widescreen)": (16, 9),
    "21:9 (Ultrawide)": (21, 9),
}
MEGAPIXEL = 1024 * 1024


class Result(NamedTuple):
    """What an expression comes to, in three types."""

    FLOAT: float
    INT: int
    BOOL: bool


@node("ComfyMathExpression", category="utilities", display_name="Math Expression")
def expression(
    *,
    expression: Annotated[
        str,
        Text(multiline=True),
        Tooltip("In Python's notation: a * 2, max(a, b), a if b > 0 else c, values[0] ..."),
    ] = "a + b",
    values: Annotated[
        dict[str, float | int | bool],
        Slots(tuple(ascii_lowercase)),
        Tooltip("Numbers, by a letter."),
    ],
) -> Result:
    """What an expression comes to; connected values are a, b, c ..., and all of them `values`."""
    from nodes.models.data.expressions import value_of

    found = value_of(expression, {**values, "values": [*values.values()]})
    return Result(float(found), int(found), bool(found))


class Numbers(NamedTuple):
    """A number in two types."""

    FLOAT: float
    INT: int


@node("ComfyNumberConvert", category="utilities", display_name="Convert Number")
def convert_number(
    *, value: Annotated[int | float | str | bool, Tooltip("A number, or a text such as 12.5.")]
) -> Numbers:
    """A number, yes or no, or a text that reads as a number; what is behind the point is cut off.

    Raises:
        ValueError: it reads as none.
    """
    if isinstance(value, str):
        return _read(value.strip())
    if not math.isfinite(value):
        raise ValueError(f"value: {value} is no finite number")
    return Numbers(float(value), int(value))


def _read(text: str) -> Numbers:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"value: {text[:100]!r} is no number; give one such as 12.5") from None
    if not math.isfinite(number):
        raise ValueError(f"value: {text[:100]!r} is no finite number")
    try:
        return Numbers(number, int(text))
    except ValueError:
        return Numbers(number, int(number))


class Size(NamedTuple):
    """The sides of a picture."""

    width: int
    height: int


@node("ResolutionSelector", category="utilities", display_name="Resolution Selector")
def select_resolution(
    *,
    aspect_ratio: Annotated[str, Choice([*ASPECTS]), Tooltip("Width to height.")] = "1:1 (Square)",
    megapixels: Annotated[
        float, Range(0.1, 16.0, 0.1), Tooltip("1 is as many pixels as 1024 x 1024 have.")
    ] = 1.0,
    multiple: Annotated[
        int, Range(8, 128, 4), Tooltip("Both sides become multiples of it."), Mark.ADVANCED
    ]
    | None = 8,
    preview: Annotated[Any, Widget("RESOLUTION_PREVIEW"), Tooltip("For the editor alone.")]
    | None = None,
) -> Size:
    """Sides of the wanted proportions that make about so many pixels."""
    wide, high = ASPECTS[aspect_ratio]
    step = multiple or 8
    scale = math.sqrt(megapixels * MEGAPIXEL / (wide * high))
    return Size(round(wide * scale / step) * step, round(high * scale / step) * step)
