"""What a V1 function returns, as the executor takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from engine.authoring.errors import SoundstageError
from engine.authoring.protocols import Artifact, Blocked, Expansion, File, FolderKind
from engine.compat.plain import plain
from engine.run.remote_nodes import NodeDescription

FILE_KEYS = {"filename", "subfolder", "type"}


class BadResult(SoundstageError):
    """A function returned what its class does not declare."""


def returned(value: Any, node: NodeDescription) -> Any:
    """A tuple of outputs, an Artifact, an Expansion or a Blocked.

    Args:
        value: a tuple, a dict with "ui", "result" and "expand", an ExecutionBlocker, or None.
        node: what the class declares.

    Raises:
        BadResult: it is something else, or has fewer values than RETURN_TYPES.
    """
    shown: dict[str, list[Any]] | None = None
    graph: Mapping[str, Any] | None = None
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        shown = _shown(members.get("ui"))
        graph = members.get("expand")
        value = members.get("result")
    if isinstance(value, Blocked):
        value = (value,) * len(node.outputs)
    outputs = _outputs(value, node, shown is not None)
    if graph is not None:
        return Expansion(graph, outputs, shown)
    if shown is not None or node.shows:
        artifact = Artifact(outputs)
        artifact.shown = shown or {}
        return artifact
    return outputs


def _outputs(value: Any, node: NodeDescription, has_shown: bool) -> tuple[Any, ...]:
    if value is None and (not node.outputs or has_shown):
        return (None,) * len(node.outputs)
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise BadResult(
            f"returned a {type(value).__name__}; a V1 node returns a tuple of its outputs, "
            f"such as (value,), for RETURN_TYPES {_types(node)}"
        )
    values = tuple(cast("Sequence[Any]", value))
    if len(values) < len(node.outputs):
        raise BadResult(
            f"returned {len(values)} values, and its RETURN_TYPES {_types(node)} "
            f"has {len(node.outputs)}"
        )
    return tuple(_output(item, each) for item, (_, _, each) in zip(values, node.outputs))  # noqa: B905 - more values than outputs are no harm


def _output(value: Any, each: bool) -> Any:
    """An output list that is blocked as a whole is a list of one blocked item."""
    return [value] if each and isinstance(value, Blocked) else value


def _types(node: NodeDescription) -> str:
    return str(tuple(type for _, type, _ in node.outputs))


def _shown(ui: Any) -> dict[str, list[Any]] | None:
    if ui is None:
        return None
    if not isinstance(ui, Mapping):
        raise BadResult(f'returned "ui" as a {type(ui).__name__}; it must be a dict of lists')
    members = cast("Mapping[str, Any]", ui)
    return {plain(name): _listed(items) for name, items in members.items()}


def _listed(items: Any) -> list[Any]:
    made = plain(items)
    listed = cast("list[Any]", made) if isinstance(made, list) else [made]
    return [_file(item) for item in listed]


def _file(item: Any) -> Any:
    """What names a file as a `File`, so that it is looked for before a result is used again."""
    if not isinstance(item, dict) or set(cast("dict[str, Any]", item)) != FILE_KEYS:
        return cast("Any", item)
    file = cast("dict[str, Any]", item)
    return File(**file) if file["type"] in get_args(FolderKind) else file
