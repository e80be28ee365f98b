"""RPC to a worker process: requests that wait for their responses."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from engine.authoring.errors import WorkerLost
from engine.run.frames import Frame, Response


class RpcError(Exception):
    """A request failed in the worker; the text is the error's, often of a custom node."""


class RpcClient:
    """Matches responses to requests by their ids.

    Args:
        send: sends a frame.
    """

    def __init__(self, send: Callable[[Frame], None]) -> None:
        self._send = send
        self._numbers = itertools.count()
        self._open: dict[int, asyncio.Future[bytes]] = {}

    async def request(self, frame: Callable[[int], Frame]) -> bytes:
        """Send the frame made with a new request id; returns the JSON of its response.

        Raises:
            RpcError: it failed in the worker.
            WorkerLost: it went away first.
        """
        number = next(self._numbers)
        answer = self._open[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(frame(number))
            return await answer
        finally:
            del self._open[number]

    def on_response(self, response: Response) -> None:
        """Resolve the request of a response."""
        waiting = self._open.get(response.request_id)
        if waiting is None or waiting.done():
            return
        if response.error is None:
            waiting.set_result(response.body)
        else:
            waiting.set_exception(RpcError(response.error))

    def fail_all(self) -> None:
        """Fail all open requests: the worker is gone."""
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(WorkerLost("the worker process died before it answered"))
