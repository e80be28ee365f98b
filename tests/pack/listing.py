"""Nodes that block what follows, give and take lists, or overlap."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple, TypeVar

from engine import All, Artifact, Blocked, Each, Interrupted, node
from tests.pack.basics import note

T = TypeVar("T")


@node("Block", category="test")
def block(*, value: T, when: bool, message: str = "") -> T | Blocked:
    """Pass a value on, or block what follows."""
    return Blocked(message or None) if when else value


@node("BlockOdd", category="test")
def block_odd(*, count: int, message: str = "") -> Each[Any]:
    """Numbers, the odd ones blocked."""
    return [Blocked(message or None) if i % 2 else i for i in range(count)]


class Two(NamedTuple):
    """Two outputs."""

    good: Any
    bad: Any


@node("BlockSecond", category="test")
def block_second(*, value: int) -> Two:
    """Gives the first output alone."""
    return Two(value, Blocked())


@node("NapTogether", category="test")
async def nap_together(*, value: int, log: str, fail_at: int = -1) -> int:
    """Pass a value on a little later."""
    note(log, f"begin {value}")
    await asyncio.sleep(0.2)
    if value == fail_at:
        raise ValueError(f"not {value}")
    note(log, f"end {value}")
    return value


@node("CountAll", category="test")
def count_all(*, one: All[Any], other: All[Any]) -> str:
    """What came in by two inputs that take whole lists."""
    return f"{one} {other}"


class ShownAndGiven(NamedTuple):
    """An output beside what is shown."""

    shown: Artifact
    more: int


@node("ShowAndGive", category="test")
def show_and_give(*, value: int) -> ShownAndGiven:
    """An output node that also gives outputs."""
    return ShownAndGiven(Artifact(text=[str(value)]), value + 1)


@node("Concat", category="test")
def concat(*, one: str, two: str) -> str:
    """Two strings in a row."""
    return one + two


@node("Constant", category="test")
def constant() -> str:
    """Needs nothing."""
    return "always this"


@node("Words", category="test")
def words(*, text: str) -> Each[str]:
    """Each word by itself."""
    return text.split()


@node("Misreturns", category="test")
def misreturns(*, kind: str) -> Two:
    """Returns what it does not declare."""
    returned: dict[str, Any] = {"too many": (1, 2, 3), "no tuple": 5}
    return returned[kind]


@node("Flags", category="test")
def flags(*, text: str) -> Each[bool]:
    """Whether each line says yes."""
    return [line == "yes" for line in text.splitlines()]


@node("Tens", category="test")
def tens(*, count: int) -> Each[int]:
    """0, 10, 20 ..."""
    return [10 * i for i in range(count)]


class Alive:
    """Counts how many of its kind are alive, and how many were at most."""

    now = 0
    most = 0

    def __init__(self) -> None:
        Alive.now += 1
        Alive.most = max(Alive.most, Alive.now)

    def __del__(self) -> None:
        Alive.now -= 1

    def __str__(self) -> str:
        return str(Alive.most)


@node("Counted", category="test")
def counted() -> Any:
    """The first of some that are counted."""
    Alive.most = Alive.now
    return Alive()


@node("Follows", category="test")
def follows(*, value: Any) -> Any:
    """One more that is counted."""
    return Alive()


@node("GivesUp", category="test")
def gives_up(*, value: int) -> int:
    """Interrupts its job."""
    raise Interrupted("somebody pressed a button in the node")


@node("Slow", category="test")
def slow(*, value: int, log: str) -> int:
    """Takes a moment."""
    note(log, str(value))
    time.sleep(0.01)
    return value


@node("Total", category="test")
def total(*, values: All[int]) -> int:
    """The sum of a whole list."""
    return sum(values)
