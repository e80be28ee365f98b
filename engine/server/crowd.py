"""The queue's length, told to everyone who is connected, without keeping anyone waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from engine.server import wire
from engine.server.frames import TEXT, framed
from engine.server.socket import Socket

PAUSE_SECONDS = 0.02
AT_ONCE = 64


class Crowd:
    """Tells each change at once to those whose job made it, and soon to all others.

    The others hear the newest length only, some of them in each turn of the event loop: a prompt
    of one client must not wait until thousands have heard that the queue is one longer.
    """

    def __init__(self, everyone: Callable[[], Iterable[Socket]]) -> None:
        self._everyone = everyone
        self._remaining = 0
        self._changes = 0
        self._heeded = 0
        self._waiting: Iterator[Socket] = iter(())
        self._busy = False

    def welcome(self, socket: Socket) -> None:
        """A new one has been told by whoever let it in."""
        socket.told = self._changes

    def changed(self, remaining: int, first: Collection[Socket]) -> None:
        """The queue is that long now; `first` are those whose job made it so."""
        self._changes += 1
        self._remaining = remaining
        self._tell(first)
        if not self._busy:
            self._busy = True
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._begin)

    def _begin(self) -> None:
        self._heeded = self._changes
        self._waiting = iter([*self._everyone()])
        self._go_on(0)

    def _go_on(self, turns: int) -> None:
        some = [*islice(self._waiting, AT_ONCE)]
        self._tell([socket for socket in some if socket.told < self._changes])
        loop = asyncio.get_running_loop()
        if some:
            loop.call_soon(self._go_on, turns + 1)
        elif self._heeded < self._changes:
            loop.call_later(PAUSE_SECONDS * (1 + turns / 4), self._begin)
        else:
            self._busy = False

    def _tell(self, sockets: Collection[Socket]) -> None:
        if not sockets:
            return
        frame = framed(TEXT, wire.message(*wire.status(self._remaining)))
        for socket in sockets:
            socket.push(frame)
            socket.told = self._changes
