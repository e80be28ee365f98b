"""Nodes that hold one plain value, so that several others can take it from one place."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from engine import Mark, Range, Text, Tooltip, node

LARGEST = 2**63 - 1


@node("PrimitiveString", category="utils/primitive", display_name="String")
def string(*, value: Annotated[str, Tooltip("The text.")]) -> str:
    """A text of one line."""
    return value


@node("PrimitiveStringMultiline", category="utils/primitive", display_name="String (Multiline)")
def multiline(*, value: Annotated[str, Text(multiline=True), Tooltip("The text.")]) -> str:
    """A text of several lines."""
    return value


@node("PrimitiveInt", category="utils/primitive", display_name="Int")
def integer(
    *, value: Annotated[int, Range(-LARGEST, LARGEST), Mark.SEED, Tooltip("The number.")]
) -> int:
    """A whole number."""
    return value


@node("PrimitiveFloat", category="utils/primitive", display_name="Float")
def number(*, value: Annotated[float, Range(-LARGEST, LARGEST), Tooltip("The number.")]) -> float:
    """A number."""
    return value


@node("PrimitiveBoolean", category="utils/primitive", display_name="Boolean")
def boolean(*, value: Annotated[bool, Tooltip("Yes or no.")]) -> bool:
    """Yes or no."""
    return value


class Seeded(NamedTuple):
    """A seed."""

    seed: int


@node("SeedNode", category="utilities", display_name="Seed")
def seed(
    *,
    seed: Annotated[
        int, Range(0, LARGEST), Mark.SEED, Tooltip("The same seed gives the same result.")
    ],
) -> Seeded:
    """A seed for several nodes."""
    return Seeded(seed)
