"""The inputs of a node: items of its sources, and lazy inputs, computed when awaited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.authoring.protocols import Blocked
from engine.graph.prompt import Link
from engine.run.execution_graph import ExecutionGraph, NodeState, NodeStatus
from engine.run.list_mapping import Deferred, Items


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


class Inputs:
    """Collects the inputs of the nodes of one job.

    Args:
        execution: the nodes of the job.
        lock: of the job.
        on_request: called in the event loop when a node awaits an input that is not computed yet.
    """

    def __init__(
        self, execution: ExecutionGraph, lock: threading.Lock, on_request: Callable[[], None]
    ) -> None:
        self._execution = execution
        self._lock = lock
        self._on_request = on_request

    def collect(self, state: NodeState) -> dict[str, Items]:
        """The items of each input of a node that is ready."""
        node, spec = state.node, state.node.spec
        found: dict[str, Items] = {name: [value] for name, value in node.literals.items()}
        if not spec.has_lazy_inputs:
            for name, link in node.links.items():
                found[name] = link_items(self._execution, link)
            return found
        awaits = spec.check_lazy_status is None
        for name, value in node.literals.items():
            if awaits and node.waits_for(name):
                found[name] = Deferred(lambda _, value=value: LazyInput(partial(_at_once, value)))
        followed = state.requested_links()
        for name, link in node.links.items():
            if name in followed:
                found[name] = link_items(self._execution, link)
            elif spec.input(name).raw:
                found[name] = [[link.node, link.slot]]
            elif awaits:
                found[name] = self._deferred(state, link, collects=spec.input(name).collects)
            else:
                found[name] = [None]
        return found

    def _deferred(self, state: NodeState, link: Link, *, collects: bool) -> Deferred:
        async def get(call_index: int) -> Any:
            await self._wait_for_source(state, self._execution.states[link.node])
            found = link_items(self._execution, link)
            if not collects:
                found = found[min(call_index, len(found) - 1) :][:1] or [Blocked()]
            for item in found:
                if isinstance(item, Blocked):
                    raise BlockedInput(item)
            return found if collects else found[0]

        return Deferred(lambda call_index: LazyInput(partial(get, call_index)))

    async def _wait_for_source(self, state: NodeState, source: NodeState) -> None:
        """Request a source and wait for it, in the event loop, while the node's call waits.

        Raises:
            SourceFailed: it cannot be computed.
        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            state.awaiting_calls -= 1
            state.waiting_for.remove(source)
            loop.call_soon_threadsafe(done.set)

        with self._lock:
            settled = source.has_result or source.status is NodeStatus.FAILED
            if not settled:
                state.awaiting_calls += 1
                state.waiting_for.append(source)
                source.waiters.append(wake)
                self._execution.request(source)
        if not settled:
            self._on_request()
            await done.wait()
        if source.status is NodeStatus.FAILED:
            raise SourceFailed


def link_items(execution: ExecutionGraph, link: Link) -> list[Any]:
    """The items of an output, by a link to it; its node is done."""
    result = execution.states[link.node].result
    assert result is not None, "a result is kept while a consumer may use it"
    return result.outputs[link.slot]


def unrequested_inputs(state: NodeState) -> list[str]:
    """The lazy inputs that a node with `needs` has not requested yet."""
    node = state.node
    lazy = (name for name in node.links if node.spec.input(name).lazy)
    return [name for name in lazy if name not in state.requested_inputs]


async def _at_once(value: Any) -> Any:
    return value
