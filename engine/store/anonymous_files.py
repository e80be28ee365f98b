"""Anonymous files (O_TMPFILE of open(2)), linked when complete: a crash leaves none."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from pathlib import Path

UNSUPPORTED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}
"""Errors of systems without O_TMPFILE: some file systems, some old kernels."""


class AnonymousFiles:
    """Opens anonymous files; one is opened ahead, as that takes longer than to write a picture."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: tuple[str, int] | None = None
        self._latest: str | None = None

    def open(self, folder: str) -> int | None:
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
        return open_anonymous(folder)

    def prepare(self) -> None:
        """Open the next one ahead, in the folder of the last one."""
        with self._lock, suppress(OSError):
            if self._spare is None and self._latest is not None:
                made = open_anonymous(self._latest)
                self._spare = None if made is None else (self._latest, made)

    def close(self) -> None:
        """Close the file that was opened ahead."""
        with self._lock:
            if self._spare is not None:
                os.close(self._spare[1])
            self._spare = self._latest = None


def open_anonymous(folder: str) -> int | None:
    """The descriptor of a new file without a name; None where the system knows none."""
    kind = getattr(os, "O_TMPFILE", None)
    if kind is None or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, os.O_WRONLY | kind, 0o666)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return None
        raise


def link(file: int, path: str) -> None:
    """Link an anonymous file at `path`.

    Raises:
        FileExistsError: there is another of that name.
    """
    # With a folder's descriptor, which an absolute path does not need, Python follows the link.
    os.link(f"/proc/self/fd/{file}", path, src_dir_fd=file, follow_symlinks=True)
