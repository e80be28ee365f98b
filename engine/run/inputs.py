"""What a node gets: items of what it takes from, and inputs that are computed when awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.authoring.protocols import Blocked
from engine.graph.prompt import Link
from engine.run.board import Board, Place
from engine.run.turns import Items, Later


@dataclass(frozen=True)
class LazyInput:
    """What a `Lazy` parameter gets: awaiting it computes the input."""

    get: Callable[[], Awaitable[Any]]

    def __await__(self) -> Generator[Any, None, Any]:
        return self.get().__await__()


class BlockedInput(Exception):
    """An awaited input is blocked."""

    def __init__(self, blocked: Blocked) -> None:
        super().__init__("an awaited input is blocked")
        self.blocked = blocked


class SourceFailed(Exception):
    """An awaited input cannot be computed: what it takes from failed, and the job goes on."""


def inputs(
    board: Board, place: Place, arrived: Callable[[Place, Place], Awaitable[None]]
) -> dict[str, Items]:
    """The items of each input of a place that is ready.

    Args:
        board: where it is.
        place: the place.
        arrived: has the second place computed for the first, which waits for it.
    """
    node, spec = place.node, place.node.spec
    found: dict[str, Items] = {name: [value] for name, value in node.literals.items()}
    if not spec.is_patient:
        for name, link in node.links.items():
            found[name] = items(board, link)
        return found
    awaits = spec.needs is None
    for name, value in node.literals.items():
        if awaits and node.waits_for(name):
            found[name] = Later(lambda _, value=value: LazyInput(partial(_at_once, value)))
    followed = place.followed_links()
    for name, link in node.links.items():
        if name in followed:
            found[name] = items(board, link)
        elif spec.input(name).raw:
            found[name] = [[link.node, link.slot]]
        elif awaits:
            collects = spec.input(name).collects
            found[name] = Later(
                lambda turn, link=link, collects=collects: LazyInput(
                    partial(_later, board, place, arrived, link, None if collects else turn)
                )
            )
        else:
            found[name] = [None]
    return found


def items(board: Board, link: Link) -> list[Any]:
    """What came by a link; its place is done."""
    result = board.places[link.node].result
    assert result is not None, "a result is kept while somebody may take it"
    return result.outputs[link.slot]


def unasked(place: Place) -> list[str]:
    """The lazy inputs that a node with `needs` did not ask for yet."""
    node = place.node
    lazy = (name for name in node.links if node.spec.input(name).lazy)
    return [name for name in lazy if name not in place.followed]


async def _at_once(value: Any) -> Any:
    return value


async def _later(
    board: Board,
    place: Place,
    arrived: Callable[[Place, Place], Awaitable[None]],
    link: Link,
    turn: int | None,
) -> Any:
    """The value of a lazy input in one turn; in all of them, for one that collects."""
    await arrived(place, board.places[link.node])
    found = items(board, link)
    value = found if turn is None else found[min(turn, len(found) - 1)] if found else None
    for item in found if turn is None else (value,):
        if isinstance(item, Blocked):
            raise BlockedInput(item)
    return value
