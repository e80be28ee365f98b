"""The outbox of a job's events, emitted from any thread, and the job's coroutines."""

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

FLUSH_INTERVAL_SECONDS = 0.002

EventSink: TypeAlias = Callable[[list[Event]], None]
"""Receives the next events of a job, in the thread that emits them; never two calls at once."""

ClosedHandler: TypeAlias = Callable[[bool], object]
"""Called in any thread when a job is over; the flag: whether nodes of it may still run."""


class EventOutbox:
    """Batches a job's events and runs its coroutines.

    Sending an event costs about as much as a quick node does, so events of the same 2 ms are
    sent together.

    Args:
        loop: runs the coroutines.
        on_events: receives the events.
        on_error: receives the error that a coroutine raised.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_events: EventSink,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._on_events = on_events
        self._on_error = on_error
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._flush_lock = threading.Lock()
        self._pending: deque[Event] = deque()
        self._last_flush = time.monotonic()
        self._flush_scheduled = False
        self._closed = False

    def enqueue(self, event: Event) -> None:
        """Queue an event, to be sent by the next `emit` or `flush`."""
        self._pending.append(event)

    def emit(self, event: Event) -> None:
        """Queue an event and send it: now, or within 2 ms if events were sent just before."""
        self._pending.append(event)
        self.flush_if_due()
        if self._pending and not self._flush_scheduled:
            self._flush_scheduled = True
            self.call_soon(
                partial(self._loop.call_later, FLUSH_INTERVAL_SECONDS, self._flush_later)
            )

    def flush_if_due(self) -> None:
        """Send what is queued, unless events were sent just before."""
        if time.monotonic() - self._last_flush > FLUSH_INTERVAL_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send what is queued now."""
        with self._flush_lock:
            self._drain()

    def close(self, last: Event) -> bool:
        """Send a last event, cancel the coroutines; False if it was closed already."""
        with self._flush_lock:
            if self._closed:
                return False
            self._pending.append(last)
            self._drain()
            self._closed = True
        if self._tasks:
            self.call_soon(self._cancel)
        return True

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _drain(self) -> None:
        events: list[Event] = []
        while self._pending:
            events.append(self._pending.popleft())
        if events and not self._closed:
            self._last_flush = time.monotonic()
            self._on_events(events)

    def _flush_later(self) -> None:
        self._flush_scheduled = False
        self.flush()

    def spawn(self, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine as a task, cancelled when the outbox is closed."""

        async def run() -> None:
            try:
                await begin()
            except Exception as error:  # noqa: BLE001 - a job must not hang
                self._on_error(error)

        def start() -> None:
            if not self._closed:
                task = self._loop.create_task(run())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        self.call_soon(start)

    def call_soon(self, call: Callable[[], object]) -> None:
        """Call something soon in the event loop, from any thread."""
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.debug("the event loop of a job is closed")
