"""Broadcasts the queue's length to all connected clients without delaying any other work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from engine.server import wire
from engine.server.socket import ClientSocket
from engine.server.ws_frames import TEXT, encode_ws_frame

PAUSE_SECONDS = 0.02
AT_ONCE = 64


class StatusBroadcaster:
    """Sends each change at once to clients whose job caused it, and soon to all others.

    The others get the newest length only, some of them in each turn of the event loop: a prompt
    of one client must not wait until it was sent to thousands of clients.

    Args:
        everyone: all connections.
        paused: why the queue is paused; None: it is not.
    """

    def __init__(
        self, everyone: Callable[[], Iterable[ClientSocket]], paused: Callable[[], str | None]
    ) -> None:
        self._everyone = everyone
        self._paused = paused
        self._remaining = 0
        self._changes = 0
        self._broadcast_change = 0
        self._waiting: Iterator[ClientSocket] = iter(())
        self._busy = False

    def add(self, socket: ClientSocket) -> None:
        """A new connection, which got the present length already."""
        socket.seen_change = self._changes

    def changed(self, remaining: int, first: Collection[ClientSocket]) -> None:
        """The queue is that long now; `first` are those whose job made it so."""
        self._changes += 1
        self._remaining = remaining
        self._send(first)
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._begin)

    def _begin(self) -> None:
        self._broadcast_change = self._changes
        self._waiting = iter([*self._everyone()])
        self._send_next(0)

    def _send_next(self, turns: int) -> None:
        some = [*islice(self._waiting, AT_ONCE)]
        self._send([socket for socket in some if socket.seen_change < self._changes])
        loop = asyncio.get_running_loop()
        if some:
            loop.call_soon(self._send_next, turns + 1)
        elif self._broadcast_change < self._changes:
            loop.call_later(PAUSE_SECONDS * (1 + turns / 4), self._begin)
        else:
            self._busy = False

    def _send(self, sockets: Collection[ClientSocket]) -> None:
        if not sockets:
            return
        status = wire.status(self._remaining, paused=self._paused())
        frame = encode_ws_frame(TEXT, wire.message(*status))
        for socket in sockets:
            socket.push(frame)
            socket.seen_change = self._changes
