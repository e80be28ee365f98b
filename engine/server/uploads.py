"""An uploaded file on its way from the socket to its folder."""

from __future__ import annotations

import os
import shutil
import uuid
from itertools import count
from pathlib import Path
from typing import BinaryIO

from engine.authoring.errors import BadPath
from engine.server.bodies import BadInput
from engine.store.digest import Digest, of_file
from engine.store.folders import inside

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
        self._digest = Digest()
        self._file: BinaryIO | None = None

    def begin(self, name: str) -> None:
        """A file of this name comes.

        Raises:
            BadInput: the name is no plain file name.
        """
        plain = name == Path(name).name and "\\" not in name and name.isprintable()
        if not plain or name.startswith(".") or len(name.encode()) > LONGEST_NAME:
            raise BadInput(
                "bad_path",
                f"{name[:LONGEST_NAME]!r} cannot name an upload; use a plain name of at most "
                f"{LONGEST_NAME} bytes, without slashes and not starting with a dot",
            )
        self.name = name

    def write(self, data: bytes) -> None:
        """Append to the part file."""
        if self._file is None:
            self._file = self.part.open("xb")
        self._file.write(data)
        self._digest.add(data)
        self.size += len(data)

    def close(self) -> str:
        """Finish the part file; returns the hash of its content."""
        if self._file is None:
            self.write(b"")
        if self._file is not None:
            self._file.close()
        return self._digest.named()

    def discard(self) -> None:
        """Remove what is left of the part file."""
        if self._file is not None:
            self._file.close()
        self.part.unlink(missing_ok=True)


def store(upload: Upload, root: Path, subfolder: str, *, overwrite: bool) -> str:
    """Give an upload its name inside `root`/`subfolder`, all or nothing.

    Without `overwrite`, a file of that name with the same bytes is used as it is, and one with
    other bytes makes the new file "name (1).png".

    Returns:
        The name.

    Raises:
        BadInput: the subfolder leads out of the folder, or is a file, or the name is a folder's.
        BadPath: a symbolic link of that name leads out.
    """
    digest, folder = upload.close(), _folder(root, subfolder)
    name = upload.name or "upload"
    if overwrite:
        target = inside(folder, name)
        if target.is_dir():
            raise BadInput("bad_path", f"{name!r} is a folder; choose another name")
        _move(upload.part, target)
        return name
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in count():
        target = folder / (f"{stem} ({number}){suffix}" if number else name)
        if _claim(target):
            _move(upload.part, target)
            return target.name
        if target.is_file() and of_file(target) == digest:
            return target.name
    raise AssertionError("counting never ends")


def _folder(root: Path, subfolder: str) -> Path:
    try:
        folder = inside(root, subfolder)
        folder.mkdir(parents=True, exist_ok=True)
    except BadPath as error:
        raise BadInput("bad_path", str(error), input_name="subfolder") from error
    except OSError as error:
        why = f"subfolder {subfolder[:LONGEST_NAME]!r} cannot be made: {error.strerror}"
        raise BadInput("bad_path", why, input_name="subfolder") from error
    return folder


def _claim(target: Path) -> bool:
    """Create an empty file of this name, unless there is one."""
    try:
        target.open("xb").close()
    except FileExistsError:
        return False
    return True


def _move(part: Path, target: Path) -> None:
    """Put the part file in the place of `target` at once, also from another disk."""
    near = target.with_name(part.name)
    shutil.move(part, near)
    os.replace(near, target)  # noqa: PTH105 - Path.replace is the same call
