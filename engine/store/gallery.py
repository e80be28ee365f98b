"""Files that jobs made, newest first: found by kind, and by the words they were made from."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec import Struct

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.names import is_utf8
from engine.authoring.protocols import FolderKind
from engine.store.db import Database
from engine.store.folders import Folders
from engine.store.history import JobResult
from engine.store.listing import OUTCOME
from engine.store.row_decoder import RowDecoder

MediaKind = Literal["picture", "sound", "film", "other"]
KIND_BY_SUFFIX: Mapping[str, MediaKind] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp"), "picture"),
    **dict.fromkeys((".wav", ".flac", ".mp3", ".opus", ".ogg", ".oga", ".m4a", ".aac"), "sound"),
    **dict.fromkeys((".mp4", ".webm", ".mkv", ".mov", ".m4v"), "film"),
}
"""What browsers show, by the ending of its name."""
JOBS_AT_ONCE = 50
MAX_FILES = 100_000
"""Files that are remembered, the newest."""
MAX_TEXT_LENGTH = 2_000
MAX_WORDS_LENGTH = 20_000


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


class _EndedJob(Struct, frozen=True):
    """A job that ended, as its row in the database says."""

    job: str
    ended: int
    workflow: str | None
    prompt: dict[str, Any]
    outcome: JobResult


Row = tuple[Any, ...]


class Gallery:
    """The files that jobs made and that are still there."""

    def __init__(self, database: Database, folders: Folders) -> None:
        self._database = database
        self._folders = folders
        self._rows = RowDecoder()
        self._refreshing = asyncio.Lock()
        self._last_ended: int | None = None

    async def page(self, query: GalleryQuery) -> GalleryPage:
        """Files, newest first; those that somebody removed are left out."""
        await self.refresh()
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

    async def refresh(self) -> None:
        """Index the files of jobs that ended since the last time."""
        async with self._refreshing:
            if self._last_ended is None:
                newest = "SELECT ended FROM gallery ORDER BY seq DESC LIMIT 1"
                row = await self._database.read(lambda db: db.execute(newest).fetchone())
                self._last_ended = int(row[0]) if row else 0
            while True:
                after = self._last_ended
                jobs, rows = await self._database.read(
                    lambda db, after=after: self._read_ended_jobs(db, after)
                )
                if rows:
                    self._database.write(lambda db, rows=rows: _put(db, rows))
                if not jobs:
                    return
                self._last_ended = jobs[-1]

    def _read_ended_jobs(
        self, connection: sqlite3.Connection, after: int
    ) -> tuple[list[int], list[Row]]:
        """`ended` numbers of the next jobs, and the rows for their files, oldest first."""
        found = connection.execute(
            "SELECT id, ended, workflow, job, outcome FROM jobs WHERE ended > ? "
            "ORDER BY ended LIMIT ?",
            (after, JOBS_AT_ONCE),
        ).fetchall()
        rows: list[Row] = []
        for id, ended, workflow, job, outcome in found:
            known = self._rows.decode(id, outcome, OUTCOME)
            files = [] if known is None else list(_files(known))
            if known is None or not files:
                continue
            ran = self._rows.decode(id, job, JOB_PROMPT)
            made = _EndedJob(id, ended, workflow, {} if ran is None else ran.prompt, known)
            rows += [_row(made, *each) for each in files]
        return [ended for _, ended, *_ in found], rows


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


def _files(outcome: JobResult) -> Iterator[tuple[str, dict[str, Any]]]:
    """Nodes with the files they showed, the last one first: it gets the lowest id."""
    for node, shown in reversed(outcome.shown.items()):
        for item in reversed([item for items in shown.values() for item in items]):
            match item:
                case {"filename": str(name), "type": str(type)} if type in get_args(FolderKind):
                    if name and is_utf8(name) and isinstance(item.get("subfolder", ""), str):
                        yield node, cast("dict[str, Any]", item)
                case _:
                    pass


def _row(made: _EndedJob, node: str, file: dict[str, Any]) -> Row:
    name, outcome = file["filename"], made.outcome
    asked = node if node in made.prompt else outcome.display.get(node, node)
    texts = [name, *_texts(made.prompt, asked)]
    words = "\n".join(text[:MAX_TEXT_LENGTH] for text in texts).casefold()[:MAX_WORDS_LENGTH]
    return (
        node in outcome.cached,
        made.job,
        made.ended,
        node,
        made.workflow,
        KIND_BY_SUFFIX.get(PurePosixPath(name).suffix.lower(), "other"),
        file["type"],
        file.get("subfolder", ""),
        name,
        words,
        outcome.ended,
        outcome.ended - outcome.started,
    )


def _texts(prompt: Mapping[str, Any], node: str) -> Iterator[str]:
    """Texts of the inputs of a node and of all that lead to it; of all nodes if it is unknown."""
    waiting = [node] if node in prompt else list(prompt)
    seen: set[str] = set()
    while waiting:
        id = waiting.pop()
        if id in seen:
            continue
        seen.add(id)
        for value in _inputs(prompt[id]):
            match value:
                case str():
                    yield value
                case [str(source), int()] if source in prompt:
                    waiting.append(source)
                case _:
                    pass


def _inputs(node: Any) -> list[Any]:
    """The values that a stored node was given; older versions stored nodes as they came."""
    match node:
        case {"inputs": {**given}}:
            return list(given.values())  # pyright: ignore[reportUnknownArgumentType] - JSON
        case _:
            return []


def _put(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Note files; one that a job only found again stays with the job that made it."""
    for cached, *row in rows:
        connection.execute(
            f"INSERT OR {'IGNORE' if cached else 'REPLACE'} INTO gallery (job, ended, node, "
            "workflow, kind, type, subfolder, filename, words, made, took) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
    connection.execute(
        "DELETE FROM gallery WHERE seq <= (SELECT max(seq) FROM gallery) - ?", (MAX_FILES,)
    )
