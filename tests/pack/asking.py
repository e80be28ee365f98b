"""Nodes that ask for inputs, judge them, or have keys of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from engine import Lazy, Run, node
from engine.authoring.spec import NodeSpec
from tests.pack.basics import note

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


def wanted(which: str, **values: Any) -> list[str]:
    """The one of the inputs that is meant, if it is not there yet."""
    return [name for name, value in values.items() if value is None and name == which]


def needs_of_pick(*, which: str, first: Any, second: Any, log: str) -> list[str]:
    note(log, f"asked with {first} {second}")
    return wanted(which, first=first, second=second)


@also(lazy=("first", "second"), check_lazy_status=needs_of_pick)
@node("Pick", category="test")
def pick(*, which: str, first: int, second: int, log: str = "") -> str:
    """One of two inputs; the other one is None."""
    note(log, f"picked from {first} {second}")
    return f"{first} {second}"


@also(lazy=("first", "second"), check_lazy_status=wanted)
@node("PickText", category="test")
def pick_text(*, which: str, first: str, second: str) -> str:
    """One of two strings."""
    return f"{first} {second}"


async def needs_of_stages(*, first: Any, second: Any, third: Any) -> list[str]:
    await asyncio.sleep(0)
    if first is None:
        return ["first"]
    return ["second", "no such input"] if first > 0 and second is None else []


@also(lazy=("first", "second", "third"), check_lazy_status=needs_of_stages)
@node("Stages", category="test")
def stages(*, first: int, second: int, third: int) -> str:
    """Wants the second input only if the first one is positive, the third one never."""
    return f"{first} {second} {third}"


def failing_needs(*, first: Any) -> list[str]:
    raise ValueError("cannot say what I need")


@also(lazy=("first",), check_lazy_status=failing_needs)
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


def check_even(*, value: Any, text: str = "") -> bool | str:
    if value is None:
        return True
    if value == 13:
        raise ValueError("superstition")
    return value % 2 == 0 or text or False


@also(validate_inputs=check_even, validated_inputs=frozenset({"value"}))
@node("Even", category="test")
def even(*, value: int, text: str = "") -> int:
    """Takes even numbers alone."""
    return value


async def check_types(*, input_types: dict[str, str], **_: Any) -> bool | str:
    await asyncio.sleep(0)
    return input_types == {"value": "STRING"} or f"got {input_types}"


@also(validate_inputs=check_types, validated_inputs=frozenset({"value"}), validates_types=True)
@node("OnlyText", category="test")
def only_text(*, value: int) -> str:
    """Says INT but wants a STRING by link."""
    return str(value)


def gathered(*, first: int = 0, **more: int) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted({"first": first, **more}.items()))


@also(takes_more=True, function=gathered)
@node("Gather", category="test")
def gather(*, first: int = 0) -> str:
    """Whatever is linked to it."""
    raise NotImplementedError


@also(not_idempotent=True)
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
