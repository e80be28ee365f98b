"""Nodes that return a graph in their own place."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from engine import Artifact, Each, Expansion, Lazy, Run, node
from tests.pack.asking import also
from tests.pack.basics import note


def entry(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node of a graph."""
    return {"class_type": class_type, "inputs": inputs}


@node("Twice", category="test")
def twice(*, value: int, log: str = "") -> int | Expansion:
    """Twice the value, by two nodes in a row."""
    note(log, f"Twice {value}")
    graph = {
        "a": entry("Add", a=value, b=0, log=log),
        "b": entry("Add", a=["a", 0], b=value, log=log),
    }
    return Expansion(graph, [["b", 0]])


@node("ToZero", category="test")
def to_zero(*, value: int, total: int = 0, log: str = "") -> int | Expansion:
    """The sum of all numbers up to the value: expands into itself."""
    note(log, f"ToZero {value}")
    if value == 0:
        return total
    graph = {
        "sum": entry("Add", a=value, b=total, log=""),
        "next": entry("ToZero", value=value - 1, total=["sum", 0], log=log),
    }
    return Expansion(graph, [["next", 0]])


@node("ShowsInside", category="test")
def shows_inside(*, value: int, log: str = "") -> int | Expansion:
    """Expands into an output node, and one that is not needed."""
    note(log, f"ShowsInside {value}")
    graph = {
        "shown": entry("Show", value=value, log=log),
        "idle": entry("Number", value=value, log=log),
    }
    return Expansion(graph, [value])


@node("Around", category="test")
def around(*, value: int, log: str = "") -> int | Expansion:
    """Expands into a node that expands into an output node."""
    return Expansion({"in": entry("ShowsInside", value=value, log=log)}, [["in", 0]])


class Pair(NamedTuple):
    """Two outputs, the second one a list."""

    one: Any
    many: Each[Any]


@node("Mixed", category="test")
def mixed(run: Run, *, value: int) -> Pair | Expansion:
    """Gives values and links at once, and ids of its own making."""
    prefix = f"{run.node}.0.0."
    graph = {f"{prefix}1": entry("Lines", text=f"a{value}\nb{value}")}
    return Expansion(graph, [value, [f"{prefix}1", 0]])


class Opaque:
    """No plain data."""

    def __init__(self, text: str) -> None:
        self.text = text


@node("Unwrap", category="test")
def unwrap(*, value: Any, log: str = "") -> str:
    """The text of an Opaque."""
    note(log, f"Unwrap {value.text}")
    return value.text


@node("Hands", category="test")
def hands(*, text: str, log: str = "", own_log: str = "") -> str | Expansion:
    """Hands an object to a node that it expands into."""
    note(own_log, "Hands")
    return Expansion({"u": entry("Unwrap", value=Opaque(text), log=log)}, [["u", 0]])


@also(raw=("value",))
@node("Through", category="test")
def through(*, value: str, log: str = "") -> str | Expansion:
    """Expands into a node that takes what it was linked to."""
    return Expansion({"u": entry("Upper", text=value, log=log)}, [["u", 0]])


@node("Wrong", category="test")
def wrong(run: Run, *, kind: str) -> int | Expansion:
    """Expands into what cannot run."""
    graphs: dict[str, tuple[Any, list[Any]]] = {
        "no such class": ({"a": entry("Nothing")}, [["a", 0]]),
        "no such node": ({"a": entry("Add", a=["nowhere", 0], b=1)}, [["a", 0]]),
        "no such slot": ({"a": entry("Add", a=1, b=1)}, [["a", 5]]),
        "no inputs": ({"a": {"class_type": "Add"}}, [["a", 0]]),
        "taken id": ({f"{run.node}.x": entry("Number", value=1, log="")}, [1]),
        "fails inside": ({"a": entry("Fail", value=1, text="inside")}, [["a", 0]]),
        "too few outputs": ({}, []),
        "cycle": (
            {"a": entry("Add", a=["b", 0], b=1), "b": entry("Add", a=["a", 0], b=1)},
            [["a", 0]],
        ),
        "cycle through itself": ({"a": entry("Add", a=[run.node, 0], b=1)}, [["a", 0]]),
    }
    return Expansion(*graphs[kind])


@node("AwaitsItself", category="test")
def awaits_itself(run: Run) -> int | Expansion:
    """Expands into a node that awaits what waits for it."""
    graph = {"a": entry("EitherAfter", condition=True, yes=[run.node, 0], no=1, log="")}
    return Expansion(graph, [["a", 0]])


async def awaited(value: Lazy[int]) -> int:
    return await value


@node("AwaitsBoth", category="test")
async def awaits_both(*, one: Lazy[int], other: Lazy[int]) -> int:
    """Awaits two inputs at once."""
    return sum(await asyncio.gather(awaited(one), awaited(other)))


@node("AwaitsItselfTwice", category="test")
def awaits_itself_twice(run: Run) -> int | Expansion:
    """Expands into a node that awaits twice at once what waits for it."""
    graph = {"a": entry("AwaitsBoth", one=[run.node, 0], other=[run.node, 0])}
    return Expansion(graph, [["a", 0]])


@node("DiesInside", category="test")
def dies_inside(*, marker: str, log: str) -> int | Expansion:
    """Expands into something slow, and something that kills the process the first time."""
    graph = {
        "slow": entry("Sleep", value=1, steps=1, seconds=0.1, log=log),
        "die": entry("Die", value=["slow", 0], marker=marker, times=1, log=log),
    }
    return Expansion(graph, [["die", 0]])


@node("SavesInside", category="test")
def saves_inside(*, text: str) -> str | Expansion:
    """Expands into a node that saves a file."""
    return Expansion({"saved": entry("Save", text=text, filename_prefix="inside")}, [text])


@node("ShowsItself", category="test")
def shows_itself(*, value: int) -> int | Expansion:
    """Shows something, and expands."""
    graph = {"sum": entry("Add", a=value, b=value, log="")}
    return Expansion(graph, [["sum", 0]], {"text": ["expands"]})


@node("ShowsByOthers", category="test")
def shows_by_others(*, value: int) -> Artifact | Expansion:
    """An output node that has others show."""
    return Expansion({"shown": entry("Show", value=value, log="")})
