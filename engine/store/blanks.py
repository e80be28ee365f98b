"""Files that get their name when they are whole (O_TMPFILE of open(2)): a crash leaves none."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

UNKNOWN = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
"""What a system says that has no such files: some file systems, some old kernels."""


class Blanks:
    """Files without a name, one of them made ahead: that takes longer than to write a picture."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: tuple[str, int] | None = None
        self._latest: str | None = None

    def take(self, folder: str) -> int | None:
        """The descriptor of a new file; None where the system knows no such files.

        Raises:
            FileNotFoundError: there is no such folder.
        """
        with self._lock:
            spare, self._spare, self._latest = self._spare, None, folder
        if spare is not None:
            if spare[0] == folder:
                return spare[1]
            os.close(spare[1])
        return blank(folder)

    def prepare(self) -> None:
        """Make the next one, in the folder where the last one was taken."""
        with self._lock, suppress(OSError):
            if self._spare is None and self._latest is not None:
                made = blank(self._latest)
                self._spare = None if made is None else (self._latest, made)

    def close(self) -> None:
        """Let go of the one that is left."""
        with self._lock:
            if self._spare is not None:
                os.close(self._spare[1])
            self._spare = self._latest = None


def blank(folder: str) -> int | None:
    """The descriptor of a new file without a name; None where the system knows none."""
    kind = getattr(os, "O_TMPFILE", None)
    if kind is None or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, os.O_WRONLY | kind, 0o666)
    except OSError as error:
        if error.errno in UNKNOWN:
            return None
        raise


def name(file: int, path: str) -> None:
    """Give a file its name.

    Raises:
        FileExistsError: there is another of that name.
    """
    # With a folder's descriptor, which an absolute path does not need, Python follows the link.
    os.link(f"/proc/self/fd/{file}", path, src_dir_fd=file, follow_symlinks=True)
