"""The rows of the gallery: what is kept of each file that a job made."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Literal, cast, get_args

from msgspec import Struct

from engine.authoring.names import is_utf8
from engine.authoring.protocols import FolderKind
from engine.store.history import JobResult

MediaKind = Literal["picture", "sound", "film", "other"]
KIND_BY_SUFFIX: Mapping[str, MediaKind] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp"), "picture"),
    **dict.fromkeys((".wav", ".flac", ".mp3", ".opus", ".ogg", ".oga", ".m4a", ".aac"), "sound"),
    **dict.fromkeys((".mp4", ".webm", ".mkv", ".mov", ".m4v"), "film"),
}
"""What browsers show, by the ending of its name."""
MAX_FILES = 100_000
"""Files that are remembered, the newest."""
MAX_TEXT_LENGTH = 2_000
MAX_WORDS_LENGTH = 20_000
MAX_TEXT_NODES = 2_000
"""Nodes whose texts a file is found by, those nearest to the one that made it."""

Row = tuple[Any, ...]


class EndedJob(Struct, frozen=True):
    """A job that ended, as its row in the database says."""

    job: str
    ended: int
    workflow: str | None
    prompt: dict[str, Any]
    outcome: JobResult


def gallery_rows(made: EndedJob) -> list[Row]:
    """The rows for the files that a job showed, oldest first."""
    return [_row(made, *each) for each in _files(made.outcome)]


def put_gallery_rows(connection: sqlite3.Connection, rows: list[Row]) -> None:
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


def _row(made: EndedJob, node: str, file: dict[str, Any]) -> Row:
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
    waiting = deque([node] if node in prompt else islice(prompt, MAX_TEXT_NODES))
    seen: set[str] = set()
    while waiting and len(seen) < MAX_TEXT_NODES:
        id = waiting.popleft()
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
