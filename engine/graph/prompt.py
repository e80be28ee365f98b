"""A prompt in API format as a graph: nodes, literals, links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.authoring.registry import Registry
from engine.authoring.spec import NodeSpec
from engine.graph.plan import ordered


@dataclass(frozen=True)
class Link:
    """Output number `slot` of node `node`."""

    node: str
    slot: int


@dataclass(frozen=True)
class GraphNode:
    """One node of a graph; of its inputs only those that its spec declares."""

    id: str
    spec: NodeSpec
    literals: Mapping[str, Any]
    links: Mapping[str, Link]

    def strong_links(self) -> Iterator[Link]:
        """The links that must be computed before the node runs (all but the lazy ones)."""
        for name, link in self.links.items():
            if not self.spec.by_name[name].lazy:
                yield link


@dataclass(frozen=True)
class Graph:
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
                nodes[id] = graph_node(id, spec, inputs)  # pyright: ignore[reportUnknownArgumentType] - JSON
        return cls(nodes)

    def ordered(self, outputs: Iterable[str]) -> list[GraphNode]:
        """The nodes that `outputs` need, lazily needed ones too, each after its inputs."""
        return [self.nodes[id] for id in ordered(outputs, self._sources)]

    def _sources(self, id: str) -> list[str]:
        return [link.node for link in self.nodes[id].links.values()]


def graph_node(id: str, spec: NodeSpec, inputs: Mapping[str, Any]) -> GraphNode:
    """One node with its inputs told apart into literals and links."""
    literals: dict[str, Any] = {}
    links: dict[str, Link] = {}
    for name, value in inputs.items():
        if name not in spec.by_name:
            continue
        link = as_link(value)
        if link is not None:
            links[name] = link
        else:
            literals[name] = literal(value)
    return GraphNode(id, spec, literals, links)


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
