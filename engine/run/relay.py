"""The worker's log, as the server's editor console shows it too."""

from __future__ import annotations

import logging
from collections.abc import Callable

from engine.run.frames import LogLine

RELAYED = "engine.worker"
"""The logger that the worker's lines come back by. It goes no further: the worker's process has
written them to standard error itself."""


class Relay(logging.Handler):
    """In the worker: sends each line, without its traceback; from any thread."""

    def __init__(self, send: Callable[[LogLine], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record's line; one that cannot be made does not fail whoever logs it."""
        try:
            self._send(LogLine(record.name, record.levelno, text_of(record), record.created))
        except Exception:  # noqa: BLE001 - as every handler of `logging` does
            self.handleError(record)


def text_of(record: logging.LogRecord) -> str:
    """What a record says; names of files in it may hold what is no Unicode."""
    return record.getMessage().encode(errors="replace").decode()


def relayed() -> logging.Logger:
    """In the server: where to listen for the lines."""
    logger = logging.getLogger(RELAYED)
    logger.propagate = False
    return logger


def pass_on(line: LogLine) -> None:
    """In the server: hand a line to whoever listens."""
    record = logging.LogRecord(f"worker {line.name}", line.level, "", 0, line.text, None, None)
    record.created = line.at
    for handler in relayed().handlers:
        handler.handle(record)
