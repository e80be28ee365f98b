"""One SQLite file: small writes at once, reads in threads beside.

A write of a job takes about 50 microseconds on an idle machine, handing it to a thread and waiting
for the answer about 80 more. So writes are made where they are asked for, in the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from engine.authoring.errors import SoundstageError

log = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_SECONDS = 5
READERS = 3  # so that a long list keeps no short answer waiting
WRITES_AT_ONCE = 100
CHECKPOINT_WRITES = 500
CHECKPOINT_PAGES = 10_000  # if the thread cannot keep up
UNWRITABLE = ("SQLITE_IOERR", "SQLITE_READONLY")
"""What the names of SQLite's errors begin with where the disk does not take a write."""


class NotWritten(SoundstageError):
    """The disk does not take what was to be stored: it is full, or cannot be written to."""


class Database:
    """Runs functions on a file, each all or nothing.

    A commit is on disk as far as a killed process goes (WAL, synchronous=NORMAL); only a power cut
    can take the last instants. What waits for the disk, moving the log into the file, is done in
    one of the readers' threads.

    Attributes:
        write_error: why the last write failed, without the path; None: it did not.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.write_error: str | None = None
        self._path = path
        self._connection: sqlite3.Connection | None = connection
        self._readers: list[sqlite3.Connection] = []
        self._of_thread = threading.local()
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix=f"db {path.name}")
        self._lock = threading.Lock()  # SQLite's own would let writers sleep for each other
        self._writes = 0

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Open or create the file and bring its schema up to date.

        Raises:
            SoundstageError: the file is no database, or a newer version wrote it.
        """
        try:
            connection = connect(path)
        except sqlite3.Error as error:
            raise failure(path, error) from error
        database = cls(path, connection)
        try:
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            database.write(lambda connection: migrate(connection, path))
        except BaseException:
            await database.close()
            raise
        return database

    def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` in a transaction of its own, at once; committed when this returns.

        Raises:
            NotWritten: the disk is full, or cannot be written to.
            SoundstageError: the file cannot be used any more, or was closed.
            sqlite3.IntegrityError: the changes break a rule of the schema.
            Exception: whatever `function` raised.
        """
        with self._writing() as connection:
            return transacted(connection, function)

    async def write_later(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` in a transaction in the thread; other writes wait until it is done.

        Raises:
            NotWritten, SoundstageError, sqlite3.IntegrityError, Exception: as `write`.
        """

        def run() -> T:
            with self._writing():
                answer = transacted(self._reading(), function)
                self.write_error = None
                return answer

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def write_each(
        self, items: Sequence[T], write: Callable[[sqlite3.Connection, T], object]
    ) -> None:
        """Write many items, some in each transaction; the event loop serves others between them.

        Raises:
            NotWritten, SoundstageError, sqlite3.IntegrityError, Exception: as `write`.
        """
        for begin in range(0, len(items), WRITES_AT_ONCE):
            part = items[begin : begin + WRITES_AT_ONCE]
            self.write(lambda db, part=part: [write(db, item) for item in part])
            await asyncio.sleep(0)

    def probe(self) -> None:
        """Write something that changes nothing, to see whether the disk takes it.

        Raises:
            NotWritten: it does not.
        """
        with self._writing() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA user_version={version}")
            self.write_error = None

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Run one statement, a transaction in itself, at once; its rows.

        Raises:
            SoundstageError: as `write`.
            sqlite3.IntegrityError: as `write`.
        """
        with self._writing() as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        if self._connection is None:
            raise SoundstageError(f"{self._path} is closed")
        try:
            with self._lock:
                before = self._connection.total_changes
                yield self._connection
                if self._connection.total_changes != before:
                    self.write_error = None
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            failed = failure(self._path, error)
            self.write_error = str(failed).replace(str(self._path), self._path.name)
            raise failed from error
        self._writes += 1
        if self._writes % CHECKPOINT_WRITES == 0:
            self._threads.submit(self._checkpoint)

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function`, which may only read, in the thread: what takes long delays no write.

        Raises:
            SoundstageError: the file cannot be used any more, or was closed.
            Exception: whatever `function` raised.
        """
        if self._connection is None:
            raise SoundstageError(f"{self._path} is closed")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: function(self._reading()))
        except sqlite3.Error as error:
            raise failure(self._path, error) from error

    async def close(self) -> None:
        """Finish what runs, then close the file."""
        connection, self._connection = self._connection, None
        await asyncio.to_thread(self._threads.shutdown)
        for reader in self._readers:
            reader.close()
        if connection is not None:
            connection.close()

    def _reading(self) -> sqlite3.Connection:
        """The connection of this thread, one of the readers'."""
        reader: sqlite3.Connection | None = getattr(self._of_thread, "connection", None)
        if reader is None:
            reader = self._of_thread.connection = connect(self._path)
            self._readers.append(reader)
        return reader

    def _checkpoint(self) -> None:
        try:
            self._reading().execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            log.warning("%s: its log stays, for now: %s", self._path, error)


def transacted(connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    """Call a function between BEGIN and COMMIT; undo it if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        answer = function(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return answer


def failure(path: Path, error: sqlite3.Error) -> SoundstageError:
    """An error of SQLite itself, with the name of the file."""
    name = getattr(error, "sqlite_errorname", "")  # Python's own errors have none
    if name == "SQLITE_FULL":
        return NotWritten(f"{path} cannot be written: the disk is full; make room on it")
    if name.startswith(UNWRITABLE):
        return NotWritten(
            f"{path} cannot be written ({error}); make room on its disk, or let it be written to"
        )
    return SoundstageError(f"{path} cannot be used: {error}")


def connect(path: Path) -> sqlite3.Connection:
    """A connection in WAL mode whose transactions are begun and ended by hand."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that the file has not seen; its user_version counts them."""
    scripts = sorted(
        (
            entry
            for entry in resources.files("engine.store").joinpath("migrations").iterdir()
            if entry.name.endswith(".sql")
        ),
        key=lambda entry: entry.name,
    )
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(scripts):
        raise SoundstageError(
            f"{path} was written by a newer version (schema {version}, this one knows "
            f"{len(scripts)}); update soundstage or use another --home"
        )
    for script in scripts[version:]:
        for statement in statements(script.read_text()):
            connection.execute(statement)
        version += 1
        log.info("migrated %s to schema %d", path.name, version)
        connection.execute(f"PRAGMA user_version={version}")


def statements(script: str) -> list[str]:
    """The statements of a script; executescript would commit between them."""
    found: list[str] = []
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    if statement.strip():
        raise ValueError(f"a statement without an end: {statement.strip()[:200]}")
    return found
