"""The database: each transaction all or nothing, reads beside them, schemas old and new."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from pathlib import Path

import pytest

from engine.authoring.errors import SoundstageError
from engine.store.db import Database, statements
from engine.store.queue import Queue
from tests import patience

SCHEMAS = sorted(Path(__file__).parent.glob("schemas/*.sql"))
NEWEST = int(SCHEMAS[-1].stem)


def insert(id: str, number: float | None = 1.0) -> str:
    value = "NULL" if number is None else number
    return f"INSERT INTO jobs (id, number, job) VALUES ('{id}', {value}, '')"


async def ids(database: Database) -> list[str]:
    rows = database.write(lambda db: db.execute("SELECT id FROM jobs ORDER BY seq").fetchall())
    return [id for (id,) in rows]


def test_statements_are_parted_where_they_end():
    script = "-- first; not an end\nCREATE TABLE a (b TEXT DEFAULT ';');\n\nDROP TABLE a;\n"
    assert [part.strip().splitlines()[-1] for part in statements(script)] == [
        "CREATE TABLE a (b TEXT DEFAULT ';');",
        "DROP TABLE a;",
    ]


async def test_reading_for_long_delays_no_write(database: Database):
    begun, free = threading.Event(), threading.Event()

    def long(connection: sqlite3.Connection) -> int:
        before = connection.execute("SELECT count(*) FROM jobs").fetchone()[0]
        begun.set()
        assert free.wait(patience.SECONDS)
        return before

    reading = asyncio.ensure_future(database.read(long))
    await asyncio.to_thread(begun.wait)
    for i in range(600):
        database.write(lambda db, i=i: db.execute(insert(str(i))))
    free.set()
    assert await reading == 0
    assert await ids(database) == [str(i) for i in range(600)], "in the order they were given"


async def test_a_long_read_delays_no_other_read(database: Database):
    begun, free = threading.Event(), threading.Event()

    def long(connection: sqlite3.Connection) -> bool:
        begun.set()
        return free.wait(patience.SECONDS)

    reading = asyncio.ensure_future(database.read(long))
    await asyncio.to_thread(begun.wait)
    try:
        async with asyncio.timeout(patience.SECONDS / 2):
            assert await database.read(lambda db: db.execute("SELECT 5").fetchone()) == (5,)
    finally:
        free.set()
    assert await reading


async def test_the_log_is_moved_into_the_file_now_and_then(database: Database, tmp_path: Path):
    before = (tmp_path / "soundstage.db").stat().st_size
    for i in range(1100):
        database.write(lambda db, i=i: db.execute(insert(str(i))))
    await database.read(lambda _: None)
    assert (tmp_path / "soundstage.db").stat().st_size > before


async def test_a_function_that_fails_undoes_only_itself(database: Database):
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute(insert("undone"))
        raise LookupError("as asked")

    database.write(lambda db: db.execute(insert("before")))
    with pytest.raises(LookupError, match="as asked"):
        database.write(fail)
    with pytest.raises(sqlite3.IntegrityError):
        database.write(lambda db: db.execute(insert("before")))
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(insert("before"))
    database.execute(insert("after"))
    assert await ids(database) == ["before", "after"]


async def test_what_is_committed_is_there_for_others(database: Database, tmp_path: Path):
    database.write(lambda db: db.execute(insert("seen")))
    other = sqlite3.connect(tmp_path / "soundstage.db")
    assert other.execute("SELECT id FROM jobs").fetchall() == [("seen",)]
    other.close()


async def test_a_mistake_in_sql_names_the_file(database: Database):
    with pytest.raises(SoundstageError, match=r"soundstage\.db cannot be used: no such table"):
        database.write(lambda db: db.execute("SELECT * FROM nowhere"))
    with pytest.raises(SoundstageError, match=r"soundstage\.db cannot be used: no such table"):
        await database.read(lambda db: db.execute("SELECT * FROM nowhere"))
    assert await ids(database) == [], "it goes on"


async def test_closing_finishes_what_waits_and_refuses_the_rest(tmp_path: Path):
    database = await Database.open(tmp_path / "a.db")
    database.execute(insert("last"))
    reading = asyncio.ensure_future(database.read(lambda db: db.execute("SELECT 1").fetchone()))
    await asyncio.sleep(0)
    await database.close()
    assert await reading == (1,)
    with pytest.raises(SoundstageError, match="is closed"):
        database.execute(insert("too late"))
    again = await Database.open(tmp_path / "a.db")
    assert await ids(again) == ["last"]
    await again.close()


def layout(connection: sqlite3.Connection) -> list[str]:
    """The schema, without comments and spaces."""
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return sorted(re.sub(r"--.*|\s", "", sql) for (sql,) in rows)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.stem)
async def test_a_database_of_an_older_version_is_brought_up_to_date(schema: Path, tmp_path: Path):
    old = sqlite3.connect(tmp_path / "soundstage.db")
    old.executescript(schema.read_text())
    old.close()
    database = await Database.open(tmp_path / "soundstage.db")
    version = database.write(lambda db: db.execute("PRAGMA user_version").fetchone()[0])
    assert version == NEWEST
    fresh = await Database.open(tmp_path / "fresh.db")
    assert database.write(layout) == fresh.write(layout)
    await fresh.close()

    queue = Queue.open(database)
    assert [job.id for job in await queue.pending()] == ["waiting", "running"]
    assert queue.remaining == 2
    assert queue.next_number() == 4
    (ended,) = await queue.history(None, None)
    assert ended.job.client_id == "me"
    assert ended.outcome.shown == {"1": {"text": ["x"]}}
    assert ended.outcome.failure is not None
    assert [job.attempts for _ in "ab" if (job := queue.claim(exclusive=True))] == [0, 1]
    await database.close()


def test_a_migration_ends_its_last_statement():
    assert len(statements("CREATE TABLE a (b);\nDROP TABLE a;\n")) == 2
    with pytest.raises(ValueError, match="without an end: DROP TABLE a"):
        statements("CREATE TABLE a (b);\nDROP TABLE a\n")


async def test_opening_again_changes_nothing(tmp_path: Path):
    for _ in range(2):
        database = await Database.open(tmp_path / "a.db")
        await database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path):
    file = sqlite3.connect(tmp_path / "a.db")
    file.execute("PRAGMA user_version=999")
    file.close()
    before = (tmp_path / "a.db").read_bytes()
    with pytest.raises(SoundstageError, match=r"newer version \(schema 999, .*; update soundstage"):
        await Database.open(tmp_path / "a.db")
    assert (tmp_path / "a.db").read_bytes()[100:] == before[100:]


@pytest.mark.parametrize("damage", ["text", "tail", "truncated"])
async def test_a_damaged_file_is_named(tmp_path: Path, damage: str):
    path = tmp_path / "a.db"
    database = await Database.open(path)
    queue = Queue.open(database)
    assert queue.remaining == 0
    database.write(
        lambda db: [db.execute(insert(f"{i}", i)) for i in range(2000)] and None,
    )
    await database.close()
    whole = path.read_bytes()
    damaged = {
        "text": b"this is no database at all" * 100,
        "tail": whole[:4096] + b"\xaa" * (len(whole) - 4096),
        "truncated": whole[: len(whole) // 2],
    }
    path.write_bytes(damaged[damage])
    threads = threading.active_count()
    with pytest.raises(SoundstageError, match=r"a\.db cannot be used: "):
        await use(path)
    assert threading.active_count() == threads


async def use(path: Path) -> None:
    database = await Database.open(path)
    try:
        Queue.open(database)
        database.write(lambda db: db.execute("SELECT * FROM jobs").fetchall())
    finally:
        await database.close()


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(SoundstageError, match=r"nowhere/a\.db cannot be used: unable to open"):
        await Database.open(tmp_path / "nowhere" / "a.db")
