"""Descriptions of failures for clients, and values as data that can be sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from engine.authoring.errors import Interrupted
from engine.authoring.protocols import Blocked
from engine.devices.memory import is_out_of_memory
from engine.graph.prompt import GraphNode
from engine.run.execution_graph import ExecutionGraph, NodeState, NodeStatus
from engine.store.folders import Folders
from engine.store.history import Failure, Partial

SHOWN_INPUT_CHARACTERS = 200
CYCLE = "graph.DependencyCycleError"
BLOCKED = "ExecutionBlocked"
REQUESTED_BYTES = re.compile(r"allocate:? ([\d.]+ (?:bytes|[KMGTPE]i?B))")
"""How much could not be allocated, in the messages of array libraries."""


def of_node(
    node: GraphNode, inputs: Mapping[str, Any], error: Exception, folders: Folders
) -> Failure:
    """The failure of a node that raised an error.

    Args:
        node: the node.
        inputs: the items of each of its inputs.
        error: what it raised.
        folders: their paths are left out of the message.
    """
    kind = MemoryError if is_out_of_memory(error) else type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    text = to_utf8(str(error)).replace(f"{folders.home}/", "")
    if kind is MemoryError:
        text = _too_large(node.spec.id, text)
    return Failure(
        node=node.id,
        node_type=node.spec.id,
        message=text or kind.__name__,
        exception=module + kind.__qualname__,
        inputs={
            name: [summarize(item) for item in cast("list[Any]", items)]
            for name, items in inputs.items()
            if isinstance(items, list)
        },
    )


def _too_large(node_type: str, text: str) -> str:
    """The message in place of the library's own."""
    found = REQUESTED_BYTES.search(text)
    wanted = f" ({found[1]} in one piece)" if found else ""
    return (
        f"{node_type}: there is not enough memory for what it is asked to make{wanted}; "
        "make it smaller, or make fewer at once"
    )


def of_cycle(ids: Sequence[str], blamed: NodeState) -> Failure:
    """The failure of nodes that wait for each other, made by an expansion."""
    root = blamed.root.node
    walk = " -> ".join(ids)
    text = f"Dependency cycle detected: {walk}; {root.spec.id} expanded into nodes that need it"
    return Failure(root.id, root.spec.id, text, CYCLE)


def of_blocked(state: NodeState, by: Blocked, executed: Sequence[str]) -> Failure:
    """The failure of a node that did not run because an input is blocked with a message."""
    root = state.root.node
    return Failure(root.id, root.spec.id, by.message or "", BLOCKED, executed=[*executed])


def of_job(error: Exception, executed: Sequence[str]) -> Failure:
    """The failure of a job by an error outside of its nodes."""
    text = to_utf8(f"the job could not be run: {error}")
    return Failure("", "", text, type(error).__name__, executed=[*executed])


def of_interrupt(running: Sequence[NodeState], executed: Sequence[str]) -> Failure:
    """The failure of an interrupted job: at the first of the nodes that run, if any."""
    root = running[0].root.node if running else None
    id, kind = ("", "") if root is None else (root.id, root.spec.id)
    return Failure(id, kind, "interrupted", Interrupted.__name__, executed=[*executed])


def partial_result(execution: ExecutionGraph, failed: Sequence[Failure]) -> Partial:
    """The summary of a job that continued after failures."""
    states = execution.states.values()
    targets = [state for state in states if state.is_target]
    blamed = {failure.node for failure in failed}
    lost = [state.node.id for state in states if state.status is NodeStatus.FAILED]
    return Partial(
        errors=len(failed),
        blocked=[id for id in lost if id not in blamed],
        blocked_outputs=[state.node.id for state in targets if state.status is NodeStatus.FAILED],
        successful_outputs=[state.node.id for state in targets if state.status is NodeStatus.DONE],
    )


def summarize(value: Any) -> Any:
    """A value as a failure may show it: short, plain JSON."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 64 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return to_utf8(value[:SHOWN_INPUT_CHARACTERS])
    shape = getattr(value, "shape", None)
    name = type(value).__name__
    return f"{name}{tuple(shape)}" if shape is not None else name


def to_utf8(text: str) -> str:
    """A text as valid UTF-8: file names and their errors may hold lone surrogates."""
    return text.encode(errors="replace").decode()


def to_plain_data(shown: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """What an output node shows, as plain data.

    Raises:
        ValueError: it holds something that cannot be sent to a client.
    """
    if not shown:
        return {}
    try:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(shown))
    except Exception as error:
        raise ValueError(f"the node shows something that cannot be sent: {error}") from error
