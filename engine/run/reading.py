"""The thread that reads what the server sends, and may do it itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from engine.run.frames import Frame, received

NAME = "quick"
HELD_UP_SECONDS = 0.02
WATCH_SECONDS = 1.0

Take = Callable[[Frame, bool], None]
"""Does what a frame says; whether it may take a while over it."""


class Reading:
    """Reads frames in a thread of its own.

    To wake another thread costs as much as a quick node does, so the one that reads may run such
    nodes itself. It is watched meanwhile: when it is held up, another one reads on, and it ends
    with what it is at. The watch costs a waking too, so it goes on for a second after each frame;
    the first frame after a pause calls it, and may not take a while.

    Args:
        frames: of a connection that blocks.
        take: called with each frame, in the thread that reads.
        held_up: called in the event loop when that takes its time.
    """

    def __init__(self, frames: BinaryIO, take: Take, held_up: Callable[[], object]) -> None:
        self._frames = frames
        self._take = take
        self._held_up = held_up
        self._lock = threading.Lock()
        self._reader = 0
        self._frame_since: float | None = None
        self._heard = 0.0
        self._watched = False
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._called = asyncio.Event()

    async def serve(self) -> None:
        """Read until the other side is gone.

        Raises:
            Exception: what `take` raised.
        """
        self._start()
        watch = asyncio.create_task(self._watch())
        try:
            await self._over
        finally:
            watch.cancel()

    def _start(self) -> None:
        """Let a fresh thread read; the lock is held, or no other one is there."""
        self._reader += 1
        self._frame_since = None
        threading.Thread(target=self._read, args=(self._reader,), name=NAME, daemon=True).start()

    def _read(self, reader: int) -> None:
        try:
            with suppress(EOFError, ConnectionError):
                while self._take_next(reader):
                    pass
                return
            self._loop.call_soon_threadsafe(self._end, None)
        except BaseException as error:  # noqa: BLE001 - the one who serves is told
            self._loop.call_soon_threadsafe(self._end, error)

    def _take_next(self, reader: int) -> bool:
        """Take one frame; whether this thread is still the one that reads."""
        frame = received(self._frames)
        self._frame_since = self._heard = time.monotonic()
        watched = self._watched
        if not watched:
            self._loop.call_soon_threadsafe(self._called.set)
        self._take(frame, watched)
        with self._lock:
            if self._reader == reader:
                self._frame_since = None
                return True
            return False

    def _end(self, error: BaseException | None) -> None:
        if self._over.done():
            return
        if error is None:
            self._over.set_result(None)
        else:
            self._over.set_exception(error)

    async def _watch(self) -> None:
        while True:
            await self._called.wait()
            self._called.clear()
            self._watched = True
            while time.monotonic() - self._heard < WATCH_SECONDS:
                await asyncio.sleep(HELD_UP_SECONDS)
                self._relieve()
            self._watched = False

    def _relieve(self) -> None:
        with self._lock:
            since = self._frame_since
            if since is None or time.monotonic() - since < HELD_UP_SECONDS:
                return
            self._start()
        self._held_up()
