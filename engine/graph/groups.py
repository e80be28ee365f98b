"""Old group nodes ("workflow>name"), made into the subgraphs that took their place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from engine.authoring.registry import Registry
from engine.authoring.sockets import ANY
from engine.graph.editor import (
    ENTRY,
    EXIT,
    Definition,
    Node,
    Nodes,
    Socket,
    Wire,
    Wires,
    child,
    is_tuple,
    items,
    read_node,
    unusable,
)
from engine.graph.old_files import present_type
from engine.graph.widgets import places

PREFIXES = ("workflow>", "workflow/")
REMEDY = "make a subgraph of it in the editor and save again"


@dataclass(eq=False)
class GroupSocket:
    """A socket of a node inside, which the host may show.

    Attributes:
        given: its name, if the person who made the group gave it one.
    """

    node: Node
    slot: int
    socket: Socket
    given: str | None = None

    @property
    def names(self) -> list[str]:
        """What the host may call it."""
        if self.given is not None:
            return [self.given]
        name = self.socket.name
        return [name, f"{self.node.type} {name}", f"{self.node.title} {name}"]

    @property
    def kind(self) -> str:
        """The type of its values; a reroute says it at its output alone."""
        if self.socket.kind != ANY or not self.node.outputs:
            return self.socket.kind
        return self.node.outputs[0].kind


@dataclass(frozen=True)
class _Config:
    """What the person who made a group said of its sockets: names, and which are not shown."""

    nodes: Mapping[str, Any]

    def of(self, node: str, side: str, socket: str) -> Mapping[str, Any]:
        """The entry of one socket: by name for inputs and widgets, by number for outputs."""
        return child(child(child(self.nodes, node), side), socket)

    def name(self, node: str, side: str, socket: str) -> str | None:
        """The name that was given to a socket."""
        name = self.of(node, side, socket).get("name")
        return name if isinstance(name, str) and name else None

    def shows(self, node: str, side: str, socket: str) -> bool:
        """Whether the host has it."""
        return self.of(node, side, socket).get("visible") is not False


def as_subgraph(host: Node, group: Mapping[str, Any], where: str, registry: Registry) -> Definition:
    """The subgraph that one use of a group stands for; its nodes' ids are their places in it.

    The links of a group are ``[from, slot, to, slot, ..., type]``, with null for what comes from
    outside. Its host shows the sockets that nothing inside is linked to, node by node; of equal
    names all but the first are named with their node. Its `config` gives sockets other names, or
    hides them: ``{node: {"input": {name: {"name": ..., "visible": ...}}, "output": {slot: ...}}}``.
    The widgets of all nodes follow each other.

    Args:
        host: the node that stands for the group.
        group: of the document's ``extra.groupNodes``.
        where: the host, for error messages.
        registry: has the widgets of the nodes inside.

    Raises:
        PromptError: host and group do not fit together.
    """
    nodes: Nodes = {}
    for position, raw in enumerate(items(group, "nodes", where)):
        node = read_node(raw, position, where)
        key = position if node.index is None else node.index
        inputs = [structs.replace(socket, link=None) for socket in node.inputs]
        nodes[str(key)] = structs.replace(node, id=key, inputs=inputs)
    wires: Wires = {}
    for entry in items(group, "links", where):
        match entry:
            case [int() as source, int() as slot, int() as target, int() as target_slot, *rest]:
                type = rest[-1] if rest else ANY
                _attach(nodes, wires, Wire(str(source), slot, str(target), target_slot, type))
            case _:
                continue
    config = _Config(child(group, "config"))
    _share_values(host, nodes, config, where, registry)
    _link_host(host, nodes, wires, config, where)
    for number, place in _outputs(host, group, nodes, wires, config, where):
        wires[str(len(wires))] = Wire(place.node.key, place.slot, EXIT, number)
    inputs = [socket.name for socket in host.inputs]
    return Definition(host.type, host.type, nodes, wires, inputs, closed=True)


def _attach(nodes: Nodes, wires: Wires, wire: Wire) -> None:
    key = str(len(wires))
    wires[key] = wire
    node = nodes.get(wire.target)
    if node is not None and 0 <= wire.target_slot < len(node.inputs):
        node.inputs[wire.target_slot].link = key


def _share_values(
    host: Node, nodes: Nodes, config: _Config, where: str, registry: Registry
) -> None:
    """Deal the values of the host's widgets out to the nodes inside, each as many as it shows."""
    saved = host.widgets_values
    if not isinstance(saved, list) or not saved:
        return
    shown: list[tuple[list[Any], int]] = []
    for key, node in nodes.items():
        if isinstance(node.widgets_values, list):
            own = node.widgets_values = [*node.widgets_values]
            names = _widget_names(node, registry)
            shown += [
                (own, at) for at, name in enumerate(names) if config.shows(key, "input", name)
            ]
    if len(saved) != len(shown):
        problem = f"its {len(saved)} widget values are not those of the nodes inside"
        raise unusable(f"{where}: {problem}; {REMEDY}")
    for (own, at), value in zip(shown, saved, strict=True):
        own[at] = value


def _widget_names(node: Node, registry: Registry) -> list[str]:
    """The input of each value that a node saved; without a name where its type is not known."""
    saved = node.widgets_values
    spec = registry.get(present_type(node.type, registry))
    names = places(saved, spec) if spec is not None and isinstance(saved, list) else []
    return [*names, *[""] * (len(saved) - len(names))]


def _link_host(host: Node, nodes: Nodes, wires: Wires, config: _Config, where: str) -> None:
    """Link the inputs of the host to those inside that they show."""
    used = {(wire.target, wire.target_slot) for wire in wires.values()}
    free = [
        GroupSocket(node, slot, socket, config.name(key, "input", socket.name))
        for key, node in nodes.items()
        for slot, socket in enumerate(node.inputs)
        if (key, slot) not in used and config.shows(key, "input", socket.name)
    ]
    found = _matched(host.inputs, free)
    for number, socket in enumerate(host.inputs):
        place = found.get(number)
        if place is not None:
            _attach(nodes, wires, Wire(ENTRY, number, place.node.key, place.slot))
        elif socket.link is not None:
            problem = f"its input {socket.name!r} belongs to none of the nodes inside"
            raise unusable(f"{where}: {problem}; {REMEDY}")


def _outputs(
    host: Node, group: Mapping[str, Any], nodes: Nodes, wires: Wires, config: _Config, where: str
) -> Iterator[tuple[int, GroupSocket]]:
    """The output inside that each output of the host shows."""
    shown = {(str(e[0]), str(e[1])) for e in items(group, "external", where) if is_tuple(e)}
    hidden = {(wire.source, str(wire.slot)) for wire in wires.values()} - shown
    free = [
        GroupSocket(node, slot, socket, config.name(key, "output", str(slot)))
        for key, node in nodes.items()
        for slot, socket in enumerate(node.outputs)
        if (key, str(slot)) not in hidden and config.shows(key, "output", str(slot))
    ]
    yield from _matched(host.outputs, free).items()


def _matched(sockets: Sequence[Socket], free: list[GroupSocket]) -> dict[int, GroupSocket]:
    """The place inside that each socket of a host shows; each is taken once.

    By its name, else by the last word of that. Sockets that no name identifies, such as those of
    reroutes, are matched by their order, if there are as many of the type on both sides.
    """
    found: dict[int, GroupSocket] = {}
    for whole in (True, False):
        for number, socket in enumerate(sockets):
            name = socket.name if whole else socket.name.rpartition(" ")[2]
            place = next((place for place in free if name in place.names), None)
            if number not in found and place is not None:
                found[number] = place
                free.remove(place)
    left = [(number, socket) for number, socket in enumerate(sockets) if number not in found]
    wanted, there = Counter(s.kind for _, s in left), Counter(place.kind for place in free)
    for number, socket in left:
        if wanted[socket.kind] == there[socket.kind]:
            found[number] = next(place for place in free if place.kind == socket.kind)
            free.remove(found[number])
    return found
