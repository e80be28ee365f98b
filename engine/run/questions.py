"""Questions to a worker process that wait for their answers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from engine.authoring.errors import WorkerLost
from engine.run.frames import Answer, Frame


class NoAnswer(Exception):
    """What the worker asked a pack failed; the text is the pack's."""


class Questions:
    """Matches answers to questions by their numbers.

    Args:
        send: takes the frames.
    """

    def __init__(self, send: Callable[[Frame], None]) -> None:
        self._send = send
        self._numbers = itertools.count()
        self._open: dict[int, asyncio.Future[bytes]] = {}

    async def ask(self, frame: Callable[[int], Frame]) -> bytes:
        """The JSON that answers the frame made with a number of its own.

        Raises:
            NoAnswer: the worker failed at it.
            WorkerLost: it went away first.
        """
        number = next(self._numbers)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(frame(number))
            return await answer
        finally:
            del self._open[number]

    def settle(self, answer: Answer) -> None:
        """Give an answer to whoever waits for it."""
        waiting = self._open.get(answer.ask)
        if waiting is None or waiting.done():
            return
        if answer.error is None:
            waiting.set_result(answer.body)
        else:
            waiting.set_exception(NoAnswer(answer.error))

    def lose(self) -> None:
        """There will be no answers: the worker is gone."""
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(WorkerLost("the worker process died before it answered"))
