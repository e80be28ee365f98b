"""Files that jobs made, newest first: found by kind, and by the words they were made from."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from engine.authoring.errors import BadPath, MissingFile, SoundstageError
from engine.authoring.protocols import FolderKind
from engine.store.db import Database, NotWritten
from engine.store.folders import Folders
from engine.store.gallery_rows import EndedJob, MediaKind, Row, gallery_rows, put_gallery_rows
from engine.store.listing import OUTCOME
from engine.store.row_decoder import RowDecoder

log = logging.getLogger(__name__)

JOBS_AT_ONCE = 50
SOON_SECONDS = 0.05


class GalleryFile(Struct, frozen=True):
    """One of these files.

    Attributes:
        id: grows with the time it was made.
        job: that made it; None where the history knows it no more.
        node: of that job's prompt, or inside of such a node.
        workflow: id of the editor's document that the job was made of.
        size: in bytes.
        made: ms since 1970.
        took: ms that the whole job ran.
    """

    id: int
    job: str | None
    node: str
    workflow: str | None
    kind: MediaKind
    type: FolderKind
    subfolder: str
    filename: str
    made: int
    took: int
    size: int


class GalleryQuery(Struct, frozen=True):
    """Which files.

    Attributes:
        words: each is part of a text that it was made from, or of its name.
        kind: None: any, as of the next ones.
        workflow: made from this document.
        node: by this node of it.
        file: this one: type, subfolder and filename.
        before: made before the one of that id.
        limit: most files of the page.
    """

    words: tuple[str, ...] = ()
    kind: MediaKind | None = None
    workflow: str | None = None
    node: str | None = None
    file: tuple[str, str, str] | None = None
    before: int | None = None
    limit: int = 60


class GalleryPage(Struct, frozen=True):
    """Files of a page, and before which one the next page begins; None: this is the last."""

    files: list[GalleryFile]
    next: int | None


class _JobPrompt(Struct):
    """The prompt of a stored job, undecoded further, for the search for its texts."""

    prompt: dict[str, Any]


JOB_PROMPT = msgspec.json.Decoder(_JobPrompt)


class Gallery:
    """The files that jobs made and that are still there."""

    def __init__(self, database: Database, folders: Folders) -> None:
        self._database = database
        self._folders = folders
        self._rows = RowDecoder()
        self._catching_up = asyncio.Lock()
        self._is_complete = False
        self._added: list[EndedJob] = []

    async def page(self, query: GalleryQuery) -> GalleryPage:
        """Files, newest first; those that somebody removed are left out."""
        with suppress(NotWritten):  # what is known is shown
            self.write_added()
            await self.catch_up()
        return await self._database.read(lambda connection: self._select(connection, query))

    async def remove(self, id: int) -> None:
        """Delete a file of the output or temp folder for good.

        Raises:
            MissingFile: there is none of that id.
            BadPath: it lies in another folder.
        """
        read = "SELECT type, subfolder, filename FROM gallery WHERE seq=?"
        row = await self._database.read(lambda db: db.execute(read, (id,)).fetchone())
        if row is None:
            raise MissingFile(f"there is no file {id} in the gallery")
        type, subfolder, filename = row
        if type not in ("output", "temp"):
            raise BadPath(f"{filename!r} lies in the {type} folder; remove it there yourself")
        with suppress(MissingFile):
            path = self._folders.resolve(type, subfolder, filename)
            await asyncio.to_thread(path.unlink, missing_ok=True)
        self._database.execute("DELETE FROM gallery WHERE seq=?", (id,))

    def _select(self, connection: sqlite3.Connection, query: GalleryQuery) -> GalleryPage:
        where, values = _where(query)
        rows = connection.execute(
            "SELECT seq, (SELECT id FROM jobs WHERE id=gallery.job AND ended=gallery.ended), node, "
            "workflow, kind, type, subfolder, filename, made, took "
            f"FROM gallery WHERE {where} ORDER BY seq DESC",
            values,
        )
        found: list[GalleryFile] = []
        for row in rows:
            size = self._size(*row[5:8])
            if size is None:
                continue
            if len(found) == query.limit:
                return GalleryPage(found, found[-1].id)
            found.append(GalleryFile(*row, size=size))
        return GalleryPage(found, None)

    def _size(self, type: str, subfolder: str, filename: str) -> int | None:
        """In bytes; None where the file is gone."""
        try:
            return (self._folders.root(type) / subfolder / filename).stat().st_size
        except (OSError, ValueError):
            return None

    def add(self, job: EndedJob) -> None:
        """Index the files of a job that ended: soon, together with those of others."""
        if not self._added:
            asyncio.get_running_loop().call_later(SOON_SECONDS, self._write_added_soon)
        self._added.append(job)

    def _write_added_soon(self) -> None:
        try:
            self.write_added()
        except SoundstageError as error:
            log.warning("files are in the gallery later: %s", error)

    def write_added(self) -> None:
        """Index the files of the jobs that were added.

        Raises:
            NotWritten: the disk does not take it; `catch_up` finds them in the history.
        """
        added, self._added = self._added, []
        if not added or not self._is_complete:
            return
        self._is_complete = False
        rows = [row for job in added for row in gallery_rows(job)]
        self._database.write(lambda db: _put(db, [job.ended for job in added], rows))
        self._is_complete = True

    async def catch_up(self) -> None:
        """Index the files of jobs that ended and were not indexed then."""
        async with self._catching_up:
            while not self._is_complete:
                jobs, rows = await self._database.read(self._read_backlog)
                self._database.write(lambda db, jobs=jobs, rows=rows: _put(db, jobs, rows))
                self._is_complete = not jobs

    def _read_backlog(self, connection: sqlite3.Connection) -> tuple[list[int], list[Row]]:
        """`ended` numbers of the next jobs, and the rows for their files, oldest first."""
        found = connection.execute(
            "SELECT id, ended, workflow, job, outcome FROM jobs "
            "WHERE ended > (SELECT after FROM gallery_backlog) ORDER BY ended LIMIT ?",
            (JOBS_AT_ONCE,),
        ).fetchall()
        rows: list[Row] = []
        for id, ended, workflow, job, outcome in found:
            known = self._rows.decode(id, outcome, OUTCOME)
            if known is not None and known.shown:
                ran = self._rows.decode(id, job, JOB_PROMPT)
                prompt = {} if ran is None else ran.prompt
                rows += gallery_rows(EndedJob(id, ended, workflow, prompt, known))
        return [ended for _, ended, *_ in found], rows


def _put(connection: sqlite3.Connection, jobs: list[int], rows: list[Row]) -> None:
    """Put rows, and the newest of the jobs that were looked at."""
    if rows:
        put_gallery_rows(connection, rows)
    if jobs:
        connection.execute("UPDATE gallery_backlog SET after=?", (max(jobs),))


def _where(query: GalleryQuery) -> tuple[str, list[Any]]:
    given = {
        "kind=?": query.kind,
        "workflow=?": query.workflow,
        "node=?": query.node,
        "seq<?": query.before,
    }
    conditions = {condition: value for condition, value in given.items() if value is not None}
    where = ["1", *conditions, *["instr(words, ?)" for _ in query.words]]
    values = [*conditions.values(), *(word.casefold() for word in query.words)]
    if query.file is not None:
        where.append("type=? AND subfolder=? AND filename=?")
        values += query.file
    return " AND ".join(where), values
