"""Graphs that nodes return in their own place, made ready to run."""

from __future__ import annotations

import hashlib
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from msgspec.structs import replace

from engine.authoring.errors import SoundstageError
from engine.authoring.protocols import Artifact, Expansion
from engine.authoring.registry import Registry
from engine.graph.plan import ordered
from engine.graph.prompt import (
    MOST_NODES,
    GraphNode,
    Link,
    Origins,
    as_link,
    graph_node,
    origin,
    past_passing,
)
from engine.run.turns import Hole

LONGEST_ID = 200
READABLE_ID = 80
PLAIN = (str, int, float, bool, type(None))


class ExpansionError(SoundstageError):
    """A node expanded into a graph that cannot run."""


@dataclass(frozen=True)
class Grown:
    """The graphs of all runs of one node.

    Attributes:
        nodes: each after those of them that it takes from.
        returned: what the runs returned, with holes in the place of links into the graphs.
        display: the node that clients shall show for a new one, where that says so itself.
        outside: ids of older nodes that they take from.
    """

    nodes: list[GraphNode]
    returned: list[Any]
    display: dict[str, str]
    outside: list[str]


def grown(
    parent: GraphNode, returned: Sequence[Any], registry: Registry, known: dict[str, GraphNode]
) -> Grown:
    """Read what the runs of a node returned.

    Args:
        parent: the node.
        returned: what each of its runs returned; some are Expansions.
        registry: the nodes there are.
        known: the nodes of the job so far.

    Raises:
        ExpansionError: a graph cannot run; the text says why.
        CycleError: its nodes wait for each other.
    """
    nodes: dict[str, GraphNode] = {}
    display: dict[str, str] = {}
    read: list[Any] = []
    for turn, item in enumerate(returned):
        if not isinstance(item, Expansion):
            read.append(item)
            continue
        reader = _Reader(parent, turn, item, registry, known)
        nodes |= reader.nodes()
        display |= reader.display
        read.append(reader.outputs(nodes))
    if len(known) + len(nodes) > MOST_NODES:
        raise ExpansionError(f"the job grew to over {MOST_NODES} nodes; does its loop ever end?")
    sources = {id: [link.node for link in node.links.values()] for id, node in nodes.items()}
    order = ordered(nodes, lambda id: [source for source in sources[id] if source in nodes])
    outside = {source: None for ids in sources.values() for source in ids if source not in nodes}
    return Grown([nodes[id] for id in order], read, display, [*outside])


class _Reader:
    """One graph; ids without the parent's get the parent's and the run's number before them."""

    def __init__(
        self,
        parent: GraphNode,
        turn: int,
        expansion: Expansion,
        registry: Registry,
        known: dict[str, GraphNode],
    ) -> None:
        self._expansion = expansion
        self._registry = registry
        self._known = known
        self._origins: Origins = {}
        self._ids: dict[str, str] = {}
        for id in map(str, expansion.graph):
            own = id.startswith(f"{parent.id}.")
            self._ids[id] = shortened(id if own else f"{parent.id}.{turn}.0.{id}")
        self.display: dict[str, str] = {}

    def nodes(self) -> dict[str, GraphNode]:
        """The nodes of the graph."""
        nodes: dict[str, GraphNode] = {}
        for id, entry in self._expansion.graph.items():
            full = self._ids[str(id)]
            if full in self._known:
                raise ExpansionError(
                    f"the job has a node {full!r} already; an expansion needs ids of its own"
                )
            nodes[full] = self._node(full, entry)
            if "override_display_id" in entry:
                self.display[full] = str(entry["override_display_id"])
        everything = ChainMap(nodes, self._known)
        for id, node in nodes.items():
            for name, link in node.links.items():
                self._check(link, f"input {name!r} of its node {id!r} ({node.spec.id})", everything)
            nodes[id] = past_passing(node, everything, self._origins)
        return nodes

    def outputs(self, nodes: dict[str, GraphNode]) -> Artifact:
        """What the run returned, with a hole for each link."""
        values: list[Any] = []
        for number, value in enumerate(self._expansion.outputs):
            link = as_link(value)
            if link is None:
                values.append(value)
                continue
            link, everything = self._inside(link), ChainMap(nodes, self._known)
            self._check(link, f"its output {number}", everything)
            found = origin(link, everything, self._origins)
            values.append(Hole(found) if isinstance(found, Link) else found.value)
        artifact = Artifact(values)
        artifact.shown = self._expansion.shown
        return artifact

    def _node(self, id: str, entry: Any) -> GraphNode:
        given = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        class_type, inputs = given.get("class_type"), given.get("inputs")
        if not isinstance(class_type, str) or not isinstance(inputs, dict):
            raise ExpansionError(
                f"node {id!r} of the expansion is not written as in a prompt: "
                '{"class_type": ..., "inputs": {...}}'
            )
        spec = self._registry.get(class_type)
        if spec is None:
            told = f"the expansion needs a node {class_type!r}, which is not there"
            raise ExpansionError(self._registry.without(class_type, told))
        node = graph_node(id, spec, cast("dict[str, Any]", inputs))
        opaque = (name for name, value in node.literals.items() if not is_plain(value))
        links = {name: self._inside(link) for name, link in node.links.items()}
        return replace(node, links=links, opaque=frozenset(opaque))

    def _inside(self, link: Link) -> Link:
        return Link(self._ids.get(link.node, link.node), link.slot)

    def _check(self, link: Link, where: str, nodes: Mapping[str, GraphNode]) -> None:
        source = nodes.get(link.node)
        if source is None:
            raise ExpansionError(
                f"{where} links to node {link.node!r}, which is neither in the expansion nor in "
                "the prompt"
            )
        if not 0 <= link.slot < len(source.spec.outputs):
            raise ExpansionError(
                f"{where} links to output {link.slot} of node {link.node!r} ({source.spec.id}), "
                f"which has {len(source.spec.outputs)}"
            )


def shortened(id: str) -> str:
    """An id of bearable length: those of a loop hold those of all its turns so far."""
    if len(id) <= LONGEST_ID:
        return id
    return f"{id[:READABLE_ID]}~{hashlib.blake2b(id.encode(), digest_size=12).hexdigest()}"


def is_plain(value: Any) -> bool:
    """Whether a value is plain data, whose text tells all of it."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is dict:
            waiting += [*item, *item.values()]
        elif type(item) in (list, tuple):
            waiting += item
        elif type(item) not in PLAIN:
            return False
    return True
