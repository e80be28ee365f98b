"""One job's way into the event loop from any thread: its events in order, and its coroutines."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from engine.run.events import Event

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.002


class Loop:
    """Where a job's events are told and its coroutines run.

    Waking the loop costs more than a quick node does, so events may be noted first and told
    together.

    Args:
        emit: takes the events, called in the event loop.
        broken: told of an error that a coroutine raised.
    """

    def __init__(self, emit: Callable[[Event], None], broken: Callable[[Exception], None]) -> None:
        self._emit = emit
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._tasks: set[asyncio.Task[None]] = set()
        self._untold: deque[Event] = deque()
        self._waking = False
        self._closed = False
        self._told = time.monotonic()

    def note(self, event: Event) -> None:
        """Tell an event together with the next ones."""
        self._untold.append(event)

    def tell(self, event: Event) -> None:
        """Tell an event now."""
        self._untold.append(event)
        self.flush()

    def flush(self) -> None:
        """Tell what was noted now."""
        if not self._untold:
            return
        if threading.get_ident() == self._thread:
            self.drain()
        elif not self._waking:
            self._waking = True
            self.call(self.drain)

    def flush_old(self) -> None:
        """Tell what was noted, unless something was told a moment ago."""
        if time.monotonic() - self._told > PATIENCE_SECONDS:
            self.flush()

    def spawn(self, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine; it is cancelled when the job is over."""

        async def run() -> None:
            try:
                await begin()
            except Exception as error:  # noqa: BLE001 - a job must not hang
                self._broken(error)

        def start() -> None:
            if not self._closed:
                task = self._loop.create_task(run())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        self.call(start)

    def call(self, call: Callable[[], object]) -> None:
        """Call something in the event loop."""
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.debug("the loop of a job is closed")

    def drain(self) -> None:
        """Tell what was noted; in the event loop."""
        self._waking = False
        self._told = time.monotonic()
        while self._untold:
            event = self._untold.popleft()
            if not self._closed:
                self._emit(event)

    def close(self, last: Event) -> None:
        """Tell one more event and nothing after it; end the coroutines."""
        self.drain()
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._emit(last)
