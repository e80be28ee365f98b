"""One SQLite file, one writer thread, many small transactions in one commit."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from engine.authoring.errors import SoundstageError

log = logging.getLogger(__name__)

T = TypeVar("T")

Work: TypeAlias = "tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]"

BUSY_SECONDS = 30


class Database:
    """Runs functions on the file's one connection, in order, each all or nothing.

    Whatever waits when the thread is free goes into one commit. A commit is on disk as far as a
    killed process goes (WAL, synchronous=NORMAL); only a power cut can take the last instants.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name=f"db {path.name}", daemon=True)

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Open or create the file and bring its schema up to date.

        Raises:
            SoundstageError: the file is no database, or a newer version wrote it.
        """
        database = cls(path)
        database._thread.start()
        try:
            await database.run(lambda connection: migrate(connection, path))
        except BaseException:
            await database.close()
            raise
        return database

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` in the writer thread; returns when its changes are committed.

        Raises:
            SoundstageError: the file cannot be used any more, or was closed.
            sqlite3.IntegrityError: the changes break a rule of the schema.
            Exception: whatever `function` raised.
        """
        if self._closed:
            raise SoundstageError(f"{self._path} is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._work.put((function, future))
        return await future

    async def close(self) -> None:
        """Finish what waits, then close the file."""
        self._closed = True
        self._work.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        connection: sqlite3.Connection | None = None
        while batch := self._batch():
            answers: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
            try:
                connection = connection or connect(self._path)
                connection.execute("BEGIN IMMEDIATE")
                answers = [self._answer(connection, work) for work in batch]
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                answers = [(future, None, self._failure(error)) for _, future in batch]
                if connection is not None and connection.in_transaction:
                    connection.execute("ROLLBACK")
            self._loop.call_soon_threadsafe(resolve, answers)
        if connection is not None:
            connection.close()

    def _batch(self) -> list[Work]:
        """All that waits, at least one; empty once the database is closed."""
        first = self._work.get()
        batch: list[Work] = []
        while first is not None:
            batch.append(first)
            if self._work.empty():
                return batch
            first = self._work.get()
        if batch:
            self._work.put(None)
        return batch

    def _answer(
        self, connection: sqlite3.Connection, work: Work
    ) -> tuple[asyncio.Future[Any], Any, Exception | None]:
        function, future = work
        connection.execute("SAVEPOINT one")
        try:
            answer = function(connection)
        except Exception as error:  # noqa: BLE001 - handed to the caller
            connection.execute("ROLLBACK TO one")
            return future, None, self._failure(error)
        finally:
            connection.execute("RELEASE one")
        return future, answer, None

    def _failure(self, error: Exception) -> Exception:
        """The error as callers see it: that of SQLite itself names the file."""
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError
        ):
            return SoundstageError(f"{self._path} cannot be used: {error}")
        return error


def resolve(answers: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    """Wake those who wait for these answers."""
    for future, answer, error in answers:
        if future.cancelled():
            continue
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)


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
    return found
