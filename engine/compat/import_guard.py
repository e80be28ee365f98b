"""Import guard: a pack whose import kills the process is not imported again."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class ImportCrashGuard:
    """Notes in a file which pack is being imported, for the next process of the same server.

    Args:
        path: the file; what another server noted in it counts no more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._server = str(os.getppid())
        server, *names = path.read_text().splitlines() if path.is_file() else [""]
        self.deadly = frozenset(names if server == self._server else ())
        self._write(self.deadly)

    @contextmanager
    def attempt(self, name: str) -> Generator[None]:
        """While this lasts, a process that ends was killed by this pack."""
        self._write(self.deadly | {name})
        yield
        self._write(self.deadly)

    def _write(self, names: frozenset[str]) -> None:
        self._path.write_text("\n".join([self._server, *sorted(names)]))
