"""The order of a graph: every node after the nodes it takes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


class CycleError(Exception):
    """Links form a cycle; `nodes` walks it, first and last are the same."""

    def __init__(self, nodes: list[str]) -> None:
        super().__init__(" -> ".join(nodes))
        self.nodes = nodes


class Walk:
    """A walk back from `outputs` over everything they need; a chain may be of any length.

    Attributes:
        order: every node, each after its `sources` unless they form a cycle.
        cycles: first and last node equal; of each tangle one or more. A source that comes later
            in the order than its consumer is the first node of one.
    """

    def __init__(self, outputs: Iterable[str], sources: Callable[[str], Iterable[str]]) -> None:
        self.order: list[str] = []
        self.cycles: list[list[str]] = []
        done: dict[str, bool] = {}  # False while a node's sources are visited
        closed: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = []

        def enter(id: str) -> None:
            done[id] = False
            stack.append((id, iter(sources(id))))

        for output in outputs:
            if output not in done:
                enter(output)
            while stack:
                id, remaining = stack[-1]
                source = next(remaining, None)
                if source is None:
                    stack.pop()
                    done[id] = True
                    self.order.append(id)
                elif source not in done:
                    enter(source)
                elif not done[source] and source not in closed:
                    closed.add(source)
                    path = [node for node, _ in stack]
                    self.cycles.append([*path[path.index(source) :], source])


def ordered(outputs: Iterable[str], sources: Callable[[str], Iterable[str]]) -> list[str]:
    """The nodes that `outputs` need, each after its `sources`.

    Raises:
        CycleError: a node needs itself.
    """
    walk = Walk(outputs, sources)
    if walk.cycles:
        raise CycleError(walk.cycles[0])
    return walk.order
