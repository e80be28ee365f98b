"""What a job tells of itself, from whichever thread it is in, and its coroutines."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

from engine.run.events import Event

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.002

Tell: TypeAlias = Callable[[list[Event]], None]
"""Takes the next events of a job, in whichever thread they happen; never twice at once."""


class Loop:
    """Where a job's events are told from and its coroutines run.

    Telling an event costs about as much as a quick node does, so those that come within an
    instant are told together.

    Args:
        loop: where they run.
        tell: takes the events.
        broken: told of an error that a coroutine raised.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, tell: Tell, broken: Callable[[Exception], None]
    ) -> None:
        self._tell = tell
        self._broken = broken
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling = threading.Lock()
        self._untold: deque[Event] = deque()
        self._told = time.monotonic()
        self._waking = False
        self._closed = False

    def note(self, event: Event) -> None:
        """Tell an event with the next `tell` or `flush`."""
        self._untold.append(event)

    def tell(self, event: Event) -> None:
        """Tell an event soon: now, unless something was told a moment ago."""
        self._untold.append(event)
        self.flush_old()
        if self._untold and not self._waking:
            self._waking = True
            self.call(partial(self._loop.call_later, PATIENCE_SECONDS, self._wake))

    def flush_old(self) -> None:
        """Tell what was noted, unless something was told a moment ago."""
        if time.monotonic() - self._told > PATIENCE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Tell what was noted now."""
        with self._telling:
            self._drain()

    def close(self, last: Event) -> bool:
        """Tell one more event and nothing after it, end the coroutines; False if it is closed."""
        with self._telling:
            if self._closed:
                return False
            self._untold.append(last)
            self._drain()
            self._closed = True
        if self._tasks:
            self.call(self._cancel)
        return True

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _drain(self) -> None:
        events: list[Event] = []
        while self._untold:
            events.append(self._untold.popleft())
        if events and not self._closed:
            self._told = time.monotonic()
            self._tell(events)

    def _wake(self) -> None:
        self._waking = False
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
        """Call something soon in the event loop."""
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.debug("the loop of a job is closed")
