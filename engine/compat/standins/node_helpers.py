"""`node_helpers`: conditionings with more options, and pictures that are cut off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")


def conditioning_set_values(
    conditioning: Sequence[Sequence[Any]], values: Mapping[str, Any] | None = None
) -> list[list[Any]]:
    """A conditioning whose texts have these options besides; what came in is as it was."""
    return [[text, {**options, **(values or {})}] for text, options in conditioning]


def pillow(function: Callable[[Any], T], argument: Any) -> T:
    """What a function of PIL gives; if a picture is cut off, what there is of it."""
    from PIL import ImageFile

    try:
        return function(argument)
    except (OSError, SyntaxError, ValueError):
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return function(argument)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def node_helpers() -> dict[str, ModuleType]:
    """The module by name."""
    module = ModuleType("node_helpers")
    vars(module).update(conditioning_set_values=conditioning_set_values, pillow=pillow)
    return {"node_helpers": module}
