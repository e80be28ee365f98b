"""Answers of long nodes, on disk while the nodes run, so that a crash costs seconds of them.

A long node is a function of the answers to its steps (see `Step`): begun anew and given the answers
that were logged, it is where it was. Each log is one file of records; a record is the length and
CRC-32 of its body, and the body: the step's index and total, and the answer as `codecs` has it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from engine.store.codecs import Codecs, NotStorable, dumps, loads

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between writes: so much of a node's time a crash may cost."""
MAX_LOG_BYTES = 1 << 30
"""Of one node; what comes later is computed again after a crash."""
MAX_PENDING_BYTES = 64 << 20
"""Not yet written; where the disk is slower than the node, no more is logged."""
MAX_AGE = 7 * 86_400
"""Seconds after which a log that nobody came back for is removed."""
SUFFIX = ".steps"
HEAD = struct.Struct("<II")


class StepLogs:
    """The step logs of a worker, and the thread that writes them.

    What cannot be written or read is not logged; no fault of the disk reaches a node.

    Args:
        folder: where they lie; made when the first one is written.
        codecs: for answers that are not plain data.
        environment: versions of libraries and devices; what another one left is not found.
        interval: seconds between two writes.
        max_bytes: of one log.
    """

    def __init__(
        self,
        folder: Path,
        codecs: Codecs,
        environment: str = "",
        *,
        interval: float = INTERVAL,
        max_bytes: int = MAX_LOG_BYTES,
    ) -> None:
        self._folder = folder
        self._codecs = codecs
        self._environment = environment
        self._interval = interval
        self._max_bytes = max_bytes
        self._logs: dict[str, StepLog] = {}
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._remove_old()

    def open(self, key: str) -> StepLog | None:
        """The log of a node's call, with what a crash left of it.

        Args:
            key: says what the answers depend on: the node's inputs and code, and the device.

        Returns:
            None while an equal call has it.
        """
        name = hashlib.blake2b(f"{self._environment}\n{key}".encode(), digest_size=20).hexdigest()
        with self._wake:
            known = self._logs.get(name)
            if self._closing or (known is not None and not known.is_closed):
                return None
            if known is not None:
                known.finish()
            opened = StepLog(self._folder / f"{name}{SUFFIX}", self._codecs, self._max_bytes)
            self._logs[name] = opened
            self._wake.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="step log", daemon=True)
                self._thread.start()
            return opened

    def close(self) -> None:
        """Write what is left, end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _serve(self) -> None:
        while True:
            with self._wake:
                if not self._closing:
                    self._wake.wait(self._interval if self._logs else None)
                closing, logs = self._closing, [*self._logs.items()]
            for name, each in logs:
                if closing and not each.is_closed:
                    each.close(keep=True)
                closed = each.is_closed  # before the last write
                each.write()
                if closed:
                    with self._wake:
                        each.finish()
                        if self._logs.get(name) is each:
                            del self._logs[name]
            if closing:
                return

    def _remove_old(self) -> None:
        """Remove the logs of calls that never came back."""
        try:
            limit = time.time() - MAX_AGE
            for path in self._folder.glob(f"*{SUFFIX}"):
                if path.stat().st_mtime < limit:
                    path.unlink()
        except OSError as error:
            log.warning("old step logs cannot be removed: %s", error)


class StepLog:
    """The answers of one call of a node: first those a crash left, then those that are new.

    The lane calls `replay`, `record`, `stop` and `close`; `StepLogs` calls `write` and `finish`.

    Attributes:
        path: the file, which is made by the first write.
        is_closed: whether the call is over.
    """

    def __init__(self, path: Path, codecs: Codecs, max_bytes: int) -> None:
        self.path = path
        self._codecs = codecs
        self._max_bytes = max_bytes
        self._size = 0
        """Bytes of whole records in the file, and of those that will be."""
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._is_full = False
        self._keep = False
        self._is_finished = False
        self.is_closed = False
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._left = _opened(path)

    def replay(self, index: int, total: int) -> tuple[Any] | None:
        """The logged answer to the step asked now, in a tuple; None from the first new one on.

        A step of another `index` or `total` than the logged one has no answer here, nor have those
        after it.
        """
        if self._left is None:
            return None
        body = self._next_body(self._left)
        if body is not None:
            try:
                was_index, was_total, answer = loads(body, self._codecs)
                if (was_index, was_total) == (index, total):
                    self._size += HEAD.size + len(body)
                    return (answer,)
            except Exception as error:  # noqa: BLE001 - any codec may notice the damage
                log.warning("a logged step cannot be read, it is done again: %s", error)
        self._left.close()
        self._left = None
        return None

    def record(self, index: int, total: int, answer: Any) -> None:
        """Keep an answer that was computed now; it is on disk about a second later."""
        if self._is_full:
            return
        try:
            body = dumps((index, total, answer), self._codecs)
        except Exception as error:  # noqa: BLE001 - any codec may fail, and none may end a lane
            if not isinstance(error, NotStorable):
                log.warning("a step cannot be logged, a crash will cost more: %s", error)
            self._is_full = True  # no later answer is the one that follows
            return
        record = HEAD.pack(len(body), zlib.crc32(body)) + body
        with self._lock:
            large = self._size + len(record) > self._max_bytes
            if large or self._pending_bytes + len(record) > MAX_PENDING_BYTES:
                self._is_full = True
                return
            self._pending.append(record)
            self._pending_bytes += len(record)
            self._size += len(record)

    def stop(self) -> None:
        """Log no more; what is logged stays."""
        self._is_full = True

    def write(self) -> None:
        """Append what is new to the file."""
        with self._lock:
            records, self._pending, self._pending_bytes = self._pending, [], 0
            if not records or (self.is_closed and not self._keep):
                return
            try:
                if self._file is None:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    mode = "r+b" if self.path.exists() else "w+b"
                    self._file = self.path.open(mode, buffering=0)
                    self._file.seek(self._size - sum(map(len, records)))
                    self._file.truncate()
                self._file.write(b"".join(records))
            except OSError as error:
                log.warning("steps of a node cannot be logged, a crash will cost more: %s", error)
                self._is_full = True

    def close(self, *, keep: bool) -> None:
        """The call is over; with `keep` it was stopped and will run again.

        A log that is not kept goes a second later, when the call's result is where a crash
        leaves it.
        """
        self._keep = keep
        self.is_closed = True

    def finish(self) -> None:
        """Close the file of a call that is over, and remove it unless it is kept."""
        if self._keep:
            self.write()
        with self._lock:
            if self._is_finished:
                return
            self._is_finished = self._is_full = True
            for file in (self._file, self._left):
                if file is not None:
                    file.close()
            self._file = self._left = None
            if not self._keep:
                try:
                    self.path.unlink(missing_ok=True)
                except OSError as error:
                    log.warning("a step log cannot be removed: %s", error)

    def _next_body(self, file: BinaryIO) -> bytes | None:
        """The body of the next whole record; the last one may have been cut by the crash."""
        try:
            head = file.read(HEAD.size)
            if len(head) < HEAD.size:
                return None
            length, checksum = HEAD.unpack(head)
            rest = os.fstat(file.fileno()).st_size - self._size - HEAD.size
            body = file.read(length) if length <= rest else b""
        except OSError:
            return None
        return body if len(body) == length and zlib.crc32(body) == checksum else None


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except OSError:
        return None
