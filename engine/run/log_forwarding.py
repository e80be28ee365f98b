"""Forwards the worker's log to the server, for the editor's console."""

from __future__ import annotations

import logging
from collections.abc import Callable

from engine.run.frames import LogLine

WORKER_LOGGER = "engine.worker"
"""The logger for the worker's lines in the server. It does not propagate: the worker process has
written them to standard error itself."""


class LogForwarder(logging.Handler):
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
    """The message of a record as valid UTF-8; file names in it may hold lone surrogates."""
    return record.getMessage().encode(errors="replace").decode()


def worker_logger() -> logging.Logger:
    """In the server: the logger of the worker's lines, for handlers."""
    logger = logging.getLogger(WORKER_LOGGER)
    logger.propagate = False
    return logger


def republish(line: LogLine) -> None:
    """In the server: pass a line to the handlers of `worker_logger`."""
    record = logging.LogRecord(f"worker {line.name}", line.level, "", 0, line.text, None, None)
    record.created = line.at
    for handler in worker_logger().handlers:
        handler.handle(record)
