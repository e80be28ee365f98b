"""A node over lists: the arguments of each of its runs, and one result of what they return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from engine.authoring.protocols import WARNINGS, Artifact, Blocked
from engine.authoring.spec import NodeSpec
from engine.graph.prompt import GraphNode, Link
from engine.store.cache import NodeResult

Turn: TypeAlias = dict[str, Any] | Blocked
"""The keyword arguments of one run, or why it does not happen."""


@dataclass(frozen=True)
class Hole:
    """In the place of output items that a node of an expansion will give."""

    link: Link


@dataclass(frozen=True)
class Later:
    """In the place of an input's items: makes what a `Lazy` parameter gets in the given turn."""

    made: Callable[[int], Any]


Items: TypeAlias = list[Any] | Later


def turns(node: GraphNode, inputs: Mapping[str, Items]) -> list[Turn]:
    """The arguments of each run.

    A node runs as often as its longest list has items; a shorter list repeats its last one.
    Inputs that collect get their whole list each time. An empty list means no run at all. A
    blocked item blocks the run that would get it.

    Args:
        node: the node.
        inputs: for each input that is given, its items.
    """
    spec = node.spec
    if all(type(items) is list and len(items) == 1 for items in inputs.values()):
        times = 1
    else:
        lengths = [
            len(items)
            for name, items in inputs.items()
            if not isinstance(items, Later) and not spec.input(name).collects
        ]
        times = 0 if 0 in lengths else max(lengths, default=1)
    return [_turn(spec, inputs, number) for number in range(times)]


def _turn(spec: NodeSpec, inputs: Mapping[str, Items], number: int) -> Turn:
    arguments: dict[str, Any] = {}
    for name, items in inputs.items():
        if isinstance(items, Later):
            arguments[name] = items.made(number)
            continue
        collects = spec.input(name).collects
        value = items if collects else items[min(number, len(items) - 1)]
        for item in items if collects else (value,):
            if isinstance(item, Blocked):
                return item
        arguments[name] = value
    return arguments


def result(
    spec: NodeSpec,
    turns: Iterable[Turn],
    returned: Iterable[Any],
    warnings: Sequence[str] = (),
) -> NodeResult:
    """What the runs of a node returned, put together.

    Args:
        spec: the node.
        turns: the arguments of each run.
        returned: what each run returned; of one that did not happen anything.
        warnings: shown beside what the runs show.

    Raises:
        TypeError: it is not what the node declares.
    """
    outputs: list[list[Any]] = [[] for _ in spec.outputs]
    made = [pair for pair in zip(spec.outputs, outputs, strict=True) if pair[0].passes is None]
    shown: dict[str, list[Any]] = {}
    for turn, value in zip(turns, returned, strict=True):
        if isinstance(turn, Blocked):
            value = Blocked()
        if isinstance(value, Artifact):
            for name, items in value.shown.items():
                shown.setdefault(name, []).extend(items)
        for (output, items), item in zip(made, _values(spec, value, len(made)), strict=True):
            if output.each and not isinstance(item, Blocked | Hole):
                items.extend(item)
            else:
                items.append(item)
    if warnings:
        shown.setdefault(WARNINGS, []).extend(warnings)
    return NodeResult(outputs, shown if shown or spec.shows else None)


def _values(spec: NodeSpec, returned: Any, count: int) -> Sequence[Any]:
    """A value for each output but those that pass an input on: graphs have no links to them."""
    if isinstance(returned, Blocked):
        return (returned,) * count
    if isinstance(returned, Artifact):
        own = returned.outputs or ()
    elif spec.shows:
        kind = type(returned).__name__
        raise TypeError(f"{spec.id} is declared '-> Artifact' but returned a {kind}")
    else:
        own = (returned,) if spec.single else returned
    if not isinstance(own, tuple | list):
        kind = type(own).__name__
        raise TypeError(f"{spec.id} returned a {kind}; it must return a tuple of {count} outputs")
    if len(own) != count:  # pyright: ignore[reportUnknownArgumentType] - a node's own
        raise TypeError(f"{spec.id} has {count} outputs but returned {len(own)}")  # pyright: ignore[reportUnknownArgumentType] - a node's own
    return own  # pyright: ignore[reportUnknownVariableType] - a node's own


def holes(outputs: Iterable[Iterable[Any]]) -> list[Link]:
    """The links that a result waits for."""
    return [item.link for items in outputs for item in items if isinstance(item, Hole)]


def filled(result: NodeResult, items: Callable[[Link], list[Any]]) -> NodeResult:
    """A result with what came for its holes: all items of each."""
    outputs: list[list[Any]] = []
    for parts in result.outputs:
        came = (items(part.link) if isinstance(part, Hole) else [part] for part in parts)
        outputs.append([*chain.from_iterable(came)])
    return NodeResult(outputs, result.shown)
