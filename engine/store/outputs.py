"""Saving files under the next free number, all or nothing."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.authoring.errors import BadPath, NotSaved
from engine.authoring.names import LONGEST_PATH, parted
from engine.authoring.protocols import File, FolderKind
from engine.store.blanks import Blanks, name
from engine.store.folders import Folders, inside

MOST_PLACES = 1000


@dataclass(frozen=True)
class _Place:
    """Where files of one prefix go; it was looked at and is inside of its root."""

    parent: Path
    subfolder: str
    stem: str
    ending: str


class Outputs:
    """The output and temp folders, as nodes write to them; safe to use from several lanes.

    Args:
        folders: the home.
        connection: where the numbers of files are kept.
        blanks: makes the files; None: as on systems where every file has a name.
    """

    def __init__(
        self, folders: Folders, connection: sqlite3.Connection, blanks: Blanks | None = None
    ) -> None:
        self._folders = folders
        self._counters = Counters(connection)
        self._lock = threading.Lock()
        self._blanks = blanks
        self._places: dict[tuple[str, str, str, str], _Place] = {}

    def save(
        self,
        prefix: str,
        extension: str,
        data: bytes | Iterable[bytes],
        folder: FolderKind,
        *,
        end: str = "_",
    ) -> File:
        r"""Write `data` as the next free ``{prefix}_{counter:05}{end}.{extension}``.

        In the prefix ``\`` is ``/``, as in prefixes that were made on Windows. A large file may be
        given piece by piece; each iteration begins anew.

        Raises:
            BadPath: the prefix leads out of the folder.
            NotSaved: the disk is full, or cannot be written to.
        """
        place = self._places.get((folder, prefix, end, extension))
        if place is None:
            place = self._place(folder, prefix, f"{end}.{extension}")
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            self._places[folder, prefix, end, extension] = place
        try:
            try:
                saved = self._written(place, data)
            except FileNotFoundError:  # the first file here, or somebody removed the folder
                place.parent.mkdir(parents=True, exist_ok=True)
                saved = self._written(place, data)
        except OSError as error:
            raise NotSaved(
                f"{prefix[:200]}.{extension} cannot be saved in the {folder} folder: "
                f"{error.strerror or error}{_room(place.parent)}"
            ) from error
        return File(saved, place.subfolder, folder)

    def settle(self) -> None:
        """Write the numbers down that were given; a crash before that costs a look at a folder."""
        with self._lock:
            self._counters.write()

    def prepare(self) -> None:
        """Get ready for the next file, now that nobody waits."""
        if self._blanks is not None:
            self._blanks.prepare()

    def close(self) -> None:
        """Save nothing any more."""
        if self._blanks is not None:
            self._blanks.close()

    def _place(self, folder: FolderKind, prefix: str, ending: str) -> _Place:
        prefix = parted(prefix)
        stem = Path(prefix)
        if len(prefix.encode(errors="replace")) > LONGEST_PATH:
            raise BadPath(f"file name prefix {prefix[:200]!r}... has over {LONGEST_PATH} bytes")
        if prefix.endswith("/") or stem.name in ("", ".."):
            raise BadPath(f"file name prefix {prefix!r} names a folder; add a name after it")
        root = self._folders.root(folder)
        parent = inside(root, f"{stem}_{0:05}{ending}").parent
        subfolder = parent.relative_to(os.path.realpath(root)).as_posix()
        return _Place(parent, "" if subfolder == "." else subfolder, stem.name, ending)

    def _written(self, place: _Place, data: bytes | Iterable[bytes]) -> str:
        file = None if self._blanks is None else self._blanks.take(str(place.parent))
        if file is None:
            return self._written_aside(place, data)
        try:
            for piece in _pieces(data):
                write(file, piece)
            return self._named(place, lambda path: name(file, path))
        finally:
            os.close(file)

    def _written_aside(self, place: _Place, data: bytes | Iterable[bytes]) -> str:
        """Where every file has a name: under another one first."""
        part = f"{place.parent}/.{uuid.uuid4().hex}.part"
        try:
            with open(part, "xb") as file:  # noqa: PTH123 - half the time
                file.writelines(_pieces(data))
            return self._named(place, lambda path: move(part, path))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part)  # noqa: PTH108 - half the time

    def _named(self, place: _Place, put: Callable[[str], object]) -> str:
        """Put a file at the next number that is free."""
        folder = str(place.parent)
        while True:
            with self._lock:
                number = self._counters.next(folder, place.stem)
            found = f"{place.stem}_{number:05}{place.ending}"
            try:
                put(f"{folder}/{found}")
            except FileExistsError:
                with self._lock:
                    self._counters.forget(folder, place.stem)
            except OSError:
                with self._lock:
                    self._counters.give_back(folder, place.stem, number)
                raise
            else:
                return found


def _pieces(data: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return (data,) if isinstance(data, bytes) else data


def _room(folder: Path) -> str:
    """How much room a disk has left, as the end of a message."""
    with suppress(OSError):
        free = shutil.disk_usage(folder).free
        return f" ({free / 2**20:,.0f} MiB are free there); make room, then queue the job again"
    return ""


def write(file: int, data: bytes) -> None:
    """Write all of it; one call takes 2 GiB at most."""
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def move(part: str | Path, path: str | Path) -> None:
    """Give a finished file its name.

    Raises:
        FileExistsError: somebody has just taken it.
    """
    try:
        os.link(part, path)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # a file system without hard links
        if Path(path).exists():
            raise FileExistsError(path) from None
        Path(part).rename(path)


class Counters:
    """Gives every saved file the next free number of its name, without looking at old files.

    The last numbers given are kept in memory and in the database; only a name seen for the first
    time costs one look at its folder.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last: dict[str, int] = {}
        self._unwritten: set[str] = set()
        connection.execute(
            "CREATE TABLE IF NOT EXISTS counters "
            "(stem TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID"
        )

    def next(self, folder: str, name: str) -> int:
        """The next number for files called ``{name}_{number:05}_.*`` in `folder`."""
        stem = f"{folder}/{name}"
        last = self._last.get(stem)
        if last is None:
            row = self._connection.execute("SELECT last FROM counters WHERE stem=?", (stem,))
            last = (row.fetchone() or (None,))[0]
        if last is None:
            last = highest_number(Path(folder), name)
        self._last[stem] = last + 1
        self._unwritten.add(stem)
        return last + 1

    def give_back(self, folder: str, name: str, number: int) -> None:
        """A number was not used, after all: it is the next one, unless others came after it."""
        stem = f"{folder}/{name}"
        if self._last.get(stem) == number:
            self._last[stem] = number - 1

    def write(self) -> None:
        """Write down the numbers given since the last time."""
        for stem in self._unwritten:
            self._connection.execute(
                "INSERT INTO counters VALUES (?, ?) ON CONFLICT (stem) "
                "DO UPDATE SET last = max(last, excluded.last)",
                (stem, self._last[stem]),
            )
        self._unwritten.clear()

    def forget(self, folder: str, name: str) -> None:
        """Look at the folder again next time: somebody else wrote into it."""
        stem = f"{folder}/{name}"
        self._last.pop(stem, None)
        self._unwritten.discard(stem)
        self._connection.execute("DELETE FROM counters WHERE stem=?", (stem,))


def highest_number(folder: Path, name: str) -> int:
    """The highest number among files called ``{name}_{number}_...``; 0 if there is none."""
    pattern = re.compile(re.escape(name) + r"_(\d{1,15})_?(\..*)?$")
    names = os.listdir(folder) if folder.is_dir() else ()  # noqa: PTH208 - a third of the time
    matches = (pattern.match(found) for found in names)
    return max((int(match[1]) for match in matches if match), default=0)
