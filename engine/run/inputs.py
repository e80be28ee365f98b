"""The inputs of a node: items of its sources, and lazy inputs, computed when awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from engine.authoring.protocols import Blocked
from engine.graph.prompt import Link
from engine.run.execution_graph import ExecutionGraph, NodeState
from engine.run.list_mapping import CallArguments, Deferred, DeferredArgument, Items

AwaitItems: TypeAlias = Callable[[Link, int], Awaitable[list[Any] | None]]
"""Computes the items of a link for the call of that number; None if its source failed."""


@dataclass(frozen=True)
class LazyInput:
    """The value of a `Lazy` parameter: awaiting it computes the input."""

    get: Callable[[], Awaitable[Any]]

    def __await__(self) -> Generator[Any, None, Any]:
        return self.get().__await__()


class BlockedInput(Exception):
    """An awaited input is blocked."""

    def __init__(self, blocked: Blocked) -> None:
        super().__init__("an awaited input is blocked")
        self.blocked = blocked


class SourceFailed(Exception):
    """An awaited input cannot be computed: its source failed, and the job continues."""


def collect_inputs(graph: ExecutionGraph, state: NodeState) -> dict[str, Items]:
    """The items of each input of a node that is ready."""
    node, spec = state.node, state.node.spec
    found: dict[str, Items] = {name: [value] for name, value in node.literals.items()}
    if not spec.has_lazy_inputs:
        for name, link in node.links.items():
            found[name] = graph.link_items(link)
        return found
    awaits = spec.check_lazy_status is None
    for name, value in node.literals.items():
        if awaits and node.waits_for(name):
            found[name] = Deferred(None, value)
    followed = state.requested_links()
    for name, link in node.links.items():
        if name in followed:
            found[name] = graph.link_items(link)
        elif spec.input(name).raw:
            found[name] = [[link.node, link.slot]]
        elif awaits:
            found[name] = Deferred(link, collects=spec.input(name).collects)
        else:
            found[name] = [None]
    return found


def unrequested_inputs(state: NodeState) -> list[str]:
    """The lazy inputs that a node with `needs` has not requested yet."""
    node = state.node
    lazy = (name for name in node.links if node.spec.input(name).lazy)
    return [name for name in lazy if name not in state.requested_inputs]


def with_lazy_inputs(arguments: CallArguments, await_items: AwaitItems) -> CallArguments:
    """The arguments of a call with what the node awaits in the place of deferred ones."""
    if isinstance(arguments, Blocked):
        return arguments
    return {
        name: LazyInput(partial(_compute, value, await_items))
        if isinstance(value, DeferredArgument)
        else value
        for name, value in arguments.items()
    }


async def _compute(argument: DeferredArgument, await_items: AwaitItems) -> Any:
    """The value of a lazy input.

    Raises:
        BlockedInput: it is blocked.
        SourceFailed: it cannot be computed.
    """
    deferred = argument.items
    if deferred.link is None:
        return deferred.value
    found = await await_items(deferred.link, argument.call)
    if found is None:
        raise SourceFailed
    if not deferred.collects:
        found = found[min(argument.call, len(found) - 1) :][:1] or [Blocked()]
    for item in found:
        if isinstance(item, Blocked):
            raise BlockedInput(item)
    return found if deferred.collects else found[0]
