"""Expansions: graphs that nodes return in their own place, made ready to run."""

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
from engine.graph.topological_sort import topological_order
from engine.run.list_mapping import Placeholder

MAX_ID_LENGTH = 200
READABLE_ID = 80
PLAIN = (str, int, float, bool, type(None))


class ExpansionError(SoundstageError):
    """A node expanded into a graph that cannot run."""


@dataclass(frozen=True)
class ExpandedGraph:
    """The graphs that all calls of one node returned.

    Attributes:
        nodes: each after its sources.
        returned: what the calls returned, with placeholders for links into the graphs.
        display: the node that clients show for a new one, where the graph sets it.
        outside: ids of older nodes that are sources of theirs.
    """

    nodes: list[GraphNode]
    returned: list[Any]
    display: dict[str, str]
    outside: list[str]


def read_expansions(
    parent: GraphNode, returned: Sequence[Any], registry: Registry, known: dict[str, GraphNode]
) -> ExpandedGraph:
    """Read the expansions among what the calls of a node returned.

    Args:
        parent: the node.
        returned: what each of its calls returned; some are Expansions.
        registry: the nodes there are.
        known: the nodes of the job so far.

    Raises:
        ExpansionError: a graph cannot run; the text says why.
        CycleError: its nodes wait for each other.
    """
    nodes: dict[str, GraphNode] = {}
    display: dict[str, str] = {}
    read: list[Any] = []
    for call_index, item in enumerate(returned):
        if not isinstance(item, Expansion):
            read.append(item)
            continue
        reader = _Reader(parent, call_index, item, registry, known)
        nodes |= reader.nodes()
        display |= reader.display
        read.append(reader.outputs(nodes))
    if len(known) + len(nodes) > MOST_NODES:
        raise ExpansionError(f"the job grew to over {MOST_NODES} nodes; does its loop ever end?")
    sources = {id: [link.node for link in node.links.values()] for id, node in nodes.items()}
    order = topological_order(
        nodes, lambda id: [source for source in sources[id] if source in nodes]
    )
    outside = {source: None for ids in sources.values() for source in ids if source not in nodes}
    return ExpandedGraph([nodes[id] for id in order], read, display, [*outside])


class _Reader:
    """One graph; ids without the parent's get the parent's and the call's number as a prefix."""

    def __init__(
        self,
        parent: GraphNode,
        call_index: int,
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
            self._ids[id] = shorten_id(id if own else f"{parent.id}.{call_index}.0.{id}")
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
        """What the call returned, with a placeholder for each link."""
        values: list[Any] = []
        for number, value in enumerate(self._expansion.outputs):
            link = as_link(value)
            if link is None:
                values.append(value)
                continue
            link, everything = self._full_link(link), ChainMap(nodes, self._known)
            self._check(link, f"its output {number}", everything)
            found = origin(link, everything, self._origins)
            values.append(Placeholder(found) if isinstance(found, Link) else found.value)
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
            message = f"the expansion needs a node {class_type!r}, which is not there"
            raise ExpansionError(self._registry.missing_node_message(class_type, message))
        node = graph_node(id, spec, cast("dict[str, Any]", inputs))
        opaque = (name for name, value in node.literals.items() if not is_plain(value))
        links = {name: self._full_link(link) for name, link in node.links.items()}
        return replace(node, links=links, opaque=frozenset(opaque))

    def _full_link(self, link: Link) -> Link:
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


def shorten_id(id: str) -> str:
    """An id of at most 200 characters: those of a loop contain those of all its iterations."""
    if len(id) <= MAX_ID_LENGTH:
        return id
    return f"{id[:READABLE_ID]}~{hashlib.blake2b(id.encode(), digest_size=12).hexdigest()}"


def is_plain(value: Any) -> bool:
    """Whether a value is plain data, whose repr describes it completely."""
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
