"""Which value of a saved node is which input: widgets are saved in order, with companions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.authoring.dynamic import select_variant
from engine.authoring.markers import Files
from engine.authoring.sockets import ANY
from engine.authoring.spec import MISSING, Input, NodeSpec
from engine.graph.editor import Node
from engine.graph.old_files import TABLE, present_names

CONTROL = "control_after_generate"
EDITOR_ONLY = frozenset({CONTROL, "upload"})


def values(node: Node, spec: NodeSpec | None, imposed: Mapping[str, Any]) -> dict[str, Any]:
    """What the widgets of a node are set to, by input name.

    Where a file has its values in order and by name, the order counts, as in the editor: who edits
    a file by hand changes what is read.

    Args:
        node: as saved.
        spec: of its type; None for a type that is not known, of which named values are kept.
        imposed: values that a subgraph around it sets by name.
    """
    saved = node.widgets_values
    by_order = listed(saved, spec) if isinstance(saved, list) and spec else {}
    by_order = {name: value for name, value in by_order.items() if value is not None}
    by_name = saved if isinstance(saved, dict) else {}
    given = {**node.widgets_values_named, **by_order, **by_name, **imposed}
    renamed = present_names(spec.id if spec is not None else node.type, node.type)
    given = {renamed.get(name, name): value for name, value in given.items()}
    given = {name: value for name, value in given.items() if _is_input(name, value, spec)}
    return given if spec is None else {**_defaults(_widgets(spec.inputs), given), **given}


def listed(saved: list[Any], spec: NodeSpec) -> dict[str, Any]:
    """Values in widget order by input name; an empty socket that was a widget has one too."""
    found: dict[str, Any] = {}
    for name, value in zip(places(saved, spec), saved, strict=False):
        found.setdefault(name, value)
    return found


def places(saved: list[Any], spec: NodeSpec) -> list[str]:
    """The input that each of a list of values belongs to; values too many belong to none.

    The editor saves companions behind some widgets: what happens to a seed after a run, the
    button of an upload. They are no inputs, and belong to the input before them. A choice is
    followed by the inputs that it brings.
    """
    found: list[str] = []
    widgets = deque(_widgets(spec.inputs))
    while widgets and len(found) < len(saved):
        input = widgets.popleft()
        widgets.extendleft(reversed(_brought(input, saved[len(found)])))
        found.append(input.name)
        if len(found) < len(saved) and _is_companion(saved, len(found), input, widgets):
            found.append(input.name)
    return found


def shown(spec: NodeSpec, given: Mapping[str, Any]) -> Iterator[tuple[Input, Any]]:
    """The widgets of a node in order, each with its value: the way back of `listed`.

    Args:
        spec: of the node.
        given: values by input name; what is not named has its default.
    """
    known = {**_defaults(_widgets(spec.inputs), given), **given}
    widgets = deque(_widgets(spec.inputs))
    while widgets:
        input = widgets.popleft()
        value = known.get(input.name)
        yield input, value
        widgets.extendleft(reversed(_brought(input, value)))


def _widgets(inputs: Iterable[Input]) -> list[Input]:
    """In the editor's order: the required ones, then the optional ones."""
    shown = [input for input in inputs if input.is_widget and not input.link_only]
    return sorted(shown, key=lambda input: input.optional)


def _brought(input: Input, key: Any) -> list[Input]:
    """The widgets that a choice brings, under their names in a prompt."""
    variant = select_variant(input, key)
    brought = _widgets(variant.inputs) if variant else []
    return [replace(child, name=f"{input.name}.{child.name}") for child in brought]


def _is_companion(saved: list[Any], place: int, input: Input, widgets: deque[Input]) -> bool:
    """Whether what stands behind an input's value is its companion, not the next one's value.

    Of a seed that is a control: a word, or in files of earlier years true, false, null or
    anything else; then the rest of the values shows which of the two it is.
    """
    value, following = saved[place], widgets[0] if widgets else None
    if _is_control(value):
        return has_control(input) or (
            input.type in ("INT", "FLOAT") and not _takes(following, value)
        )
    if has_control(input):
        return _misfits(saved, place + 1, widgets) < _misfits(saved, place, widgets)
    if input.upload is not None:
        is_button = value in TABLE.upload_buttons or isinstance(value, dict)
        return is_button and not _takes(following, value)
    return False


def _is_control(value: Any) -> bool:
    return isinstance(value, str) and value in TABLE.controls


def has_control(input: Input) -> bool:
    """Whether files have a control behind the value of an input: what happens to it after a run."""
    return input.seed or input.name in TABLE.seeds


def _misfits(saved: list[Any], place: int, widgets: Iterable[Input]) -> int:
    """How many of the values from a place on are no values of these widgets, one after another."""
    count, queue = 0, deque(widgets)
    while queue and place < len(saved):
        input, value = queue.popleft(), saved[place]
        queue.extendleft(reversed(_brought(input, value)))
        count += not _may_be(value, input)
        place += 1
        if place < len(saved) and has_control(input):
            behind = saved[place]
            place += behind is None or isinstance(behind, bool) or _is_control(behind)
    return count + len(saved) - place


def _may_be(value: Any, input: Input) -> bool:
    """Whether a value is of the kind that a widget has; null is of any."""
    if value is None or input.custom is not None or input.type == ANY:
        return True
    if input.choice is not None or input.variants or "COMBO" in input.type:
        return isinstance(value, str) or not _has_words(input)
    kinds = input.type.split(",")
    if isinstance(value, bool):
        return "BOOLEAN" in kinds
    if isinstance(value, str):
        return "STRING" in kinds
    if not isinstance(value, int | float):
        return False
    return "FLOAT" in kinds or ("INT" in kinds and value == int(value))


def _has_words(input: Input) -> bool:
    """Whether all options of a choice are words."""
    options = input.choice.options if input.choice is not None else ()
    return isinstance(options, Files) or all(type(option) is str for option in options)


def _takes(input: Input | None, value: Any) -> bool:
    """Whether a word may be meant for this widget."""
    if input is None or not isinstance(value, str):
        return False
    if input.choice is not None:
        options = input.choice.options
        return isinstance(options, Files) or value in options
    return input.type == "STRING" and value != "image"


def _is_input(name: str, value: Any, spec: NodeSpec | None) -> bool:
    if value is None or name.startswith("$$"):
        return False
    if spec is None:
        return name not in EDITOR_ONLY
    return name.partition(".")[0] in spec.by_name


def _defaults(widgets: Iterable[Input], given: Mapping[str, Any]) -> dict[str, Any]:
    """For widgets that a node got after the file was saved."""
    found: dict[str, Any] = {}
    for input in widgets:
        options = input.choice.options if input.choice is not None else ()
        if input.variants and not input.optional:
            found[input.name] = key = given.get(input.name, input.variants[0].key)
            found |= _defaults(_brought(input, key), given)
        elif input.default is not MISSING:
            found[input.name] = input.default
        elif not input.optional and not isinstance(options, Files) and options:
            found[input.name] = options[0]
    return found
