"""Old group nodes ("workflow>name"), made into the subgraphs that took their place."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import structs

from engine.authoring.sockets import ANY
from engine.graph.editor import (
    ENTRY,
    EXIT,
    Definition,
    Node,
    Nodes,
    Wire,
    Wires,
    is_tuple,
    items,
    read_node,
    unusable,
)

PREFIXES = ("workflow>", "workflow/")
REMEDY = "make a subgraph of it in the editor and save again"

Place: TypeAlias = tuple[Node, int]


def as_subgraph(host: Node, group: Mapping[str, Any], told: str) -> Definition:
    """The subgraph that one use of a group stands for; its nodes' ids are their places in it.

    The links of a group are ``[from, slot, to, slot, ..., type]``, with null for what comes from
    outside. Its host shows the sockets that nothing inside is linked to, node by node; of equal
    names all but the first are named with their node. The widgets of all nodes follow each other.

    Args:
        host: the node that stands for the group.
        group: of the document's ``extra.groupNodes``.
        told: the host in the words of an error.

    Raises:
        PromptError: host and group do not fit together.
    """
    nodes: Nodes = {}
    for position, raw in enumerate(items(group, "nodes", told)):
        node = read_node(raw, position, told)
        key = position if node.index is None else node.index
        nodes[str(key)] = structs.replace(node, id=key)
    wires: Wires = {}
    for entry in items(group, "links", told):
        match entry:
            case [int() as source, int() as slot, int() as target, int() as target_slot, *rest]:
                type = rest[-1] if rest else ANY
                _attach(nodes, wires, Wire(str(source), slot, str(target), target_slot, type))
            case _:
                continue
    _share_values(host, nodes, told)
    _link_host(host, nodes, wires, told)
    for number, place in _outputs(host, group, nodes, wires, told):
        wires[str(len(wires))] = Wire(place[0].key, place[1], EXIT, number)
    return Definition(host.type, host.type, nodes, wires, [socket.name for socket in host.inputs])


def _attach(nodes: Nodes, wires: Wires, wire: Wire) -> None:
    key = str(len(wires))
    wires[key] = wire
    node = nodes.get(wire.target)
    if node is not None and 0 <= wire.target_slot < len(node.inputs):
        node.inputs[wire.target_slot].link = key


def _share_values(host: Node, nodes: Nodes, told: str) -> None:
    """Deal the values of the host's widgets out to the nodes inside, each as many as it saved."""
    saved = host.widgets_values
    if not isinstance(saved, list) or not saved:
        return
    inner = [node for node in nodes.values() if isinstance(node.widgets_values, list)]
    if len(saved) != sum(len(node.widgets_values) for node in inner):
        problem = f"its {len(saved)} widget values are not those of the nodes inside"
        raise unusable(f"{told}: {problem}; {REMEDY}")
    position = 0
    for node in inner:
        end = position + len(node.widgets_values)
        node.widgets_values, position = saved[position:end], end


def _link_host(host: Node, nodes: Nodes, wires: Wires, told: str) -> None:
    """Link the inputs of the host to those inside that they show."""
    used = {(wire.target, wire.target_slot) for wire in wires.values()}
    free = _Free(
        (node, slot, socket.name)
        for key, node in nodes.items()
        for slot, socket in enumerate(node.inputs)
        if (key, slot) not in used
    )
    for number, socket in enumerate(host.inputs):
        place = free.take(socket.name)
        if place is not None:
            _attach(nodes, wires, Wire(ENTRY, number, place[0].key, place[1]))
        elif socket.link is not None:
            problem = f"its input {socket.name!r} belongs to none of the nodes inside"
            raise unusable(f"{told}: {problem}; {REMEDY}")


def _outputs(
    host: Node, group: Mapping[str, Any], nodes: Nodes, wires: Wires, told: str
) -> Iterator[tuple[int, Place]]:
    """The output inside that each output of the host shows."""
    shown = {(str(e[0]), str(e[1])) for e in items(group, "external", told) if is_tuple(e)}
    hidden = {(wire.source, str(wire.slot)) for wire in wires.values()} - shown
    free = _Free(
        (node, slot, socket.name)
        for key, node in nodes.items()
        for slot, socket in enumerate(node.outputs)
        if (key, str(slot)) not in hidden
    )
    for number, socket in enumerate(host.outputs):
        place = free.take(socket.name)
        if place is not None:
            yield number, place


class _Free:
    """Sockets inside a group that its host may show, in order; each is taken once."""

    def __init__(self, sockets: Iterable[tuple[Node, int, str]]) -> None:
        self._places: defaultdict[str, deque[Place]] = defaultdict(deque)
        self._taken: set[tuple[str, int]] = set()
        for node, slot, name in sockets:
            for shown in dict.fromkeys([name, f"{node.type} {name}", f"{node.title} {name}"]):
                self._places[shown].append((node, slot))

    def take(self, name: str) -> Place | None:
        """The first one shown by this name, or by its last word."""
        for shown in (name, name.rpartition(" ")[2]):
            places = self._places[shown]
            while places:
                node, slot = places.popleft()
                if (node.key, slot) not in self._taken:
                    self._taken.add((node.key, slot))
                    return node, slot
        return None
