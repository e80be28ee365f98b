"""The queue: durable, in order, each job held by one instance; the history behind it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from engine.authoring.errors import SoundstageError
from engine.store.db import Database, NotWritten
from engine.store.history import Failure, Job, JobResult
from engine.store.listing import JobQuery
from engine.store.queue import HISTORY_LIMIT, DuplicateJob, NotHeld, Queue


def job(id: str, number: float = 1) -> Job:
    return Job(id, number, {"1": {"class_type": "X", "inputs": {}}}, {}, ["1"], None, created=1)


DONE = JobResult("success", started=1, ended=2, shown={"1": {"text": ["x"]}})


@pytest.fixture
async def queue(database: Database) -> Queue:
    """An empty queue."""
    return Queue.open(database)


def claimed(queue: Queue) -> str | None:
    found = queue.claim(exclusive=True)
    return None if found is None else found.id


async def deleted(queue: Queue, ids: list[str] | None) -> int:
    return sum([len(jobs) async for jobs in queue.delete_pending(ids)])


async def test_the_smallest_number_is_next_and_the_older_of_equals(queue: Queue):
    numbers = {"a": 2, "b": 1, "c": 2, "front": -3, "half": 1.5}
    for id, number in numbers.items():
        queue.put(job(id, number))
    assert [j.id for j in await queue.pending()] == ["front", "b", "half", "a", "c"]
    assert [claimed(queue) for _ in range(6)] == ["front", "b", "half", "a", "c", None]
    assert [j.id for j in await queue.running()] == ["a", "b", "c", "front", "half"]
    assert queue.remaining == 5


async def test_a_job_moved_to_the_front_is_next_also_after_a_restart(tmp_path: Path):
    first = await Database.open(tmp_path / "a.db")
    queue = Queue.open(first)
    for id in ("runs", "a", "b", "c"):
        queue.put(job(id, queue.next_number()))
    queue.put(job("first", -1000))
    assert claimed(queue) == "first"
    assert not queue.move_to_front("first"), "it runs already"
    assert not queue.move_to_front("nobody")
    assert queue.move_to_front("b")
    assert queue.move_to_front("c")
    assert [j.id for j in await queue.pending()] == ["c", "b", "runs", "a"]
    await first.close()

    second = await Database.open(tmp_path / "a.db")
    queue = Queue.open(second)
    page = await queue.page(JobQuery(("pending",), by="place", descending=False))
    assert [standing.job.id for standing in page.jobs] == ["first", "c", "b", "runs", "a"]
    taken = [queue.claim(exclusive=True) for _ in range(2)]
    assert [found and (found.id, found.number < 0) for found in taken] == [
        ("first", True),
        ("c", True),
    ]
    await second.close()


async def test_a_job_comes_back_as_it_was_put(queue: Queue):
    put = Job(
        id="äöü \U0001f600",
        number=-0.5,
        prompt={"1": {"class_type": "X", "inputs": {"i": 10**40, "l": [["1", 0], None]}}},
        extra={"extra_pnginfo": {"workflow": {"nodes": []}}, "f": 1e-300},
        outputs=["1"],
        client_id="me",
        created=1700000000000,
    )
    queue.put(put)
    assert queue.claim(exclusive=False) == put


async def test_a_taken_id_is_refused_whatever_became_of_the_job(queue: Queue):
    queue.put(job("x"))
    with pytest.raises(DuplicateJob):
        queue.put(job("x"))
    taken = queue.claim(exclusive=True)
    assert taken is not None
    with pytest.raises(DuplicateJob):
        queue.put(job("x"))
    queue.finish(taken, DONE)
    with pytest.raises(DuplicateJob):
        queue.put(job("x"))
    assert queue.remaining == 0


async def test_a_job_that_cannot_be_written_is_not_counted(queue: Queue, database: Database):
    await database.close()
    with pytest.raises(SoundstageError):
        queue.put(job("x"))
    assert queue.remaining == 0


async def test_a_job_given_back_waits_in_its_old_place_and_starts_alone(queue: Queue):
    queue.put(job("first", 1))
    queue.put(job("second", 2))
    taken = queue.claim(exclusive=True)
    assert taken is not None
    queue.requeue(taken, attempts=1)
    assert [j.id for j in await queue.pending()] == ["first", "second"]
    assert queue.claim(exclusive=False) is None, "another job runs: it has to wait for that"
    again = queue.claim(exclusive=True)
    assert again == msgspec.structs.replace(taken, attempts=1)
    assert queue.remaining == 2


async def test_a_new_instance_takes_over_what_a_dead_one_held(tmp_path: Path):
    first = await Database.open(tmp_path / "a.db")
    queue = Queue.open(first)
    for id in ("done", "held", "waits"):
        queue.put(job(id, queue.next_number()))
    done = queue.claim(exclusive=True)
    assert done is not None
    queue.finish(done, DONE)
    assert claimed(queue) == "held"
    await first.close()

    second = await Database.open(tmp_path / "a.db")
    again = Queue.open(second)
    assert again.remaining == 2
    assert [j.id for j in await again.pending()] == ["held", "waits"]
    assert again.next_number() == 4
    assert [entry.job.id for entry in await again.history(None, None)] == ["done"]
    await second.close()


async def test_the_history_is_in_order_of_ending_and_paged(queue: Queue):
    for i in range(7):
        queue.put(job(str(i), i))
    running = [queue.claim(exclusive=True) for _ in range(7)]
    failure = Failure("1", "X", "no", "ValueError", {"a": [1, None]}, ["2"])
    for found in reversed(running):
        assert found is not None
        ended = JobResult("error", 1, 2, cached=["1"], failure=failure)
        queue.finish(found, ended if found.id == "3" else DONE)

    async def ids(newest: int | None, offset: int | None) -> str:
        return "".join(entry.job.id for entry in await queue.history(newest, offset))

    assert await ids(None, None) == "6543210"
    assert await ids(3, None) == "210"
    assert await ids(0, None) == ""
    assert await ids(2, 1) == "54"
    assert await ids(None, 5) == "10"
    assert await ids(9, 99) == ""
    entry = await queue.history_entry("3")
    assert entry is not None
    assert entry.outcome.failure == failure
    assert await queue.history_entry("nobody") is None
    assert queue.remaining == 0


async def test_the_history_keeps_the_newest(database: Database):
    def fill(connection: sqlite3.Connection) -> None:
        blob, outcome = msgspec.json.encode(job("old")), msgspec.json.encode(DONE)
        connection.executemany(
            "INSERT INTO jobs (id, number, status, ended, job, outcome) "
            "VALUES (?, 1, 'success', ?, ?, ?)",
            [(f"old {i}", i, blob, outcome) for i in range(1, HISTORY_LIMIT + 1)],
        )

    database.write(fill)
    queue = Queue.open(database)
    queue.put(job("new"))
    queue.put(job("waits"))
    taken = queue.claim(exclusive=True)
    assert taken is not None
    queue.finish(taken, DONE)
    ended = "SELECT count(*) FROM jobs WHERE ended IS NOT NULL"
    assert database.execute(ended) == [(HISTORY_LIMIT,)]
    assert await queue.history_entry("old 1") is None
    assert await queue.history_entry("old 2") is not None
    assert await queue.history_entry("new") is not None
    queue.put_ended(job("ended at once"), DONE)
    assert database.execute(ended) == [(HISTORY_LIMIT,)]
    assert await queue.history_entry("old 2") is None
    assert await queue.history_entry("ended at once") is not None
    assert [j.id for j in await queue.pending()] == ["waits"]


async def test_deleting_takes_only_what_waits_or_only_what_ended(queue: Queue):
    for id in ("ended", "runs", "waits 1", "waits 2", "waits 3"):
        queue.put(job(id, queue.next_number()))
    ended = queue.claim(exclusive=True)
    assert ended is not None
    queue.finish(ended, DONE)
    queue.claim(exclusive=True)

    assert await deleted(queue, ["waits 2", "runs", "ended", "nobody"]) == 1
    assert await queue.delete_history(["runs", "waits 1", "ended"]) == 1
    assert (await queue.history_entry("ended"), queue.remaining) == (None, 3)
    assert await deleted(queue, None) == 2
    assert await deleted(queue, None) == 0
    assert queue.remaining == 1
    assert [j.id for j in await queue.running()] == ["runs"]
    assert await queue.delete_history(None) == 0


async def test_each_of_many_is_claimed_once(queue: Queue):
    for i in range(200):
        queue.put(job(str(i), queue.next_number()))
    found = [claimed(queue) for _ in range(250)]
    assert sorted(id for id in found if id is not None) == sorted(str(i) for i in range(200))
    assert found.count(None) == 50


async def test_a_job_put_as_claimed_runs_and_waits_again_after_a_restart(tmp_path: Path):
    database = await Database.open(tmp_path / "a.db")
    queue = Queue.open(database)
    queue.put(job("runs"), claimed=True)
    queue.put(job("waits"))
    assert (queue.waiting, queue.remaining) == (1, 2)
    assert [j.id for j in await queue.running()] == ["runs"]
    assert claimed(queue) == "waits"
    assert claimed(queue) is None
    await database.close()
    again = await Database.open(tmp_path / "a.db")
    assert (Queue.open(again).waiting, claimed(Queue.open(again))) == (2, "runs")
    await again.close()


async def test_a_job_put_as_ended_is_one_of_the_history_and_of_nothing_else(tmp_path: Path):
    database = await Database.open(tmp_path / "a.db")
    queue = Queue.open(database)
    for id in ("runs", "waits"):
        queue.put(job(id, queue.next_number()))
    runs = queue.claim(exclusive=True)
    assert runs is not None
    ended = job("ended at once", queue.next_number())
    queue.put_ended(ended, DONE)
    for id in ("waits", "ended at once"):
        with pytest.raises(DuplicateJob):
            queue.put_ended(job(id), DONE)
    with pytest.raises(NotHeld):
        queue.finish(ended, DONE)
    assert (queue.waiting, queue.running_count) == (1, 1)
    assert queue.next_number() == 4
    queue.check()
    assert (queue.waiting, queue.running_count) == (1, 1), "counted as the rows say"
    queue.finish(runs, DONE)
    queue.put_ended(job("last", queue.next_number()), DONE)
    await database.close()

    again = await Database.open(tmp_path / "a.db")
    queue = Queue.open(again)
    history = await queue.history(None, None)
    assert [entry.job.id for entry in history] == ["ended at once", "runs", "last"]
    assert history[0].outcome == history[1].outcome == DONE
    page = await queue.page(JobQuery(("success",), by="created", descending=False))
    assert [info.job.id for info in page.jobs] == ["runs", "ended at once", "last"]
    assert (claimed(queue), claimed(queue), queue.next_number()) == ("waits", None, 5)
    await again.close()


async def test_numbers_that_are_used_up_by_nothing_let_no_new_job_overtake_after_a_restart(
    tmp_path: Path,
):
    first = await Database.open(tmp_path / "a.db")
    queue = Queue.open(first)
    queue.put(job("old 1", queue.next_number()))
    for _ in range(50):
        with pytest.raises(DuplicateJob):
            queue.put(job("old 1", queue.next_number()))
        queue.move_to_front("nobody")
    queue.put(job("old 2", queue.next_number()))
    await first.close()

    second = await Database.open(tmp_path / "a.db")
    queue = Queue.open(second)
    queue.put(job("new", queue.next_number()))
    queue.put(job("front", queue.front_number()))
    assert queue.move_to_front("old 2")
    queue.put(job("very front", queue.front_number()))
    order = ["very front", "old 2", "front", "old 1", "new"]
    assert [waiting.id for waiting in await queue.pending()] == order
    await second.close()


async def test_only_a_running_job_ends_or_waits_again_and_only_under_its_lease(
    database: Database,
):
    holder, other = Queue.open(database), Queue.open(database)
    waits = job("waits")
    holder.put(waits)
    with pytest.raises(NotHeld, match="waits is not running here"):
        holder.finish(waits, DONE)
    with pytest.raises(NotHeld):
        holder.requeue(waits, attempts=1)
    assert claimed(holder) == "waits"
    with pytest.raises(NotHeld):
        other.finish(waits, DONE)
    with pytest.raises(NotHeld):
        other.requeue(waits, attempts=1)
    assert (holder.waiting, holder.running_count) == (0, 1)
    holder.finish(waits, DONE)
    with pytest.raises(NotHeld):
        holder.finish(waits, DONE)
    assert (holder.waiting, holder.running_count) == (0, 0)
    assert [entry.job.id for entry in await holder.history(None, None)] == ["waits"]


async def test_what_the_disk_does_not_take_changes_no_count_and_no_job(database: Database):
    queue = Queue.open(database)
    for id in ("runs", "waits"):
        queue.put(job(id, queue.next_number()))
    assert claimed(queue) == "runs"
    database.execute("PRAGMA query_only=ON")
    for write in (
        lambda: queue.put(job("new", queue.next_number())),
        lambda: queue.put_ended(job("new", queue.next_number()), DONE),
        lambda: queue.claim(exclusive=True),
        lambda: queue.finish(job("runs"), DONE),
        lambda: queue.requeue(job("runs"), attempts=1),
        queue.check,
    ):
        with pytest.raises(NotWritten, match="cannot be written"):
            write()
        assert (queue.waiting, queue.running_count) == (1, 1)
        assert queue.write_error is not None
    database.execute("PRAGMA query_only=OFF")
    queue.check()
    assert queue.write_error is None
    queue.finish(job("runs"), DONE)
    assert claimed(queue) == "waits"
    assert queue.next_number() == 3


async def test_a_waiting_job_that_had_begun_ends_in_the_history_when_it_is_deleted(queue: Queue):
    for id in ("begun", "waits"):
        queue.put(job(id, queue.next_number()))
    assert claimed(queue) == "begun"
    queue.requeue(job("begun"), attempts=1)
    assert await deleted(queue, None) == 2
    assert queue.remaining == 0
    history = await queue.history(None, None)
    assert [(entry.job.id, entry.outcome.status) for entry in history] == [("begun", "interrupted")]


async def test_no_job_starts_that_is_about_to_be_deleted(queue: Queue):
    for number in range(50):
        queue.put(job(str(number), queue.next_number()))
    async for _ in queue.delete_pending(None):
        assert claimed(queue) is None
    assert queue.remaining == 0
