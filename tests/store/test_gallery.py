"""The gallery's rows: written when a job ends, whoever looks and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.store.db import Database
from engine.store.folders import Folders
from engine.store.gallery import Gallery, GalleryQuery
from engine.store.history import Job, JobResult
from engine.store.queue import Queue


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "home")
    made.create()
    return made


async def test_files_stay_in_the_gallery_though_nobody_looked_before_their_job_was_forgotten(
    database: Database, folders: Folders
):
    gallery = Gallery(database, folders)
    await gallery.catch_up()
    queue = Queue.open(database, gallery.add)
    for number in range(3):
        (folders.root("output") / f"{number}.png").touch()
        made = Job(str(number), queue.next_number(), {}, {}, ["1"], None, 1)
        queue.put(made, claimed=True)
        shown = {"1": {"images": [{"filename": f"{number}.png", "type": "output"}]}}
        queue.finish(made, JobResult("success", 1, 2, shown=shown))
        await queue.delete_history(None)
    assert [file.filename for file in (await gallery.page(GalleryQuery())).files] == [
        "2.png",
        "1.png",
        "0.png",
    ]


async def test_files_that_a_service_did_not_index_before_it_died_are_indexed_by_the_next_one(
    database: Database, folders: Folders
):
    queue = Queue.open(database)
    for number in range(120):
        (folders.root("output") / f"{number}.png").touch()
        made = Job(str(number), queue.next_number(), {}, {}, ["1"], None, 1)
        queue.put(made, claimed=True)
        shown = {"1": {"images": [{"filename": f"{number}.png", "type": "output"}]}}
        queue.finish(made, JobResult("success", 1, 2, shown=shown))
    found = (await Gallery(database, folders).page(GalleryQuery(limit=500))).files
    assert [file.filename for file in found] == [f"{number}.png" for number in range(119, -1, -1)]
    database.execute("DELETE FROM gallery")  # were they indexed again, they came back
    assert (await Gallery(database, folders).page(GalleryQuery())).files == []


async def test_the_file_of_a_job_that_is_put_as_ended_is_in_the_gallery_once(
    database: Database, folders: Folders
):
    gallery = Gallery(database, folders)
    await gallery.catch_up()
    queue = Queue.open(database, gallery.add)
    (folders.root("output") / "a.png").touch()
    shown = {"1": {"images": [{"filename": "a.png", "type": "output"}]}}
    for number in range(3):
        made = Job(str(number), queue.next_number(), {}, {}, ["1"], None, 1)
        queue.put_ended(made, JobResult("success", 1, 2, cached=["1"], shown=shown))
    files = (await gallery.page(GalleryQuery())).files
    assert [(file.filename, file.job) for file in files] == [("a.png", "0")]
