"""Regular expressions that give up: a pattern from a workflow may take years on the wrong text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import regex

SECONDS = 3.0  # of this process's CPU time, which is what the library can measure
MODES = ("First Match", "All Matches", "First Group", "All Groups")

T = TypeVar("T")


class PatternError(ValueError):
    """A regular expression that cannot be used; the text says why and what to do."""


def compiled(
    pattern: str, *, case_insensitive: bool, multiline: bool, dotall: bool
) -> regex.Pattern[str]:
    """A regular expression in Python's notation.

    Raises:
        PatternError: it is none.
    """
    flags = regex.VERSION0
    if case_insensitive:
        flags |= regex.IGNORECASE
    if multiline:
        flags |= regex.MULTILINE
    if dotall:
        flags |= regex.DOTALL
    try:
        return regex.compile(pattern, flags)
    except (regex.error, OverflowError, RecursionError) as error:
        raise PatternError(
            f"regex_pattern: {pattern[:200]!r} is no regular expression: {error}"
        ) from None


def found(pattern: regex.Pattern[str], text: str) -> bool:
    """Whether a text holds a match."""
    return _timed(lambda: pattern.search(text, timeout=SECONDS)) is not None


def extracted(pattern: regex.Pattern[str], text: str, mode: str, group: int) -> str:
    """What matches, in one of the `MODES`; several on a line each, "" where nothing does.

    "Group" stands for the part in the pattern's parentheses of that number.

    Raises:
        PatternError: the pattern has no such group, or takes too long.
    """
    number = group if mode.endswith(("Group", "Groups")) else 0
    if number > pattern.groups:
        raise PatternError(
            f"group_index: the pattern has {pattern.groups} group(s), and no group {group}"
        )
    if mode.startswith("First"):
        match = _timed(lambda: pattern.search(text, timeout=SECONDS))
        return (match.group(number) or "") if match else ""
    matches = _timed(lambda: list(pattern.finditer(text, timeout=SECONDS)))
    return "\n".join(match.group(number) or "" for match in matches)


def replaced(pattern: regex.Pattern[str], text: str, by: str, count: int) -> str:
    r"""A text with what matches replaced; ``\1`` in `by` stands for the first group, and so on.

    Args:
        pattern: what is replaced.
        text: where.
        by: by what.
        count: the first so many of them; 0 for all.

    Raises:
        PatternError: `by` names a group that is not there, or the pattern takes too long.
    """
    try:
        return _timed(lambda: pattern.sub(by, text, count=count, timeout=SECONDS))
    except (regex.error, IndexError) as error:
        raise PatternError(f"replace: {by[:200]!r} cannot be filled in: {error}") from None


def _timed(search: Callable[[], T]) -> T:
    try:
        return search()
    except TimeoutError:
        raise PatternError(
            f"regex_pattern: no answer within {SECONDS:g} s; nested repetitions like (a+)+ take "
            "forever on some texts, write the pattern without them"
        ) from None
