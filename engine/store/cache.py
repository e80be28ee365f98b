"""Results of nodes by content key: in memory first, on disk where a crash does not reach."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct

from engine.authoring.protocols import File
from engine.store.cache_policy import ALL_THAT_FITS, CachePolicy, LatestJobsPolicy
from engine.store.codecs import Codecs, NotStorable, dumps, loads
from engine.store.db import connect
from engine.store.sizes import nbytes

log = logging.getLogger(__name__)

MAX_RESULTS = 100_000
INLINE_BYTES = 64 * 1024
MIN_SAVE_SECONDS = 0.02
TOUCH_NS = 60 * 10**9

SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY,
    nbytes INTEGER NOT NULL,
    used INTEGER NOT NULL,  -- ns since 1970
    body BLOB,              -- NULL: in a file of its own
    nested INTEGER          -- whether it has `nested_shown`
) WITHOUT ROWID
"""
ADD_NESTED = "ALTER TABLE results ADD COLUMN nested INTEGER"
INDEX_NESTED = "CREATE INDEX IF NOT EXISTS results_nested ON results (key) WHERE nested"

Index: TypeAlias = tuple[sqlite3.Connection, OrderedDict[str, int], set[str]]
"""The file, the sizes of its results by key, the least recently used first, and the keys of those
with `nested_shown`."""


class NodeResult(Struct, frozen=True):
    """What a node returned: a list of items for each output; what an output node shows.

    A plain output is a list of one item; an output list (`Each`) has any number.

    Attributes:
        nested_shown: what the output nodes in its expansion showed, by the suffixes of their ids;
            None if there are none.
    """

    outputs: list[list[Any]]
    shown: dict[str, list[Any]] | None = None
    nested_shown: dict[str, dict[str, list[Any]]] | None = None


@dataclass
class _Memory:
    results: OrderedDict[str, tuple[NodeResult, int]] = field(
        default_factory=OrderedDict[str, tuple[NodeResult, int]]
    )
    nbytes: int = 0


class Cache:
    """Results by key, least recently used ones leave first, memory and disk each by its budget.

    On disk go the results that took longer than 20 ms, and everything an output node showed:
    what a crash would cost dearly or would do twice. Small ones are rows, big ones files beside.
    A cache file that cannot be read is replaced by an empty one; a result that cannot be written
    stays in memory, and so do all where no file can be opened. No failure of the disk raises: what
    cannot be read is a miss.

    Args:
        path: the SQLite file; big results go to the folder of the same stem.
        codecs: for values that are not plain data.
        memory_bytes, disk_bytes: budgets; 0 keeps nothing there.
        policy: which results are kept at all.
    """

    def __init__(
        self,
        path: Path,
        codecs: Codecs,
        *,
        memory_bytes: int,
        disk_bytes: int,
        policy: CachePolicy = ALL_THAT_FITS,
    ) -> None:
        self._folder = path.with_suffix("")
        self._codecs = codecs
        self._memory_bytes = memory_bytes
        self._disk_bytes = disk_bytes
        self._max_results = MAX_RESULTS if policy.max_results is None else policy.max_results
        self._latest_jobs = LatestJobsPolicy() if policy.latest_jobs_only else None
        self._memory = _Memory()
        self._lock = threading.Lock()
        try:
            self.connection, self._on_disk, self._nested_on_disk = open_or_replace(path)
            self._remove_files_without_rows()
        except (sqlite3.Error, OSError) as error:
            log.warning("results are kept in memory only, %s cannot be used: %s", path, error)
            self._disk_bytes = 0
            self.connection, self._on_disk, self._nested_on_disk = open_index(Path(":memory:"))
        self._disk_used = sum(self._on_disk.values())
        self._shrink()

    def _remove_files_without_rows(self) -> None:
        """Remove what a worker left that died before its rows were written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.iterdir():
            if left.is_file() and left.name not in self._on_disk:
                left.unlink()

    @property
    def is_enabled(self) -> bool:
        """Whether any result is kept."""
        return self._max_results > 0 and self._memory_bytes > 0

    def begin_job(self, job: str, keys: Iterable[str]) -> None:
        """A job begins that needs the results of these keys."""
        if self._latest_jobs is None:
            return
        with self._lock:
            self._latest_jobs.begin_job(job, keys)
            for key in {*self._memory.results, *self._on_disk} - self._latest_jobs.needed:
                self._discard(key)

    def add_expansion(self, job: str, parent: str, keys: Iterable[str]) -> None:
        """A node of a job expanded into nodes of these keys."""
        if self._latest_jobs is not None:
            with self._lock:
                self._latest_jobs.add_expansion(job, parent, keys)

    def end_job(self, job: str) -> None:
        """A job is over."""
        if self._latest_jobs is not None:
            with self._lock:
                self._latest_jobs.end_job(job)

    def has(self, key: str) -> bool:
        """Whether `get` is likely to find it."""
        return key in self._memory.results or key in self._on_disk

    def has_nested_shown(self, key: str) -> bool:
        """Whether a result that `has` finds has `nested_shown`."""
        known = self._memory.results.get(key)
        return key in self._nested_on_disk if known is None else known[0].nested_shown is not None

    def must_read(self, key: str) -> bool:
        """Whether `get` would read the disk."""
        return key in self._on_disk and key not in self._memory.results

    def get(self, key: str) -> NodeResult | None:
        """The result, or None; one that cannot be read any more is dropped."""
        if not self.has(key):
            return None
        with self._lock:
            known = self._memory.results.get(key)
            if known is not None:
                self._memory.results.move_to_end(key)
                return known[0]
        result = self._read(key)  # others may use the cache meanwhile
        if result is not None:
            with self._lock:
                if key in self._on_disk:
                    self._on_disk.move_to_end(key)
                    self._put(key, result)
        return result

    def put(self, key: str, result: NodeResult) -> None:
        """Keep a result in memory."""
        with self._lock:
            self._put(key, result)

    def should_save(self, result: NodeResult, seconds: float) -> bool:
        """Whether a result that took `seconds` to make is to outlive a crash.

        What an output node saved shall not be saved twice; quick previews may be drawn again.
        """
        if self._max_results == 0 or self._disk_bytes == 0:
            return False
        if seconds >= MIN_SAVE_SECONDS:
            return True
        if result.nested_shown is not None:
            return True
        return result.shown is not None and not is_preview(result.shown)

    def save(self, key: str, result: NodeResult) -> None:
        """Keep a result on disk; returns once it is there, or cannot be."""
        try:
            parts = (result.outputs, result.shown, result.nested_shown)
            data = dumps(parts, self._codecs)
            if len(data) <= self._disk_bytes:
                self._write(key, data, nested=result.nested_shown is not None)
        except NotStorable:
            return
        except Exception:
            log.exception("a result is kept in memory only, it cannot be written")

    def discard(self, key: str) -> None:
        """Invalidate a result, one whose files are gone."""
        with self._lock:
            self._discard(key)

    def clear_memory(self) -> None:
        """Drop all results from memory; those on disk stay."""
        with self._lock:
            self._memory = _Memory()

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._memory = _Memory()
            for key in [*self._on_disk]:
                self._discard(key)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _put(self, key: str, result: NodeResult) -> None:
        memory = self._memory
        size = 256 + nbytes(result.outputs)
        _, old = memory.results.pop(key, (None, 0))
        memory.nbytes -= old
        if size > self._memory_bytes or self._max_results == 0:
            return
        memory.nbytes += size
        memory.results[key] = (result, size)
        while len(memory.results) > self._max_results:
            self._discard(next(iter(memory.results)))
        while memory.nbytes > self._memory_bytes:
            _, (_, freed) = memory.results.popitem(last=False)
            memory.nbytes -= freed

    def _read(self, key: str) -> NodeResult | None:
        """A result from the disk; None where it is not, or cannot be read."""
        try:
            row: tuple[int, bytes | None] | None = self.connection.execute(
                "SELECT used, body FROM results WHERE key=?", (key,)
            ).fetchone()
            if row is None:
                return None
            used, body = row
            data = self._file(key).read_bytes() if body is None else body
            outputs, shown, *nested = loads(data, self._codecs)
            result = NodeResult(outputs, shown, *nested)
        except Exception as error:  # noqa: BLE001 - any codec may notice the damage
            log.warning("a cached result is dropped, it cannot be read: %s", error)
            self.discard(key)
            return None
        now = time.time_ns()
        if now - used > TOUCH_NS:
            self._execute("UPDATE results SET used=? WHERE key=?", (now, key))
        return result

    def _execute(self, statement: str, values: tuple[object, ...]) -> None:
        """Change rows; where the disk does not take that, they are as good as they were."""
        try:
            self.connection.execute(statement, values)
        except sqlite3.Error as error:
            log.warning("the cache cannot be written: %s", error)

    def _write(self, key: str, data: bytes, *, nested: bool) -> None:
        """Onto the disk; while a big one is written, others may use the cache."""
        inline = len(data) <= INLINE_BYTES
        part = self._folder / f"{uuid.uuid4().hex}.part"
        try:
            if not inline:
                part.write_bytes(data)
            with self._lock:
                if self._latest_jobs is not None and key not in self._latest_jobs.needed:
                    return  # another job began meanwhile
                memory = self._memory.results
                if key not in memory and len(memory) >= self._max_results:
                    return  # as many as are kept were used meanwhile
                self._discard_on_disk(key)
                if not inline:
                    part.replace(self._file(key))
                self.connection.execute(
                    "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)",
                    (key, len(data), time.time_ns(), data if inline else None, nested),
                )
                if nested:
                    self._nested_on_disk.add(key)
                self._disk_used += len(data)
                self._on_disk[key] = len(data)
                self._shrink()
        finally:
            if not inline:
                part.unlink(missing_ok=True)

    def _shrink(self) -> None:
        while self._disk_used > self._disk_bytes or len(self._on_disk) > self._max_results:
            self._discard_on_disk(next(iter(self._on_disk)))

    def _discard(self, key: str) -> None:
        _, size = self._memory.results.pop(key, (None, 0))
        self._memory.nbytes -= size
        self._discard_on_disk(key)

    def _discard_on_disk(self, key: str) -> None:
        size = self._on_disk.pop(key, None)
        if size is None:
            return
        self._disk_used -= size
        self._nested_on_disk.discard(key)
        self._execute("DELETE FROM results WHERE key=?", (key,))
        if size > INLINE_BYTES:
            with suppress(OSError):
                self._file(key).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / key


def is_preview(shown: Mapping[str, list[Any]]) -> bool:
    """Whether all that a node showed are temporary files."""
    items = [item for items in shown.values() for item in items]
    return bool(items) and all(isinstance(item, File) and item.type == "temp" for item in items)


def open_or_replace(path: Path) -> Index:
    """As `open_index`; a damaged file is replaced by an empty one.

    Raises:
        sqlite3.Error, OSError: neither can be done.
    """
    try:
        return open_index(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        log.warning("the cache %s cannot be read and is replaced by an empty one: %s", path, error)
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        return open_index(path)


def open_index(path: Path) -> Index:
    """The cache's file, and the size of each result in it by key, least recently used first.

    Raises:
        sqlite3.DatabaseError: it is damaged.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(SCHEMA)
        columns = connection.execute("SELECT name FROM pragma_table_info('results')")
        if ("nested",) not in columns.fetchall():  # a file of an older version
            connection.execute(ADD_NESTED)
        connection.execute(INDEX_NESTED)  # else bodies are read to get at the column behind them
        sizes = connection.execute("SELECT key, nbytes FROM results ORDER BY used")
        nested = connection.execute("SELECT key FROM results WHERE nested")
        return connection, OrderedDict(sizes.fetchall()), {key for (key,) in nested}
    except BaseException:
        connection.close()
        raise
