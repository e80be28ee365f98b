"""Sheets that contradict themselves, mended where two of three places agree.

A link stands in three places of a file: in the list of links, at the input it enters (`link`),
and at the output it leaves (`links`). What the input says counts. Where it names no link of the
list:

- a link that an output lists is there, though the list lacks it;
- else a link of the list that ends at this input, and that no other input names, enters here:
  for an input that names nothing, only if the output lists it too.

A node whose id another one has is given a free number; of links that leave "the id", those that
its outputs list are its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from engine.graph.editor import (
    Id,
    Node,
    Nodes,
    Socket,
    Wire,
    Wires,
    child,
    read_nodes,
    read_wires,
)


def read_sheet(holder: Mapping[str, Any], where: str) -> tuple[Nodes, Wires]:
    """The nodes and links of a document or subgraph, mended.

    Raises:
        PromptError: one that cannot be read.
    """
    nodes, wires = read_nodes(holder, where), read_wires(holder, where)
    given = (holder.get("last_node_id"), child(holder, "state").get("lastNodeId"))
    last = max((number for number in given if type(number) is int), default=0)
    return repair(nodes, wires, last), wires


def repair(nodes: list[Node], wires: Wires, last: int = 0) -> Nodes:
    """The nodes by their ids, all of them different; `wires` and the nodes are changed in place.

    Args:
        nodes: of one sheet, in the order of the file; each has an id.
        wires: its links.
        last: the highest number that the file says was given to a node.
    """
    by_id = _renumbered(nodes, wires, last)
    _add_unlisted(by_id, wires)
    _relink(by_id, wires)
    return by_id


def _renumbered(nodes: list[Node], wires: Wires, last: int) -> Nodes:
    by_id: Nodes = {}
    numbers = (int(node.key) for node in nodes if node.key.isascii() and node.key.isdecimal())
    highest = max([last, *numbers]) if nodes else last
    for node in nodes:
        first = by_id.setdefault(node.key, node)
        if first is node:
            continue
        highest += 1
        firsts = {link for _, link in _leaving(first)}
        for _, link in _leaving(node):
            wire = wires.get(link)
            if wire is not None and wire.source == node.key and link not in firsts:
                wires[link] = replace(wire, source=str(highest))
        for socket in node.inputs:
            wire = wires.get(str(socket.link))
            if wire is not None and wire.target == node.key:
                wires[str(socket.link)] = replace(wire, target=str(highest))
        node.id = highest
        by_id[node.key] = node
    return by_id


def _leaving(node: Node) -> Iterator[tuple[int, str]]:
    """The links that a node's outputs list, each with the output's number."""
    for slot, socket in enumerate(node.outputs):
        for link in listed(socket):
            yield slot, str(link)


def listed(socket: Socket) -> Iterable[Id]:
    """The links that an output lists."""
    links = cast("list[Any]", socket.links) if isinstance(socket.links, list) else []
    return [link for link in links if isinstance(link, int | str)]


def _add_unlisted(nodes: Nodes, wires: Wires) -> None:
    """Links that an input and an output know, and the list does not."""
    leaving = {link: (node, slot) for node in nodes.values() for slot, link in _leaving(node)}
    for node in nodes.values():
        for slot, socket in enumerate(node.inputs):
            link = str(socket.link)
            if socket.link is not None and link not in wires and link in leaving:
                source, place = leaving[link]
                kind = source.outputs[place].type
                wires[link] = Wire(source.key, place, node.key, slot, kind)


def _relink(nodes: Nodes, wires: Wires) -> None:
    """Inputs that do not know the link which ends at them."""
    named = {str(socket.link) for node in nodes.values() for socket in node.inputs}
    ending: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for id, wire in wires.items():
        if id not in named:
            ending[wire.target, wire.target_slot].append(id)
    if not ending:
        return
    leaving = {link for node in nodes.values() for _, link in _leaving(node)}
    for node in nodes.values():
        for slot, socket in enumerate(node.inputs):
            if socket.link is not None and str(socket.link) in wires:
                continue
            found = ending.get((node.key, slot), ())
            known = (link for link in found if socket.link is not None or link in leaving)
            socket.link = next(known, socket.link)
