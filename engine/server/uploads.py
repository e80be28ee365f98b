"""An uploaded file on its way from the socket to its folder."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import BinaryIO

from engine.authoring.errors import BadPath
from engine.authoring.names import CONTROL, MAX_PATH_BYTES, is_utf8, to_posix
from engine.server.request_parsing import BadInput
from engine.store.content_hash import PATTERN, ContentHash, hash_file
from engine.store.folders import ANNOTATED, safe_join
from engine.store.outputs import move

LONGEST_NAME = 200


class Upload:
    """The bytes of one upload, in a part file until `store` names them.

    Attributes:
        name: the file name that the client gave; None before a file came.
        size: bytes so far.
    """

    def __init__(self, folder: Path) -> None:
        self.name: str | None = None
        self.size = 0
        self.part = folder / f".{uuid.uuid4().hex}.part"
        self._digest = ContentHash()
        self._file: BinaryIO | None = None

    def begin(self, name: str) -> None:
        """A file of this name comes.

        Raises:
            BadInput: the name is no plain file name.
        """
        plain = name == Path(to_posix(name)).name and not CONTROL.search(name) and is_utf8(name)
        if not plain or name.startswith(".") or len(name.encode()) > LONGEST_NAME:
            raise BadInput(
                "bad_path",
                f"{name[:LONGEST_NAME]!r} cannot name an upload; use a plain name of at most "
                f"{LONGEST_NAME} bytes, without slashes and not starting with a dot",
            )
        if ANNOTATED.match(name) or PATTERN.fullmatch(name):
            raise BadInput(
                "bad_path",
                f"{name!r} cannot name an upload: it would mean another file, by its folder or "
                "its content; use another name",
            )
        self.name = name

    def write(self, data: bytes) -> None:
        """Append to the part file."""
        if self._file is None:
            self._file = self.part.open("xb")
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def close(self) -> str:
        """Finish the part file; returns the hash of its content."""
        if self._file is None:
            self.write(b"")
        if self._file is not None:
            self._file.close()
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove what is left of the part file."""
        if self._file is not None:
            self._file.close()
        self.part.unlink(missing_ok=True)


def store(
    upload: Upload, root: Path, subfolder: str, same: Sequence[str], *, overwrite: bool
) -> str:
    """Give an upload its name inside `root`/`subfolder`, all or nothing.

    Without `overwrite`, a file of that name or of its numbered siblings with the same bytes is
    used as it is; where the name is taken by other bytes the new file is "name (1).png".

    Args:
        upload: complete.
        root: of all folders of its kind.
        subfolder: below that.
        same: names of files there that may hold the same bytes; they are read before it counts.
        overwrite: put it in the place of what has its name.

    Returns:
        The name.

    Raises:
        BadInput: the subfolder leads out of the folder, or is a file, or the name is a folder's.
        BadPath: a symbolic link of that name leads out.
    """
    name = upload.name or "upload"
    folder = _folder(root, subfolder, name)
    near = folder / upload.part.name
    upload.close()
    try:
        shutil.move(upload.part, near)
        if not overwrite:
            return _place(upload, near, folder, same)
        target = safe_join(folder, name)
        if target.is_dir():
            raise BadInput("bad_path", f"{name!r} is a folder; choose another name")
        near.replace(target)
        return name
    finally:
        near.unlink(missing_ok=True)


def _place(upload: Upload, near: Path, folder: Path, same: Sequence[str]) -> str:
    """Put the bytes of an upload at the first of its names that is free or has them already."""
    stem, suffix = Path(upload.name or "upload").stem, Path(upload.name or "upload").suffix
    numbered = re.compile(rf"{re.escape(stem)}( \([0-9]+\))?{re.escape(suffix)}")

    def named(number: int) -> str:
        return f"{stem} ({number}){suffix}" if number else f"{stem}{suffix}"

    def put(name: str) -> bool:
        try:
            move(near, folder / name)
        except FileExistsError:
            return _holds(folder / name, upload)
        return True

    if put(named(0)):
        return named(0)
    for name in same:
        if numbered.fullmatch(name) and _holds(folder / name, upload):
            return name
    free = _free_number(lambda number: (folder / named(number)).exists())
    return next(named(number) for number in count(free) if put(named(number)))


def _holds(path: Path, upload: Upload) -> bool:
    """Whether a file has the bytes of an upload."""
    plain = path.is_file() and not path.is_symlink()
    same_size = plain and path.stat().st_size == upload.size
    return same_size and hash_file(path) == upload.close()


def _free_number(taken: Callable[[int], bool]) -> int:
    """A number from 1 on that is not taken, the one before it taken, in a few looks."""
    free = 1
    while taken(free):
        free *= 2
    below = free // 2
    while free - below > 1:
        middle = (below + free) // 2
        below, free = (middle, free) if taken(middle) else (below, middle)
    return free


def _folder(root: Path, subfolder: str, name: str) -> Path:
    if len(f"{subfolder}/{name}".encode()) > MAX_PATH_BYTES:
        why = f"subfolder and name have over {MAX_PATH_BYTES} bytes"
        raise BadInput("bad_path", why, input_name="subfolder")
    try:
        folder = safe_join(root, subfolder)
        folder.mkdir(parents=True, exist_ok=True)
    except BadPath as error:
        raise BadInput("bad_path", str(error), input_name="subfolder") from error
    except OSError as error:
        why = f"subfolder {subfolder[:LONGEST_NAME]!r} cannot be made: {error.strerror}"
        raise BadInput("bad_path", why, input_name="subfolder") from error
    return folder
