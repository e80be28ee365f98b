"""One node, once for each item of its input lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.authoring.protocols import Artifact
from engine.authoring.spec import NodeSpec
from engine.store.cache import Result


@dataclass(frozen=True)
class LazyInput:
    """What a `Lazy` parameter gets: awaiting it computes the input."""

    get: Callable[[], Awaitable[Any]]

    def __await__(self) -> Generator[Any, None, Any]:
        return self.get().__await__()


async def invoke(
    spec: NodeSpec,
    inputs: Mapping[str, list[Any]],
    call: Callable[[dict[str, Any]], Awaitable[Any]],
) -> Result:
    """Run a node over its input lists and put its outputs together.

    It runs as often as its longest list has items; a shorter list repeats its last one. Inputs
    marked `All` get their whole list each time. An empty list means no run at all.

    Args:
        spec: the node.
        inputs: for each input that is given, its items.
        call: runs the function once with the keyword arguments it gets.
    """
    mapped = {name: items for name, items in inputs.items() if not spec.by_name[name].collects}
    lengths = [len(items) for items in mapped.values()]
    times = 0 if 0 in lengths else max(lengths, default=1)
    outputs: list[list[Any]] = [[] for _ in spec.outputs]
    shown: dict[str, list[Any]] = {}
    for turn in range(times):
        arguments = {name: items[min(turn, len(items) - 1)] for name, items in mapped.items()}
        for name, items in inputs.items():
            if name not in mapped:
                arguments[name] = items
        returned = await call(arguments)
        if isinstance(returned, Artifact):
            for name, items in returned.shown.items():
                shown.setdefault(name, []).extend(items)
        else:
            _spread(spec, returned, outputs)
    return Result(outputs, shown if spec.shows else None)


def _spread(spec: NodeSpec, returned: Any, outputs: list[list[Any]]) -> None:
    if spec.shows:
        kind = type(returned).__name__
        raise TypeError(f"{spec.id} is declared '-> Artifact' but returned a {kind}")
    values = (returned,) if spec.single else returned
    for output, value, items in zip(spec.outputs, values, outputs, strict=True):
        if output.each:
            items.extend(value)
        else:
            items.append(value)
