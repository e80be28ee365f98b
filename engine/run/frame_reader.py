"""The thread that reads the server's frames, and may run small jobs itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from engine.run.frames import Frame, read_frame

NAME = "quick"
MAX_HANDLING_SECONDS = 0.02
WATCH_SECONDS = 1.0

FrameHandler = Callable[[Frame, bool], None]
"""Handles a frame; the flag: whether it may take a while."""


class FrameReader:
    """Reads frames in a thread of its own.

    Waking another thread costs as much as a quick node does, so the reader may run such nodes
    itself. A watchdog in the event loop replaces a reader that takes over 20 ms: a new thread reads
    on, and the old one ends after its frame. The watchdog runs for a second after each frame; the
    first frame after a pause starts it, and may not take a while.

    Args:
        frames: of a blocking connection.
        on_frame: called with each frame, in the reading thread.
        on_delay: called in the event loop when that takes over 20 ms.
    """

    def __init__(
        self, frames: BinaryIO, on_frame: FrameHandler, on_delay: Callable[[], object]
    ) -> None:
        self._frames = frames
        self._on_frame = on_frame
        self._on_delay = on_delay
        self._lock = threading.Lock()
        self._reader = 0
        self._frame_since: float | None = None
        self._last_frame = 0.0
        self._watched = False
        self._loop = asyncio.get_running_loop()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._frame_arrived = asyncio.Event()

    async def serve(self) -> None:
        """Read until the other side is gone.

        Raises:
            Exception: what `on_frame` raised, or the watchdog did.
        """
        self._start()
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({self._closed, watch}, return_when=asyncio.FIRST_COMPLETED)
            await (self._closed if self._closed.done() else watch)
        finally:
            watch.cancel()

    def _start(self) -> None:
        """Start a new reading thread; the lock is held, or there is no other one."""
        self._reader += 1
        self._frame_since = None
        threading.Thread(target=self._read, args=(self._reader,), name=NAME, daemon=True).start()

    def _read(self, reader: int) -> None:
        try:
            with suppress(EOFError, ConnectionError):
                while self._handle_next(reader):
                    pass
                return
            self._loop.call_soon_threadsafe(self._end, None)
        except BaseException as error:  # noqa: BLE001 - `serve` raises it
            self._loop.call_soon_threadsafe(self._end, error)

    def _handle_next(self, reader: int) -> bool:
        """Handle one frame; whether this thread is still the reader."""
        frame = read_frame(self._frames)
        self._frame_since = self._last_frame = time.monotonic()
        watched = self._watched
        if not watched:
            self._loop.call_soon_threadsafe(self._frame_arrived.set)
        self._on_frame(frame, watched)
        with self._lock:
            if self._reader == reader:
                self._frame_since = None
                return True
            return False

    def _end(self, error: BaseException | None) -> None:
        if self._closed.done():
            return
        if error is None:
            self._closed.set_result(None)
        else:
            self._closed.set_exception(error)

    async def _watch(self) -> None:
        while True:
            await self._frame_arrived.wait()
            self._frame_arrived.clear()
            self._watched = True
            while time.monotonic() - self._last_frame < WATCH_SECONDS:
                await asyncio.sleep(MAX_HANDLING_SECONDS)
                self._replace_reader()
            self._watched = False

    def _replace_reader(self) -> None:
        with self._lock:
            since = self._frame_since
            if since is None or time.monotonic() - since < MAX_HANDLING_SECONDS:
                return
            self._start()
        self._on_delay()
