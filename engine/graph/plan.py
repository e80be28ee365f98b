"""The order of a graph: every node after the nodes it takes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


class CycleError(Exception):
    """Links form a cycle; `nodes` walks it, first and last are the same."""

    def __init__(self, nodes: list[str]) -> None:
        super().__init__(" -> ".join(nodes))
        self.nodes = nodes


def ordered(outputs: Iterable[str], sources: Callable[[str], Iterable[str]]) -> list[str]:
    """The nodes that `outputs` need, each after its `sources`; a chain may be of any length.

    Raises:
        CycleError: a node needs itself.
    """
    order: list[str] = []
    for cycle in _walk(outputs, sources, order):
        raise CycleError(cycle)
    return order


def cycles(outputs: Iterable[str], sources: Callable[[str], Iterable[str]]) -> Iterator[list[str]]:
    """Cycles that `outputs` need, first and last node equal: of each tangle one or more."""
    return _walk(outputs, sources, [])


def _walk(
    outputs: Iterable[str], sources: Callable[[str], Iterable[str]], order: list[str]
) -> Iterator[list[str]]:
    """Visit every node depth first and append it to `order` when it is done.

    Yields cycles, one for each node that the walk comes back to.
    """
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
                order.append(id)
            elif source not in done:
                enter(source)
            elif not done[source] and source not in closed:
                closed.add(source)
                path = [node for node, _ in stack]
                yield [*path[path.index(source) :], source]
