"""What is told of a failure, and what can be sent at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from engine.authoring.errors import Interrupted
from engine.authoring.protocols import Blocked
from engine.run.board import Board, Place, State
from engine.store.folders import Folders
from engine.store.history import Failure, Partial

SHOWN_INPUT_CHARACTERS = 200
CYCLE = "graph.DependencyCycleError"
BLOCKED = "ExecutionBlocked"
WANTED = re.compile(r"allocate:? ([\d.]+ (?:bytes|[KMGTPE]i?B))")
"""How much could not be had, in the words of array libraries."""


def failure(
    place: Place,
    inputs: Mapping[str, Any],
    error: Exception,
    executed: Sequence[str],
    folders: Folders,
) -> Failure:
    """What is told of a node that raised an error.

    A node of an expansion is told as the node of the prompt that it came from.

    Args:
        place: of the node.
        inputs: the items of each of its inputs.
        error: what it raised.
        executed: ids of the nodes that ran.
        folders: whose paths are not told.
    """
    kind = MemoryError if is_out_of_memory(error) else type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    text = readable(str(error)).replace(f"{folders.home}/", "")
    if kind is MemoryError:
        text = _too_large(place.node.spec.id, text)
    return Failure(
        node=place.root.node.id,
        node_type=place.root.node.spec.id,
        message=text or kind.__name__,
        exception=module + kind.__qualname__,
        inputs={
            name: [brief(item) for item in cast("list[Any]", items)]
            for name, items in inputs.items()
            if isinstance(items, list)
        },
        executed=[*executed],
    )


def is_out_of_memory(error: Exception) -> bool:
    """Whether Python, an array library or a device has no memory left."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def _too_large(node_type: str, text: str) -> str:
    """What is told in the place of a library's own words."""
    found = WANTED.search(text)
    wanted = f" ({found[1]} in one piece)" if found else ""
    return (
        f"{node_type}: there is not enough memory for what it is asked to make{wanted}; "
        "make it smaller, or make fewer at once"
    )


def cycle(ids: Sequence[str], blamed: Place, executed: Sequence[str]) -> Failure:
    """What is told of nodes that wait for each other, as an expansion made them."""
    root = blamed.root.node
    walk = " -> ".join(ids)
    text = f"Dependency cycle detected: {walk}; {root.spec.id} expanded into nodes that need it"
    return Failure(root.id, root.spec.id, text, CYCLE, executed=[*executed])


def blocked(place: Place, by: Blocked, executed: Sequence[str]) -> Failure:
    """What is told of a node that did not run because an input says why it shall not."""
    root = place.root.node
    return Failure(root.id, root.spec.id, by.message or "", BLOCKED, executed=[*executed])


def broken(error: Exception, executed: Sequence[str]) -> Failure:
    """What is told of a job in which something failed that is no node."""
    text = readable(f"the job could not be run: {error}")
    return Failure("", "", text, type(error).__name__, executed=[*executed])


def interrupted(running: Sequence[Place], executed: Sequence[str]) -> Failure:
    """Where a job was interrupted: at the first of these nodes that really runs, if any does."""
    root = next((place.root.node for place in running if place.announced), None)
    id, kind = ("", "") if root is None else (root.id, root.spec.id)
    return Failure(id, kind, "interrupted", Interrupted.__name__, executed=[*executed])


def outcome(board: Board, failed: Sequence[Failure]) -> Partial:
    """What came of a job that went on after failures."""
    places = board.places.values()
    targets = [place for place in places if place.target]
    blamed = {failure.node for failure in failed}
    lost = [place.node.id for place in places if place.state is State.FAILED]
    return Partial(
        errors=len(failed),
        blocked=[id for id in lost if id not in blamed],
        blocked_outputs=[place.node.id for place in targets if place.state is State.FAILED],
        successful_outputs=[place.node.id for place in targets if place.state is State.DONE],
    )


def brief(value: Any) -> Any:
    """A value as a failure may show it: short, plain JSON."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 64 else f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return readable(value[:SHOWN_INPUT_CHARACTERS])
    shape = getattr(value, "shape", None)
    name = type(value).__name__
    return f"{name}{tuple(shape)}" if shape is not None else name


def readable(text: str) -> str:
    """A text that can be sent: file names and their errors may hold what is no Unicode."""
    return text.encode(errors="replace").decode()


def sendable(shown: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
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
