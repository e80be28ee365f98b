"""A workflow as the editor saves it: its nodes and links as typed values, nothing resolved yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, cast

import msgspec
from msgspec import Struct, field

from engine.authoring.sockets import ANY
from engine.graph.errors import PromptError
from engine.graph.literals import short

Id: TypeAlias = int | str

ENTRY = "-10"
EXIT = "-20"
MOST_SOCKETS = 500
MUTED = 2
BYPASSED = 4


class Socket(Struct):
    """An input or output of a node.

    Attributes:
        link: what enters an input.
        links: what leaves an output.
        widget: there where a widget was made a socket.
    """

    name: str = ""
    type: Any = ANY
    link: Id | None = None
    links: Any = None
    widget: Any = None

    @property
    def kind(self) -> str:
        """The type of its values; old files write the options of a choice in its place."""
        return self.type if isinstance(self.type, str) else "COMBO"


class Node(Struct):
    """One node on the canvas.

    Attributes:
        type: class_type of a prompt, the id of a subgraph, or a kind only the editor knows.
        mode: `MUTED`, `BYPASSED`, or anything else for a node that runs.
        widgets_values: in the order of the widgets, companions included; by name in some packs.
        widgets_values_named: the same by name, in files of newer editors, which do not read it.
        index: its place in an old group.
    """

    type: str
    id: Id = ""
    mode: int = 0
    title: str = ""
    inputs: list[Socket] = field(default_factory=list[Socket])
    outputs: list[Socket] = field(default_factory=list[Socket])
    widgets_values: list[Any] | dict[str, Any] = field(default_factory=list[Any])
    widgets_values_named: dict[str, Any] = field(default_factory=dict[str, Any])
    properties: dict[str, Any] = field(default_factory=dict[str, Any])
    index: int | None = None

    @property
    def key(self) -> str:
        """Its id as prompts write it."""
        return str(self.id)

    @property
    def size(self) -> int:
        """How much there is to look at."""
        return 1 + len(self.inputs) + len(self.outputs)

    @property
    def runs(self) -> bool:
        """Whether it is neither muted nor bypassed."""
        return self.mode not in (MUTED, BYPASSED)

    @property
    def proxies(self) -> list[tuple[str, str]]:
        """Widgets of inner nodes that a subgraph shows as its own: (node id, widget name)."""
        entries = self.properties.get("proxyWidgets")
        found = cast("list[Any]", entries) if isinstance(entries, list) else []
        return [(str(entry[0]), str(entry[1])) for entry in found if is_tuple(entry)]


@dataclass(frozen=True)
class Wire:
    """A link: output `slot` of node `source` into input `target_slot` of node `target`."""

    source: str
    slot: int
    target: str
    target_slot: int
    type: Any = ANY


Nodes: TypeAlias = dict[str, Node]
Wires: TypeAlias = dict[str, Wire]


@dataclass(frozen=True)
class Definition:
    """A subgraph, however often it is used.

    Attributes:
        inputs: names of what comes in, by slot of the entry node.
        entry: id by which its links name the inside of its inputs.
        exit: the same of its outputs.
        closed: an output that nothing inside leads to is an error, not merely empty.
    """

    id: str
    name: str
    nodes: Nodes
    wires: Wires
    inputs: list[str]
    entry: str = ENTRY
    exit: str = EXIT
    closed: bool = False

    @cached_property
    def leaving(self) -> dict[int, str]:
        """The link that each output stands for."""
        return {w.target_slot: id for id, w in self.wires.items() if w.target == self.exit}

    @cached_property
    def shown(self) -> dict[int, tuple[Node, str]]:
        """Inputs that stand for a widget inside: slot -> (node, input), of several the first."""
        entering = {id: w.slot for id, w in self.wires.items() if w.source == self.entry}
        shown: dict[int, tuple[Node, str]] = {}
        for node in self.nodes.values():
            for socket in node.inputs:
                slot = entering.get(str(socket.link))
                if slot is not None and socket.widget is not None:
                    shown.setdefault(slot, (node, socket.name))
        return shown

    @property
    def widgets(self) -> list[str]:
        """Names of the inputs that stand for a widget, in order."""
        return [name for slot, name in enumerate(self.inputs) if slot in self.shown]


def unusable(details: str) -> PromptError:
    """The one error of a workflow that cannot become a prompt."""
    return PromptError("invalid_workflow", "The workflow cannot be converted:", details)


def items(holder: Mapping[str, Any], name: str, where: str) -> list[Any]:
    """A list of the document; one that is not there is empty.

    Raises:
        PromptError: something else stands there.
    """
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise unusable(f"{name!r} of {where} is no list; save it again in the editor")
    return cast("list[Any]", value)


def child(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object of the document; empty where there is none."""
    value = holder.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def is_tuple(entry: Any) -> bool:
    """Whether an entry of the document is a list of two or more."""
    return isinstance(entry, list) and len(cast("list[Any]", entry)) > 1


def read_nodes(holder: Mapping[str, Any], where: str) -> list[Node]:
    """The nodes of a document or subgraph in their order; two may have one id.

    Raises:
        PromptError: one that cannot be read, or has no id.
    """
    nodes: list[Node] = []
    for position, raw in enumerate(items(holder, "nodes", where)):
        node = read_node(raw, position, where)
        if node.id == "":
            raise unusable(
                f"node number {position} of {where} ({node.type}) has no id; give it one"
            )
        nodes.append(node)
    return nodes


def read_node(raw: Any, position: int, where: str) -> Node:
    """One node; what is null counts as left out.

    Raises:
        PromptError: naming the node and the field.
    """
    if not isinstance(raw, dict):
        raise unusable(f"node number {position} of {where} is no object; remove it")
    given = _without_nulls(cast("dict[str, Any]", raw))
    try:
        node = msgspec.convert(given, Node)
    except (msgspec.ValidationError, RecursionError) as error:
        named = f"node {short(given.get('id', position))} ({short(given.get('type', 'no type'))})"
        raise unusable(f"{named} of {where}: {error}; save it again in the editor") from error
    if node.size > MOST_SOCKETS:
        named = f"node {node.key} ({short(node.type)}) of {where}"
        raise unusable(f"{named} has more than {MOST_SOCKETS} sockets; remove some")
    return node


def _without_nulls(raw: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in raw.items() if value is not None}
    for side in ("inputs", "outputs"):
        sockets = given.get(side)
        if isinstance(sockets, list):
            given[side] = [_socket(socket) for socket in cast("list[Any]", sockets)]
    return given


def _socket(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    return {name: value for name, value in cast("dict[str, Any]", raw).items() if value is not None}


def read_wires(holder: Mapping[str, Any], where: str) -> Wires:
    """The links of a document or subgraph by their ids; both ways to write one are known.

    Raises:
        PromptError: one that cannot be read.
    """
    return dict(_wires(items(holder, "links", where), where))


def _wires(entries: list[Any], where: str) -> Iterator[tuple[str, Wire]]:
    for position, entry in enumerate(entries):
        match entry:
            case None:
                continue
            case [id, source, slot, target, target_slot, *rest]:
                type = rest[0] if rest else ANY
            case {
                "id": id,
                "origin_id": source,
                "origin_slot": slot,
                "target_id": target,
                "target_slot": target_slot,
            }:
                type = cast("dict[str, Any]", entry).get("type", ANY)
            case _:
                id = source = slot = target = target_slot = type = None
        if not (_is_id(id, source, target) and _is_slot(slot, target_slot)):
            raise unusable(
                f"link number {position} of {where} ({short(entry)}) is not [id, from node, "
                "from slot, to node, to slot, type]; remove it"
            )
        yield str(id), Wire(str(source), slot, str(target), target_slot, type)  # pyright: ignore[reportArgumentType] - _is_slot saw to it


def _is_id(*values: Any) -> bool:
    return all(isinstance(value, int | str) and not isinstance(value, bool) for value in values)


def _is_slot(*values: Any) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)
