"""One client's WebSocket, with backpressure: frames wait until earlier ones are read."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from aiohttp import WSCloseCode, web

log = logging.getLogger(__name__)

SLOW_AFTER = 256
GONE_AFTER = 4096
LAG_SECONDS = 0.005
MAX_LAG_SECONDS = 0.25


class ClientSocket:
    """One client's connection: frames go out in order, at the client's own pace.

    What is queued in one turn of the event loop goes out in one write: a system call for each
    message would cost more than all the rest of a small job.
    """

    def __init__(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        self.wants_metadata = False
        self.is_soundstage_client = False  # it gets messages that ComfyUI does not send
        self.seen_change = 0  # the last change of the queue sent to it
        self._request = request
        self._ws = ws
        self._outbox: deque[tuple[bytes, bool]] = deque()
        self._loop = asyncio.get_running_loop()
        self._flushing = False
        self._lag = LAG_SECONDS

    def push(self, frame: bytes, *, passing: bool = False) -> None:
        """Queue a frame as `framed` makes it.

        When the client lags, `passing` frames that still wait are dropped, since later ones say
        more; when even that does not help, it is cut off: it can connect again and read the
        history.
        """
        if passing and len(self._outbox) >= SLOW_AFTER:
            self._outbox = deque(item for item in self._outbox if not item[1])
        if len(self._outbox) >= GONE_AFTER:
            self.abort("reads too slowly")
            return
        self._outbox.append((frame, passing))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write what is queued, once the client has taken what was written before."""
        transport = self._request.transport
        if transport is None or transport.is_closing() or self._ws.closed:
            return
        if transport.get_write_buffer_size():
            self._loop.call_later(self._lag, self._flush)
            self._lag = min(2 * self._lag, MAX_LAG_SECONDS)  # there may be many that stall
            return
        self._lag = LAG_SECONDS
        transport.write(b"".join(frame for frame, _ in self._outbox))
        self._outbox.clear()
        self._flushing = False

    def abort(self, why: str) -> None:
        """Cut the connection at once; what still waits is lost."""
        log.info("a WebSocket client %s and is cut off", why)
        self._outbox.clear()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """Send the close frame."""
        self._flush()
        await self._ws.close(code=WSCloseCode.GOING_AWAY, message=b"the service stops")
