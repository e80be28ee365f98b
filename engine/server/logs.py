"""The last lines of the log, for the editor's console."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from engine.run.log_forwarding import text_of, worker_logger
from engine.server import wire
from engine.server.sockets import Sockets

LINES = 300
LONGEST_LINE = 4000


class Logs(logging.Handler):
    """Keeps lines, and sends new ones to the clients that want them.

    Tracebacks are left to the service's own log, and the home's path is shortened to HOME.
    """

    def __init__(self, home: Path, sockets: Sockets) -> None:
        super().__init__()
        self.lines: deque[dict[str, str]] = deque(maxlen=LINES)
        self._home = str(home)
        self._sockets = sockets
        self._subscribers: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self) -> None:
        """Begin to listen to every logger, the worker's too; called in the event loop."""
        self._loop = asyncio.get_running_loop()
        for logger in (logging.getLogger(), worker_logger()):
            logger.addHandler(self)

    def detach(self) -> None:
        """Listen no more."""
        for logger in (logging.getLogger(), worker_logger()):
            logger.removeHandler(self)

    def subscribe(self, sid: str) -> None:
        """From now on a client gets new lines, until its last connection is gone."""
        self._subscribers.add(sid)

    def unsubscribe(self, sid: str) -> None:
        """A client wants no more."""
        self._subscribers.discard(sid)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; from any thread."""
        text = f"{record.name}: {text_of(record)}".replace(self._home, "HOME")
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"t": at, "m": text[:LONGEST_LINE] + "\n"}
        self.lines.append(line)
        if self._subscribers and self._loop is not None:
            with suppress(RuntimeError):  # the service stops
                self._loop.call_soon_threadsafe(self._send, line)

    def _send(self, line: dict[str, str]) -> None:
        self._subscribers = {sid for sid in self._subscribers if self._sockets.is_connected(sid)}
        for sid in self._subscribers:
            self._sockets.send(sid, wire.logs([line]))
