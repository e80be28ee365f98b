"""What a node gets: items of what it takes from, and inputs that are computed when awaited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.authoring.protocols import Blocked
from engine.graph.prompt import Link
from engine.run.board import Board, Place, State
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


class Inputs:
    """What the nodes of one job get.

    Args:
        board: where they are.
        lock: of the job.
        go_on: called in the event loop when a node awaits what is not computed yet.
    """

    def __init__(self, board: Board, lock: threading.Lock, go_on: Callable[[], None]) -> None:
        self._board = board
        self._lock = lock
        self._go_on = go_on

    def of(self, place: Place) -> dict[str, Items]:
        """The items of each input of a place that is ready."""
        node, spec = place.node, place.node.spec
        found: dict[str, Items] = {name: [value] for name, value in node.literals.items()}
        if not spec.is_patient:
            for name, link in node.links.items():
                found[name] = items(self._board, link)
            return found
        awaits = spec.needs is None
        for name, value in node.literals.items():
            if awaits and node.waits_for(name):
                found[name] = Later(lambda _, value=value: LazyInput(partial(_at_once, value)))
        followed = place.followed_links()
        for name, link in node.links.items():
            if name in followed:
                found[name] = items(self._board, link)
            elif spec.input(name).raw:
                found[name] = [[link.node, link.slot]]
            elif awaits:
                found[name] = self._later(place, link, collects=spec.input(name).collects)
            else:
                found[name] = [None]
        return found

    def _later(self, place: Place, link: Link, *, collects: bool) -> Later:
        async def get(turn: int) -> Any:
            await self._arrival(place, self._board.places[link.node])
            found = items(self._board, link)
            if not collects:
                found = found[min(turn, len(found) - 1) :][:1] or [Blocked()]
            for item in found:
                if isinstance(item, Blocked):
                    raise BlockedInput(item)
            return found if collects else found[0]

        return Later(lambda turn: LazyInput(partial(get, turn)))

    async def _arrival(self, place: Place, source: Place) -> None:
        """Have a source computed for a place whose call waits meanwhile; in the event loop.

        Raises:
            SourceFailed: it cannot be computed.
        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            place.idle -= 1
            place.awaits.remove(source)
            loop.call_soon_threadsafe(done.set)

        with self._lock:
            settled = source.at_hand or source.state is State.FAILED
            if not settled:
                place.idle += 1
                place.awaits.append(source)
                source.waiters.append(wake)
                self._board.want(source)
        if not settled:
            self._go_on()
            await done.wait()
        if source.state is State.FAILED:
            raise SourceFailed


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
