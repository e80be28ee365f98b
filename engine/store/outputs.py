"""Saving files under the next free number, all or nothing."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import uuid
from datetime import datetime
from pathlib import Path

from engine.authoring.errors import BadPath
from engine.authoring.protocols import File, FolderKind
from engine.store.folders import Folders, inside


class Outputs:
    """The output and temp folders, as nodes write to them; safe to use from several lanes."""

    def __init__(self, folders: Folders, connection: sqlite3.Connection) -> None:
        self._folders = folders
        self._counters = Counters(connection)
        self._lock = threading.Lock()

    def save(
        self, prefix: str, extension: str, data: bytes, folder: FolderKind, *, end: str = "_"
    ) -> File:
        """Write `data` as the next free ``{prefix}_{counter:05}{end}.{extension}``.

        Raises:
            BadPath: the prefix leads out of the folder.
        """
        stem = Path(prefix)
        if prefix.endswith("/") or stem.name in ("", ".."):
            raise BadPath(f"file name prefix {prefix!r} names a folder; add a name after it")
        root, ending = self._folders.root(folder), f"{end}.{extension}"
        parent = inside(root, f"{stem}_{0:05}{ending}").parent
        parent.mkdir(parents=True, exist_ok=True)
        part = parent / f".{uuid.uuid4().hex}.part"
        try:
            part.write_bytes(data)
            name = self._place(part, parent, stem.name, ending)
        finally:
            part.unlink(missing_ok=True)
        subfolder = parent.relative_to(os.path.realpath(root)).as_posix()
        return File(name, "" if subfolder == "." else subfolder, folder)

    def _place(self, part: Path, folder: Path, stem: str, ending: str) -> str:
        with self._lock:
            while True:
                name = f"{stem}_{self._counters.next(folder, stem):05}{ending}"
                if moved(part, folder / name):
                    return name
                self._counters.forget(folder, stem)


def moved(part: Path, path: Path) -> bool:
    """Give a finished file its name unless somebody has just taken it."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        part.rename(path)
    return True


def expanded(prefix: str, *, batch_number: int, width: int, height: int) -> str:
    """A file name prefix with its %tokens% filled in."""
    now = datetime.now().astimezone()
    tokens = {
        "batch_num": str(batch_number),
        "width": str(width),
        "height": str(height),
        "year": f"{now.year}",
        "month": f"{now.month:02}",
        "day": f"{now.day:02}",
        "hour": f"{now.hour:02}",
        "minute": f"{now.minute:02}",
        "second": f"{now.second:02}",
    }
    return re.sub(r"%(\w+)%", lambda match: tokens.get(match[1], match[0]), prefix)


class Counters:
    """Gives every saved file the next free number of its name, without looking at old files.

    The last number given is kept in the database; only a name seen for the first time costs one
    look at its folder.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute(
            "CREATE TABLE IF NOT EXISTS counters "
            "(stem TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID"
        )

    def next(self, folder: Path, name: str) -> int:
        """The next number for files called ``{name}_{number:05}_.*`` in `folder`."""
        stem = str(folder / name)
        row = self._connection.execute(
            "UPDATE counters SET last = last + 1 WHERE stem=? RETURNING last", (stem,)
        ).fetchone()
        if row is not None:
            return row[0]
        first = self._connection.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (stem) "
            "DO UPDATE SET last = max(last + 1, excluded.last) RETURNING last",
            (stem, highest_number(folder, name) + 1),
        ).fetchone()
        return first[0]

    def forget(self, folder: Path, name: str) -> None:
        """Look at the folder again next time: somebody else wrote into it."""
        self._connection.execute("DELETE FROM counters WHERE stem=?", (str(folder / name),))


def highest_number(folder: Path, name: str) -> int:
    """The highest number among files called ``{name}_{number}_...``; 0 if there is none."""
    pattern = re.compile(re.escape(name) + r"_(\d{1,15})_?(\..*)?$")
    numbers = [
        int(match[1])
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := pattern.match(path.name))
    ]
    return max(numbers, default=0)
