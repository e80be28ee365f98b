"""Rows of the jobs table that cannot be read: left out, logged once, removable, in nobody's way."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.store.db import Database
from engine.store.folders import Folders
from engine.store.gallery import Gallery
from engine.store.gallery import GalleryQuery as Files
from engine.store.history import Job, JobResult
from engine.store.listing import JobQuery
from engine.store.queue import Queue

PROMPT = {"1": {"class_type": "X", "inputs": {"text": "pear"}}}
SHOWN = {"1": {"images": [{"filename": "x.png", "subfolder": "", "type": "output"}]}}
GOOD = msgspec.json.encode(Job("good", 1, PROMPT, {}, ["1"], None, created=1))
ENDED = msgspec.json.encode(JobResult("success", started=1, ended=2, shown=SHOWN))
JOB: dict[str, Any] = {"id": "bad", "number": 1, "extra": {}, "outputs": [], "client_id": None}
JOBS: list[Any] = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"[" * 5000,
    b'{"id": "\xff"}',
    GOOD.replace(b"pear", b"\xff\xfe"),
    GOOD.replace(b'"number":1', b'"number":"one"'),
    GOOD.replace(b'"created":1', b'"created":1e30'),
    {**JOB, "prompt": {}},
    {**JOB, "prompt": {}, "created": 2**53},
    {**JOB, "prompt": {}, "created": 1, "extra": []},
    {**JOB, "prompt": {}, "created": 1, "outputs": "1"},
    "text instead of bytes",
    17,
]
"""Jobs that no version wrote, or that one wrote whose form is not known here."""
OUTCOMES: list[Any] = [
    b"",
    b"{}",
    b"17",
    ENDED.replace(b"success", b"perhaps"),
    ENDED.replace(b'"started":1', b'"started":-5'),
    ENDED.replace(b'"ended":2', b'"ended":99999999999999999999999'),
    {"status": "success", "started": 1, "ended": 2, "shown": {"1": []}},
    {"status": "success", "started": 1, "ended": 2, "shown": {"1": {"images": {}}}},
    {"status": "success", "started": 1, "ended": 2, "failure": "yes"},
    "{",
    3.5,
]
LIST = JobQuery(by="place", descending=False)


def stored(value: Any) -> Any:
    return msgspec.json.encode(value) if isinstance(value, dict | list) else value


def put(database: Database, id: str, job: Any, outcome: Any = None, ended: int | None = None):
    """Write a row as it stands in the file of another version."""
    database.execute(
        "INSERT INTO jobs (id, number, status, ended, duration, job, outcome) "
        "VALUES (?, 1, ?, ?, 0, ?, ?)",
        (id, "pending" if ended is None else "success", ended, stored(job), stored(outcome)),
    )


def good(id: str) -> bytes:
    return GOOD.replace(b"good", id.encode())


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A home with the one picture that every job here shows."""
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "x.png").write_bytes(b"")
    return Folders(tmp_path)


BAD_ROWS = [(job, ENDED) for job in JOBS] + [(good("bad"), outcome) for outcome in OUTCOMES]


@pytest.mark.parametrize(("job", "outcome"), BAD_ROWS)
async def test_one_that_ended_hides_no_other_one(
    database: Database,
    folders: Folders,
    job: Any,
    outcome: Any,
    caplog: pytest.LogCaptureFixture,
):
    put(database, "before", good("before"), ENDED, 1)
    put(database, "bad", job, outcome, 2)
    put(database, "after", good("after"), ENDED, 3)
    queue, gallery = Queue.open(database), Gallery(database, folders)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            history = await queue.history(None, None)
            assert [entry.job.id for entry in history] == ["before", "after"]
            assert [entry.job.id for entry in await queue.history(2, 1)] == ["after"]
            page = await queue.page(LIST)
            assert [standing.job.id for standing in page.jobs] in (
                ["before", "after"],
                ["before", "bad", "after"],  # so much of it as a list shows can be read
            )
            assert (page.rows, page.total) == (3, 3)
            assert await queue.history_entry("bad") is None
            assert (await queue.history_entry("after")) is not None
            (picture,) = (await gallery.page(Files())).files
            assert picture.job == "after"
    assert len([line for line in caplog.messages if "'bad'" in line]) in (1, 2)
    assert await queue.delete_history(["bad"]) == 1
    assert (await queue.page(LIST)).total == 2


async def test_all_of_them_can_be_cleared(database: Database):
    for place, (job, outcome) in enumerate(BAD_ROWS):
        put(database, f"bad {place}", job, outcome, place)
    queue = Queue.open(database)
    assert await queue.history(None, None) == []
    assert await queue.delete_history(None) == len(BAD_ROWS)
    assert (await queue.page(LIST)).total == 0


async def test_a_job_of_an_older_version_is_found_by_the_words_that_can_be_read(
    database: Database, folders: Folders
):
    nodes: list[Any] = [[], None, "x", 0, {}, {"inputs": []}, {"inputs": None}, {"inputs": "x"}]
    prompt = {**PROMPT, **{f"odd {place}": node for place, node in enumerate(nodes)}}
    put(database, "old", {**JOB, "id": "old", "prompt": prompt, "created": 1}, ENDED, 1)
    gallery = Gallery(database, folders)
    for words in ((), ("pear",)):
        (picture,) = (await gallery.page(Files(words=words))).files
        assert picture.job == "old"


@pytest.mark.parametrize("job", JOBS)
async def test_one_that_waits_keeps_no_other_one_from_running(database: Database, job: Any):
    put(database, "bad", job)
    put(database, "after", good("after"))
    queue = Queue.open(database)
    assert [waiting.id for waiting in await queue.pending()] in (["after"], ["bad", "after"])
    taken = queue.claim(exclusive=True)
    assert taken is not None
    assert taken.id == "after"
    assert queue.remaining == 1
    assert await queue.running() != []
    assert queue.claim(exclusive=True) is None
    assert await queue.delete_history(None) == 1
