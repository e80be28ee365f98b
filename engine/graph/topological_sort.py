"""Topological sort: every node after its sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

BEGINNING = 10


class CycleError(Exception):
    """Links form a cycle of `nodes`, first and last are the same."""

    def __init__(self, nodes: list[str]) -> None:
        super().__init__(" -> ".join(nodes))
        self.nodes = nodes


class TopologicalSort:
    """Depth-first search from `outputs` over all their sources; a chain may be of any length.

    Attributes:
        order: every node, each after its `sources` unless they form a cycle.
        cycles: first and last node equal; of each tangle one or more. A source that comes later
            in the order than its consumer is the first node of one. There may be as many as there
            are nodes: of all but the first one only the beginning is kept if it is long.
    """

    def __init__(self, outputs: Iterable[str], sources: Callable[[str], Iterable[str]]) -> None:
        self.order: list[str] = []
        self.cycles: list[list[str]] = []
        place: dict[str, int] = {}  # in the stack while a node's sources are visited, then -1
        closed: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = []

        def enter(id: str) -> None:
            place[id] = len(stack)
            stack.append((id, iter(sources(id))))

        for output in outputs:
            if output not in place:
                enter(output)
            while stack:
                id, remaining = stack[-1]
                source = next(remaining, None)
                if source is None:
                    stack.pop()
                    place[id] = -1
                    self.order.append(id)
                elif source not in place:
                    enter(source)
                elif place[source] >= 0 and source not in closed:
                    closed.add(source)
                    begin = place[source]
                    end = begin + BEGINNING if self.cycles else len(stack)
                    cycle = [node for node, _ in stack[begin:end]]
                    self.cycles.append([*cycle, source] if end >= len(stack) else cycle)


def topological_order(outputs: Iterable[str], sources: Callable[[str], Iterable[str]]) -> list[str]:
    """The nodes that `outputs` need, each after its `sources`.

    Raises:
        CycleError: a node needs itself.
    """
    walk = TopologicalSort(outputs, sources)
    if walk.cycles:
        raise CycleError(walk.cycles[0])
    return walk.order
