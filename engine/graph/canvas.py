"""A prompt in API format as a workflow that the editor opens: the way back of `workflow`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from engine.authoring.dynamic import flatten
from engine.authoring.registry import Registry
from engine.authoring.sockets import ANY
from engine.authoring.spec import Input, NodeSpec
from engine.graph.prompt import Link, as_link, literal
from engine.graph.topological_sort import TopologicalSort
from engine.graph.widgets import has_control, shown

Entry: TypeAlias = Mapping[str, Any]
Box: TypeAlias = dict[str, Any]

WIDTH = 320
GAP = 60
TITLE = 40
ROW = 26
TEXT = 120
PICTURE = 260


def to_workflow(prompt: Mapping[str, Entry], registry: Registry) -> dict[str, Any]:
    """The workflow whose prompt this is, laid out in columns from left to right.

    Args:
        prompt: node id to ``{"class_type": ..., "inputs": {...}}``. Ids that are no numbers are
            replaced by numbers, for the editor knows no others.
        registry: has the sockets and widgets of each type of node; one of an unknown type
            keeps its values by name.
    """
    numbers = _numbers(prompt)
    boxes = {id: _box(numbers[id], entry, registry) for id, entry in prompt.items()}
    links = [*_links(prompt, numbers, boxes)]
    _lay_out(boxes, {id: [*_sources(entry)] for id, entry in prompt.items()})
    return {
        "last_node_id": max(numbers.values(), default=0),
        "last_link_id": len(links),
        "nodes": [*boxes.values()],
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _numbers(prompt: Mapping[str, Entry]) -> dict[str, int]:
    given = {id: int(id) for id in prompt if id.isascii() and id.isdigit() and str(int(id)) == id}
    last = max(given.values(), default=0)
    others = [id for id in prompt if id not in given]
    return given | {id: number for number, id in enumerate(others, last + 1)}


def _box(number: int, entry: Entry, registry: Registry) -> Box:
    """A node with its sockets and values; links and place come later."""
    type, inputs = entry["class_type"], entry["inputs"]
    spec = registry.get(type)
    literals = {name: literal(value) for name, value in inputs.items() if not as_link(value)}
    linked = [name for name, value in inputs.items() if as_link(value)]
    box: Box = {
        "id": number,
        "type": type,
        "mode": 0,
        "flags": {},
        "inputs": _sockets(spec and flatten(spec, inputs), linked),
        "outputs": [_output(output.name, output.type) for output in (spec.outputs if spec else ())],
        "properties": {"Node name for S&R": type},
        **(_values(spec, literals) if spec else {"widgets_values": literals}),
    }
    box["size"] = [WIDTH, _height(spec, len(box["inputs"]))]
    title = entry.get("_meta", {}).get("title")
    return box if title is None else {**box, "title": title}


def _sockets(spec: NodeSpec | None, linked: Iterable[str]) -> list[Box]:
    """The sockets of a node, then those that its linked widgets have."""
    declared = [input for input in spec.inputs if not input.is_widget] if spec else []
    sockets = [_socket(input) for input in declared]
    known = {input.name for input in declared}
    for name in linked:
        if name not in known:
            sockets.append(_socket(spec.input(name) if spec else Input(name, ANY)))
    return sockets


def _socket(input: Input) -> Box:
    socket: Box = {"name": input.name, "type": input.type, "link": None}
    return {**socket, "widget": {"name": input.name}} if input.is_widget else socket


def _output(name: str, type: str) -> Box:
    return {"name": name, "type": type, "links": []}


def _values(spec: NodeSpec, literals: Mapping[str, Any]) -> Box:
    """Values in widget order, and by name those that stand where the editor has a socket."""
    values: list[Any] = []
    left = {name: v for name, v in literals.items() if name.partition(".")[0] in spec.by_name}
    for input, value in shown(spec, literals):
        left.pop(input.name, None)
        values.append(value)
        if has_control(input):
            values.append("fixed")
        elif input.upload is not None:
            values.append("image")
    return {"widgets_values": values, **({"widgets_values_named": left} if left else {})}


def _height(spec: NodeSpec | None, sockets: int) -> int:
    if spec is None:
        return TITLE + TEXT
    widgets = [input for input in spec.inputs if input.is_widget]
    texts = sum(input.text is not None and input.text.multiline for input in widgets)
    rows = max(sockets, len(spec.outputs)) + len(widgets) - texts
    has_picture = spec.is_output or any(input.upload for input in widgets)
    return TITLE + rows * ROW + texts * TEXT + (PICTURE if has_picture else 0)


def _links(
    prompt: Mapping[str, Entry], numbers: Mapping[str, int], boxes: Mapping[str, Box]
) -> Iterator[list[Any]]:
    """Every link as the editor lists it; both its ends list it."""
    last = 0
    for id, entry in prompt.items():
        for place, socket in enumerate(boxes[id]["inputs"]):
            link = as_link(entry["inputs"].get(socket["name"]))
            if link is None or link.node not in boxes:
                continue
            last += 1
            socket["link"] = last
            output = _left(boxes[link.node], link)
            output["links"].append(last)
            yield [last, numbers[link.node], link.slot, numbers[id], place, output["type"]]


def _left(box: Box, link: Link) -> Box:
    """The output that a link leaves by."""
    outputs: list[Box] = box["outputs"]
    for slot in range(len(outputs), link.slot + 1):  # of a node whose type is not known
        outputs.append(_output(str(slot), ANY))
    return outputs[link.slot]


def _sources(entry: Entry) -> Iterator[str]:
    for value in entry["inputs"].values():
        link = as_link(value)
        if link is not None:
            yield link.node


def _lay_out(boxes: dict[str, Box], sources: Mapping[str, list[str]]) -> None:
    """A node stands one column right of the rightmost that it takes from."""
    columns: dict[str, int] = {}
    heights: defaultdict[int, int] = defaultdict(int)
    walk = TopologicalSort(boxes, lambda id: (source for source in sources[id] if source in boxes))
    for order, id in enumerate(walk.order):
        column = max((columns.get(source, -1) for source in sources[id]), default=-1) + 1
        columns[id] = column
        boxes[id] |= {"order": order, "pos": [column * (WIDTH + GAP), heights[column]]}
        heights[column] += boxes[id]["size"][1] + GAP
