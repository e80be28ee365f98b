"""What the user's editor keeps: workflows and other small files under the home's user folder."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine.authoring.errors import BadPath, MissingFile, SoundstageError
from engine.authoring.names import is_utf8
from engine.store.folders import safe_join
from engine.store.outputs import move

PART = re.compile(r"\.[0-9a-f]{32}\.part")


class Taken(SoundstageError):
    """A file of that name is there already."""


class UserData:
    """The files of one user. No name leads out, symbolic links neither; writes are all or nothing.

    Attributes:
        root: their folder, made with the first file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, name: str) -> Path:
        """Path of an existing file.

        Raises:
            BadPath: the name leads out of the folder.
            MissingFile: it is not there.
        """
        path = self._inside(name)
        if not path.is_file():
            raise MissingFile(f"there is no file {name[:200]!r} in the user folder")
        return path

    def files(self, folder: str, *, recurse: bool) -> list[tuple[str, os.stat_result]]:
        """Sorted names of the files in a folder, relative to it, and what the system says of them.

        Hidden ones are left out: editors keep notes of their own in them, such as bookmarks.

        Raises:
            BadPath: the folder's name leads out.
            MissingFile: it is not there.
        """
        root = self._folder(folder)
        found = root.rglob("*") if recurse else root.iterdir()
        return sorted(
            (name, stat)
            for name, stat in _listed(root, found)
            if stat is not None and not _is_hidden(name)
        )

    def entries(self, folder: str) -> list[tuple[str, os.stat_result | None]]:
        """Sorted names, relative to the root, of what a folder holds; its folders have no stat.

        Raises:
            BadPath: the folder's name leads out.
            MissingFile: it is not there.
        """
        found = _listed(self.root.resolve(), self._folder(folder).iterdir())
        return sorted(found, key=lambda entry: entry[0])

    def write(self, name: str, data: bytes, *, overwrite: bool) -> os.stat_result:
        """Keep a file; folders on the way are made.

        Raises:
            BadPath: the name leads out of the folder, or a file or folder is in its way.
            Taken: there is one of that name, and it shall stay.
        """
        path = self._inside(name)
        part = path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            _place(part, path, overwrite=overwrite)
            return path.stat()
        except OSError as error:
            raise BadPath(f"{name[:200]!r} cannot be written: {error.strerror}") from error
        finally:
            with suppress(OSError):  # it has its name by now, or could not be made
                part.unlink()

    def move(self, name: str, target: str, *, overwrite: bool) -> os.stat_result:
        """Give a file another name.

        Raises:
            BadPath: a name leads out of the folder, or a file or folder is in the way.
            MissingFile: there is none to move.
            Taken: there is one of the new name, and it shall stay.
        """
        source, path = self.find(name), self._inside(target)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _place(source, path, overwrite=overwrite)
            return path.stat()
        except OSError as error:
            raise BadPath(f"{target[:200]!r} cannot be written: {error.strerror}") from error

    def delete(self, name: str) -> None:
        """Remove a file.

        Raises:
            BadPath: the name leads out of the folder.
            MissingFile: it is not there.
        """
        self.find(name).unlink(missing_ok=True)

    def _folder(self, name: str) -> Path:
        path = safe_join(self.root, name)
        if not path.is_dir():
            raise MissingFile(f"there is no folder {name[:200]!r} in the user folder")
        return path

    def _inside(self, name: str) -> Path:
        path = safe_join(self.root, name)
        if path == self.root.resolve() or PART.fullmatch(path.name):
            raise BadPath(f"{name[:200]!r} cannot name a file; use a plain relative name")
        return path


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _place(part: Path, path: Path, *, overwrite: bool) -> None:
    """Give a file its name at once."""
    if overwrite:
        part.replace(path)
        return
    try:
        move(part, path)
    except FileExistsError as error:
        raise Taken(
            f"there is a file {path.name!r} already; pass overwrite=true to replace it"
        ) from error
    part.unlink(missing_ok=True)


def _listed(root: Path, found: Iterator[Path]) -> Iterator[tuple[str, os.stat_result | None]]:
    for path in found:
        name = path.relative_to(root).as_posix()
        if path.is_symlink() or PART.fullmatch(path.name) or not is_utf8(name):
            continue
        if path.is_dir():
            yield name, None
        elif path.is_file():
            yield name, path.stat()
