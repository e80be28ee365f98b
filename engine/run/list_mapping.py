"""Maps a node over lists: the arguments of each of its calls, and their merged result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

from msgspec import Struct

from engine.authoring.protocols import WARNINGS, Artifact, Blocked
from engine.authoring.spec import NodeSpec
from engine.graph.prompt import GraphNode, Link
from engine.store.cache import NodeResult

CallArguments: TypeAlias = dict[str, Any] | Blocked
"""The keyword arguments of one call, or why it does not happen."""


@dataclass(frozen=True)
class Placeholder:
    """Stands for output items that a node of an expansion will compute."""

    link: Link


class Deferred(Struct, frozen=True):
    """Stands for the items of an input of which a node awaits the value.

    Attributes:
        link: where they come from; None for a literal.
        value: the literal.
        collects: the value is the whole list.
    """

    link: Link | None
    value: Any = None
    collects: bool = False


class DeferredArgument(Struct, frozen=True):
    """Stands for the value of a `Lazy` parameter in the call of that number."""

    items: Deferred
    call: int


Items: TypeAlias = list[Any] | Deferred


def map_over_lists(node: GraphNode, inputs: Mapping[str, Items]) -> list[CallArguments]:
    """The arguments of each call.

    A node is called as often as its longest list has items; a shorter list repeats its last one.
    Inputs that collect get their whole list each time. An empty list means no call at all. A
    blocked item blocks the call that would get it.

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
            if not isinstance(items, Deferred) and not spec.input(name).collects
        ]
        times = 0 if 0 in lengths else max(lengths, default=1)
    return [_call_arguments(spec, inputs, number) for number in range(times)]


def _call_arguments(spec: NodeSpec, inputs: Mapping[str, Items], number: int) -> CallArguments:
    arguments: dict[str, Any] = {}
    for name, items in inputs.items():
        if isinstance(items, Deferred):
            arguments[name] = DeferredArgument(items, number)
            continue
        collects = spec.input(name).collects
        value = items if collects else items[min(number, len(items) - 1)]
        for item in items if collects else (value,):
            if isinstance(item, Blocked):
                return item
        arguments[name] = value
    return arguments


def merge_results(
    spec: NodeSpec,
    calls: Iterable[CallArguments],
    returned: Iterable[Any],
    warnings: Sequence[str] = (),
) -> NodeResult:
    """Merge what the calls of a node returned into one result.

    Args:
        spec: the node.
        calls: the arguments of each call.
        returned: what each call returned; anything for one that did not happen.
        warnings: shown beside what the calls show.

    Raises:
        TypeError: it is not what the node declares.
    """
    outputs: list[list[Any]] = [[] for _ in spec.outputs]
    own_outputs = [
        pair for pair in zip(spec.outputs, outputs, strict=True) if pair[0].passthrough is None
    ]
    shown: dict[str, list[Any]] = {}
    for arguments, value in zip(calls, returned, strict=True):
        if isinstance(arguments, Blocked):
            value = Blocked()
        if isinstance(value, Artifact):
            for name, items in value.shown.items():
                shown.setdefault(name, []).extend(items)
        for (output, items), item in zip(
            own_outputs, _values(spec, value, len(own_outputs)), strict=True
        ):
            if output.each and not isinstance(item, Blocked | Placeholder):
                items.extend(item)
            else:
                items.append(item)
    if warnings:
        shown.setdefault(WARNINGS, []).extend(warnings)
    return NodeResult(outputs, shown if shown or spec.is_output else None)


def _values(spec: NodeSpec, returned: Any, count: int) -> Sequence[Any]:
    """A value for each output except passthroughs: graphs have no links to those."""
    if isinstance(returned, Blocked):
        return (returned,) * count
    if isinstance(returned, Artifact):
        own = returned.outputs or ()
    elif spec.is_output:
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


def placeholders(outputs: Iterable[Iterable[Any]]) -> list[Link]:
    """The links whose items a result waits for."""
    return [item.link for items in outputs for item in items if isinstance(item, Placeholder)]


def resolve(result: NodeResult, items: Callable[[Link], list[Any]]) -> NodeResult:
    """A result with each placeholder replaced by all items of its link."""
    outputs: list[list[Any]] = []
    for parts in result.outputs:
        came = (items(part.link) if isinstance(part, Placeholder) else [part] for part in parts)
        outputs.append([*chain.from_iterable(came)])
    return NodeResult(outputs, result.shown)
