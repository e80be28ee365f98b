"""Saving files under the next free number, all or nothing."""

from __future__ import annotations

import logging
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
from engine.authoring.names import MAX_PATH_BYTES, to_posix
from engine.authoring.protocols import File, FolderKind
from engine.store.anonymous_files import AnonymousFiles, link
from engine.store.folders import Folders, safe_join

log = logging.getLogger(__name__)

MAX_TARGETS = 1000


@dataclass(frozen=True)
class _Target:
    """Where files of one prefix are written; checked to be inside of its root."""

    parent: Path
    subfolder: str
    stem: str
    suffix: str


class Outputs:
    """The output and temp folders, as nodes write to them; safe to use from several lanes.

    Args:
        folders: the home.
        connection: where the numbers of files are kept.
        anonymous_files: opens the files; None: write under a temporary name, then move.
    """

    def __init__(
        self,
        folders: Folders,
        connection: sqlite3.Connection,
        anonymous_files: AnonymousFiles | None = None,
    ) -> None:
        self._folders = folders
        self._counters = FileCounters(connection)
        self._lock = threading.Lock()
        self._anonymous_files = anonymous_files
        self._targets: dict[tuple[str, str, str, str], _Target] = {}

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
        target = self._targets.get((folder, prefix, end, extension))
        if target is None:
            target = self._target(folder, prefix, f"{end}.{extension}")
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            self._targets[folder, prefix, end, extension] = target
        try:
            try:
                saved = self._write(target, data)
            except FileNotFoundError:  # the first file here, or somebody removed the folder
                target.parent.mkdir(parents=True, exist_ok=True)
                saved = self._write(target, data)
        except OSError as error:
            raise NotSaved(
                f"{prefix[:200]}.{extension} cannot be saved in the {folder} folder: "
                f"{error.strerror or error}{_room(target.parent)}"
            ) from error
        return File(saved, target.subfolder, folder)

    def flush_counters(self) -> None:
        """Persist the counters; a crash before that costs one listing of a folder."""
        with self._lock:
            self._counters.flush()

    def prepare(self) -> None:
        """Open the next file ahead of its use."""
        if self._anonymous_files is not None:
            self._anonymous_files.prepare()

    def close(self) -> None:
        """Release the file that was opened ahead."""
        if self._anonymous_files is not None:
            self._anonymous_files.close()

    def _target(self, folder: FolderKind, prefix: str, ending: str) -> _Target:
        prefix = to_posix(prefix)
        stem = Path(prefix)
        if len(prefix.encode(errors="replace")) > MAX_PATH_BYTES:
            raise BadPath(f"file name prefix {prefix[:200]!r}... has over {MAX_PATH_BYTES} bytes")
        if prefix.endswith("/") or stem.name in ("", ".."):
            raise BadPath(f"file name prefix {prefix!r} names a folder; add a name after it")
        root = self._folders.root(folder)
        parent = safe_join(root, f"{stem}_{0:05}{ending}").parent
        subfolder = parent.relative_to(os.path.realpath(root)).as_posix()
        return _Target(parent, "" if subfolder == "." else subfolder, stem.name, ending)

    def _write(self, target: _Target, data: bytes | Iterable[bytes]) -> str:
        file = (
            None
            if self._anonymous_files is None
            else self._anonymous_files.open(str(target.parent))
        )
        if file is None:
            return self._write_and_move(target, data)
        try:
            for piece in _pieces(data):
                write_all(file, piece)
            return self._link_numbered(target, lambda path: link(file, path))
        finally:
            os.close(file)

    def _write_and_move(self, target: _Target, data: bytes | Iterable[bytes]) -> str:
        """Without O_TMPFILE: write under a temporary name, then move."""
        part = f"{target.parent}/.{uuid.uuid4().hex}.part"
        try:
            with open(part, "xb") as file:  # noqa: PTH123 - half the time
                file.writelines(_pieces(data))
            return self._link_numbered(target, lambda path: move(part, path))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part)  # noqa: PTH108 - half the time

    def _link_numbered(self, target: _Target, put: Callable[[str], object]) -> str:
        """Link or move a file to the next free number, by `put`."""
        folder = str(target.parent)
        while True:
            with self._lock:
                number = self._counters.next(folder, target.stem)
            found = f"{target.stem}_{number:05}{target.suffix}"
            try:
                put(f"{folder}/{found}")
            except FileExistsError:
                with self._lock:
                    self._counters.discard(folder, target.stem)
            except OSError:
                with self._lock:
                    self._counters.release(folder, target.stem, number)
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


def write_all(file: int, data: bytes) -> None:
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


class FileCounters:
    """Gives every saved file the next free number of its name, without looking at old files.

    The last numbers given are kept in memory and in the database; only a name seen for the first
    time costs one look at its folder.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._last: dict[str, int] = {}
        self._unwritten: set[str] = set()
        with suppress(sqlite3.Error):  # folders are listed instead
            connection.execute(
                "CREATE TABLE IF NOT EXISTS counters "
                "(stem TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID"
            )

    def next(self, folder: str, name: str) -> int:
        """The next number for files called ``{name}_{number:05}_.*`` in `folder`."""
        stem = f"{folder}/{name}"
        last = self._last.get(stem)
        if last is None:
            with suppress(sqlite3.Error):  # as above
                row = self._connection.execute("SELECT last FROM counters WHERE stem=?", (stem,))
                last = (row.fetchone() or (None,))[0]
        if last is None:
            last = highest_number(Path(folder), name)
        self._last[stem] = last + 1
        self._unwritten.add(stem)
        return last + 1

    def release(self, folder: str, name: str, number: int) -> None:
        """Return an unused number: it is given next, unless later ones were given."""
        stem = f"{folder}/{name}"
        if self._last.get(stem) == number:
            self._last[stem] = number - 1

    def flush(self) -> None:
        """Persist the numbers given since the last time, if the disk takes them."""
        try:
            for stem in self._unwritten:
                self._connection.execute(
                    "INSERT INTO counters VALUES (?, ?) ON CONFLICT (stem) "
                    "DO UPDATE SET last = max(last, excluded.last)",
                    (stem, self._last[stem]),
                )
        except sqlite3.Error as error:
            log.warning("the numbers of files are not stored, for now: %s", error)
            return
        self._unwritten.clear()

    def discard(self, folder: str, name: str) -> None:
        """Drop a counter: the folder is listed next time, as something else wrote into it."""
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
