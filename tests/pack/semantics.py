"""Nodes that do what only a few do: ask for inputs, judge them, expand, block, change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from engine import All, Artifact, Blocked, Each, Expansion, Interrupted, Lazy, Run, node
from engine.authoring.spec import NodeSpec
from tests.pack.basics import note

T = TypeVar("T")
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def also(*, lazy: tuple[str, ...] = (), raw: tuple[str, ...] = (), **fields: Any) -> Any:
    """Give a node what its declaration cannot say, as adapters of other node APIs do."""

    def change(function: FunctionT) -> FunctionT:
        spec: NodeSpec = getattr(function, "spec")  # noqa: B009 - functions have no declared attribute
        inputs = tuple(
            replace(input, lazy=input.name in lazy, raw=input.name in raw) for input in spec.inputs
        )
        setattr(function, "spec", replace(spec, inputs=inputs, **fields))  # noqa: B010 - likewise
        return function

    return change


# --- lazy inputs -----------------------------------------------------------------------------


def wanted(which: str, **values: Any) -> list[str]:
    """The one of the inputs that is meant, if it is not there yet."""
    return [name for name, value in values.items() if value is None and name == which]


def needs_of_pick(*, which: str, first: Any, second: Any, log: str) -> list[str]:
    note(log, f"asked with {first} {second}")
    return wanted(which, first=first, second=second)


@also(lazy=("first", "second"), needs=needs_of_pick)
@node("Pick", category="test")
def pick(*, which: str, first: int, second: int, log: str = "") -> str:
    """One of two inputs; the other one is None."""
    note(log, f"picked from {first} {second}")
    return f"{first} {second}"


@also(lazy=("first", "second"), needs=wanted)
@node("PickText", category="test")
def pick_text(*, which: str, first: str, second: str) -> str:
    """One of two strings."""
    return f"{first} {second}"


async def needs_of_stages(*, first: Any, second: Any, third: Any) -> list[str]:
    await asyncio.sleep(0)
    if first is None:
        return ["first"]
    return ["second", "no such input"] if first > 0 and second is None else []


@also(lazy=("first", "second", "third"), needs=needs_of_stages)
@node("Stages", category="test")
def stages(*, first: int, second: int, third: int) -> str:
    """Wants the second input only if the first one is positive, the third one never."""
    return f"{first} {second} {third}"


def failing_needs(*, first: Any) -> list[str]:
    raise ValueError("cannot say what I need")


@also(lazy=("first",), needs=failing_needs)
@node("CannotAsk", category="test")
def cannot_ask(*, first: int) -> int:
    """Fails before it runs."""
    raise NotImplementedError


@also(lazy=("value",))
@node("NeverAsks", category="test")
def never_asks(*, value: int) -> int:
    """Says that an input is lazy, but has no way to ask for it."""
    return value


@node("EitherAfter", category="test")
async def either_after(*, condition: bool, yes: Lazy[int], no: Lazy[int], log: str = "") -> int:
    """Awaits one input, then perhaps the other one, twice."""
    first = await (yes if condition else no)
    note(log, f"got {first}")
    return first + await (yes if condition else no)


# --- judging ---------------------------------------------------------------------------------


def check_even(*, value: Any, text: str = "") -> bool | str:
    if value is None:
        return True
    if value == 13:
        raise ValueError("superstition")
    return value % 2 == 0 or text or False


@also(check=check_even, checks=frozenset({"value"}))
@node("Even", category="test")
def even(*, value: int, text: str = "") -> int:
    """Takes even numbers alone."""
    return value


async def check_types(*, input_types: dict[str, str], **_: Any) -> bool | str:
    await asyncio.sleep(0)
    return input_types == {"value": "STRING"} or f"got {input_types}"


@also(check=check_types, checks=frozenset({"value"}), checks_types=True)
@node("OnlyText", category="test")
def only_text(*, value: int) -> str:
    """Says INT but wants a STRING by link."""
    return str(value)


# --- keys ------------------------------------------------------------------------------------


def gathered(*, first: int = 0, **more: int) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted({"first": first, **more}.items()))


@also(takes_more=True, function=gathered)
@node("Gather", category="test")
def gather(*, first: int = 0) -> str:
    """Whatever is linked to it."""
    raise NotImplementedError


@also(per_node=True)
@node("Own", category="test")
def own(run: Run, *, log: str) -> str:
    """The id of the node."""
    note(log, f"Own {run.node}")
    return run.node


def content(*, file: str | None, log: str) -> str:
    note(log, "fingerprint")
    return Path(file or "").read_text()


@node("Reads", category="test", fingerprint=content)
def reads(*, file: str, log: str) -> str:
    """The text of a file."""
    note(log, "read")
    return Path(file).read_text()


async def always(*, log: str) -> list[float]:
    await asyncio.sleep(0)
    return [float("nan")]


@node("Always", category="test", fingerprint=always)
def always_runs(*, log: str) -> str:
    """Runs in each job."""
    note(log, "ran")
    return "x"


@also(raw=("value",))
@node("LinkOf", category="test")
def link_of(*, value: Any) -> str:
    """The link that comes in, as text."""
    return str(value)


# --- expansion -------------------------------------------------------------------------------


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


# --- blocking --------------------------------------------------------------------------------


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


# --- async and lists -------------------------------------------------------------------------


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


@node("AwaitsItself", category="test")
def awaits_itself(run: Run) -> int | Expansion:
    """Expands into a node that awaits what waits for it."""
    graph = {"a": entry("EitherAfter", condition=True, yes=[run.node, 0], no=1, log="")}
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
