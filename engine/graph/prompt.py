"""A prompt in API format as a graph: nodes, literals, links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from engine.authoring.dynamic import flatten
from engine.authoring.registry import Registry
from engine.authoring.spec import MISSING, NodeSpec
from engine.graph.topological_sort import topological_order

MOST_NODES = 100_000
"""Of one job, those that its nodes expand into included."""


class Link(Struct, frozen=True):
    """Output number `slot` of node `node`."""

    node: str
    slot: int


class GraphNode(Struct, frozen=True):
    """One node of a graph; of its inputs only those that its spec declares, or takes if linked.

    Attributes:
        changed: the node's fingerprint where the client gives it ("is_changed").
        opaque: literals that are no plain data; only an expansion has such.
    """

    id: str
    spec: NodeSpec
    literals: Mapping[str, Any]
    links: Mapping[str, Link]
    changed: Any = MISSING
    opaque: frozenset[str] = frozenset()

    def strong_links(self) -> dict[str, Link]:
        """The links that must be computed before the node runs: neither lazy nor raw ones."""
        if not self.spec.has_lazy_inputs:
            return {**self.links}
        return {name: link for name, link in self.links.items() if not self.waits_for(name)}

    def waits_for(self, name: str) -> bool:
        """Whether a linked input is left alone until somebody asks for it."""
        input = self.spec.input(name)
        return input.raw or (input.lazy and self.spec.can_request_inputs)


class Graph(Struct, frozen=True):
    """The nodes of a prompt by their ids; links point only at nodes of the graph."""

    nodes: Mapping[str, GraphNode]

    @classmethod
    def of(cls, prompt: Mapping[str, Any], registry: Registry) -> Graph:
        """Graph of a prompt that `validate` accepted; nodes it cannot read are left out."""
        nodes: dict[str, GraphNode] = {}
        for id, entry in prompt.items():
            spec = registry.get(entry.get("class_type"))
            inputs = entry.get("inputs")
            if spec is not None and isinstance(inputs, dict):
                changed = entry.get("is_changed", MISSING)
                nodes[id] = graph_node(id, spec, inputs, changed)  # pyright: ignore[reportUnknownArgumentType] - JSON
        known: Origins = {}
        return cls({id: past_passing(node, nodes, known) for id, node in nodes.items()})

    def ordered(self, outputs: Iterable[str]) -> list[GraphNode]:
        """The nodes that `outputs` need, lazily needed ones too, each after its inputs."""
        return [self.nodes[id] for id in topological_order(outputs, self._sources)]

    def _sources(self, id: str) -> list[str]:
        return [link.node for link in self.nodes[id].links.values()]


def graph_node(
    id: str, spec: NodeSpec, inputs: Mapping[str, Any], changed: Any = MISSING
) -> GraphNode:
    """One node with its inputs split into literals and links; null leaves one out."""
    spec = flatten(spec, inputs)
    literals: dict[str, Any] = {}
    links: dict[str, Link] = {}
    for name, value in inputs.items():
        input = spec.by_name.get(name)
        if (input is None and not spec.takes_more) or (
            value is None and input is not None and input.optional
        ):
            continue
        link = as_link(value)
        if link is not None:
            links[name] = link
        elif input is not None or spec.takes_all:
            literals[name] = literal(value)
    return GraphNode(id, spec, literals, links, changed)


def past_passing(node: GraphNode, nodes: Mapping[str, GraphNode], known: Origins) -> GraphNode:
    """The node, what nodes only pass on taken from where that comes from; see `origin`."""
    if not any(_passed(link, nodes) for link in node.links.values()):
        return node
    literals, links = {**node.literals}, {**node.links}
    for name, link in node.links.items():
        found = origin(link, nodes, known)
        if isinstance(found, Link):
            links[name] = found
        else:
            literals[name] = found.value
            del links[name]
    return replace(node, literals=literals, links=links)


class Given(Struct, frozen=True):
    """A literal that a node passes on."""

    value: Any


Origins: TypeAlias = dict[Link, Link | Given]
"""Where what comes by a link is made, as far as somebody has looked."""


def origin(link: Link, nodes: Mapping[str, GraphNode], known: Origins) -> Link | Given:
    """Where what comes by a link is made, past all nodes that only pass it on.

    Args:
        link: of the graph.
        nodes: of the graph, by id.
        known: what was found in this graph before; what is found now is added.
    """
    way = {link}
    while link not in known and (passed := _passed(link, nodes)):
        source, entry = passed
        if entry in source.literals:
            known[link] = Given(source.literals[entry])
            break
        link = source.links.get(entry, link)
        if link in way:  # nodes in a circle, which do not run
            break
        way.add(link)
    found = known.get(link, link)
    known.update(dict.fromkeys(way, found))
    return found


def _passed(link: Link, nodes: Mapping[str, GraphNode]) -> tuple[GraphNode, str] | None:
    """The node and the input of it that a link really stands for, if the node passes it on."""
    source = nodes.get(link.node)
    if source is None or not 0 <= link.slot < len(source.spec.outputs):
        return None
    entry = source.spec.outputs[link.slot].passthrough
    return None if entry is None else (source, entry)


def filled(entry: Mapping[str, Any], spec: NodeSpec) -> Mapping[str, Any]:
    """A node with an object as its inputs, where it needs none and has none.

    Clients whose language has one empty collection (PHP, Lua) write it as []; others write null
    or leave it out.
    """
    empty = entry.get("inputs") in (None, [])
    if empty and all(input.optional or input.later for input in spec.inputs):
        return {**entry, "inputs": {}}
    return entry


def normal(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A node as it is stored, and as every later reader finds it: its `inputs` are an object.

    Nodes that no output needs are not validated, so they may hold anything; what is no object is
    left out, as is a `_meta` that is none.
    """
    inputs, meta = entry.get("inputs"), entry.get("_meta", {})
    stored: dict[str, Any] = {**entry, "inputs": inputs if isinstance(inputs, dict) else {}}
    if not isinstance(meta, dict):
        del stored["_meta"]
    return stored


def as_link(value: Any) -> Link | None:
    """``["12", 0]`` as a Link, everything else as None."""
    match value:
        case [str() | int() as node, int() as slot] if not isinstance(slot, bool):
            return Link(str(node), slot)
        case _:
            return None


def literal(value: Any) -> Any:
    """The value of a literal input; ``{"__value__": x}`` wraps one that looks like a link."""
    match value:
        case {"__value__": wrapped}:
            return wrapped  # pyright: ignore[reportUnknownVariableType] - JSON
        case _:
            return value


def written(value: Any) -> Any:
    """A literal as it stands in a prompt: what `literal` gives back."""
    return {"__value__": value} if isinstance(value, list | dict) else value  # pyright: ignore[reportUnknownVariableType] - JSON
