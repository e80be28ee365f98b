"""Quick nodes in a row run in one go.

Handing a node to a lane and its value back costs more than many nodes do. So when a quick node
ends in its lane, its only consumer, if that one is known to be quick too, runs right behind it;
the job finds the value there when it comes to that node.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.authoring.markers import CPU
from engine.graph.prompt import Graph, GraphNode

QUICK_SECONDS = 0.005


@dataclass(frozen=True)
class Ran:
    """What a node gave ahead of its turn, or the error it raised."""

    returned: Any
    error: Exception | None
    seconds: float


class Ahead:
    """The values of one job that are there before anyone asked.

    Args:
        graph: of the job.
        needed: ids of the nodes that will run.
        costs: seconds that each class of nodes took last time, shared by all jobs.
    """

    def __init__(self, graph: Graph, needed: Iterable[str], costs: dict[str, float]) -> None:
        self._followers = followers(graph, needed)
        self._costs = costs
        self._ran: dict[str, Ran] = {}

    def take(self, id: str) -> Ran | None:
        """What the node gave already, if it ran ahead."""
        return self._ran.pop(id, None)

    def follow(
        self,
        node: GraphNode,
        returned: Any,
        seconds: float,
        call: Callable[[GraphNode, dict[str, Any]], Any],
    ) -> None:
        """Run what follows a node that has just run once, in the same lane, while all is quick.

        Args:
            node: the node that ran.
            returned: what its function returned.
            seconds: that it took.
            call: runs a node's function with keyword arguments; raises Interrupted if the job is.
        """
        self._costs[node.spec.id] = seconds
        while seconds < QUICK_SECONDS:
            follower = self._followers.get(node.id)
            if follower is None or self._costs.get(follower.spec.id, 1.0) > QUICK_SECONDS:
                return
            if not node.spec.single and len(returned) != len(node.spec.outputs):
                return  # told when the node's own outputs are looked at
            arguments = arguments_after(node, returned, follower)
            if any(hasattr(value, "bind") for value in arguments.values()):
                return  # a model: it needs a lease
            began = time.perf_counter()
            error = None
            try:
                returned = call(follower, arguments)
            except Exception as raised:  # noqa: BLE001 - told when its turn comes
                error = raised
            seconds = time.perf_counter() - began
            self._costs[follower.spec.id] = seconds
            self._ran[follower.id] = Ran(returned, error, seconds)
            if error is not None:
                return
            node = follower


def followers(graph: Graph, needed: Iterable[str]) -> dict[str, GraphNode]:
    """For each node that has one consumer which takes from it alone: that consumer."""
    consumers: dict[str, set[str]] = {}
    nodes = [graph.nodes[id] for id in needed]
    for node in nodes:
        for link in node.links.values():
            consumers.setdefault(link.node, set()).add(node.id)
    found: dict[str, GraphNode] = {}
    for node in nodes:
        (source, *others) = {link.node for link in node.links.values()} or {""}
        if not others and consumers.get(source) == {node.id} and is_plain(graph, node):
            found[source] = node
    return found


def is_plain(graph: Graph, node: GraphNode) -> bool:
    """Whether a node is an ordinary function on the CPU that gets ordinary values."""
    inputs = [node.spec.by_name[name] for name in (*node.links, *node.literals)]
    return (
        node.spec.kind == "function"
        and node.spec.on == CPU
        and not any(input.collects or input.lazy for input in inputs)
        and not any(
            graph.nodes[link.node].spec.outputs[link.slot].each for link in node.links.values()
        )
    )


def arguments_after(node: GraphNode, returned: Any, follower: GraphNode) -> dict[str, Any]:
    """The follower's keyword arguments."""
    values = (returned,) if node.spec.single else returned
    linked: Mapping[str, Any] = {name: values[link.slot] for name, link in follower.links.items()}
    return {**follower.literals, **linked}
