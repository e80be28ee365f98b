"""Numbers and choices that come over links are held to the same limits as literals."""

from __future__ import annotations

from typing import Any, cast

from engine.authoring.errors import SoundstageError
from engine.authoring.protocols import Blocked
from engine.authoring.spec import Input
from engine.graph.literals import FileLists, InvalidValue, coerce
from engine.graph.prompt import GraphNode

PLAIN = (str, int, float)
OF_RANGE = ("value_smaller_than_min", "value_bigger_than_max")


class BadLinkedValue(SoundstageError):
    """What came over a link is not what its input takes; the text says which, and why."""


def within_limits(node: GraphNode, arguments: dict[str, Any], folders: FileLists) -> dict[str, Any]:
    """The arguments of a call with linked numbers as the node declares them: whole ones, say.

    Only our own nodes have limits for what is linked (see `NodeSpec.limited`): custom nodes expect
    linked values unchecked.

    Args:
        node: the node.
        arguments: of its function, by the names of its inputs.
        folders: lists the files that choices offer.

    Raises:
        BadLinkedValue: one is beyond the limits of its input, or no number at all.
    """
    limited = node.spec.limited
    if limited:
        for name in node.links:
            input = limited.get(name)
            if input is not None and name in arguments:
                arguments[name] = _checked(node, input, arguments[name], folders)
    return arguments


def _checked(node: GraphNode, input: Input, value: Any, folders: FileLists) -> Any:
    if input.collects:
        return [_fit(node, input, item, folders) for item in cast("list[Any]", value)]
    return _fit(node, input, value, folders)


def _fit(node: GraphNode, input: Input, value: Any, folders: FileLists) -> Any:
    value = plain_number(value)
    if isinstance(value, Blocked) or (value is None and input.optional):
        return value
    if not isinstance(value, PLAIN):
        raise _refused(node, input, f"a value of the kind {type(value).__name__}")
    try:
        return coerce(input, value, folders, list)
    except InvalidValue as unfit:
        said = unfit.error.message if unfit.error.type in OF_RANGE else unfit.error.details
        raise _refused(node, input, said) from unfit


def plain_number(value: Any) -> Any:
    """One number of an array library as Python's own; everything else as it is."""
    return value.item() if is_scalar(value) else value


def is_scalar(value: Any) -> bool:
    """Whether it is one number of an array library."""
    return getattr(value, "shape", None) == () and callable(getattr(value, "item", None))


def _refused(node: GraphNode, input: Input, said: str) -> BadLinkedValue:
    limits = input.range
    takes = "" if limits is None else f"; it takes numbers from {limits.min} to {limits.max}"
    return BadLinkedValue(
        f"{node.spec.id}: input {input.name!r} cannot take what comes over its link from node "
        f"{node.links[input.name].node!r}: {said}{takes}"
    )
