"""The hash that names a content: BLAKE3, written "blake3:" and 64 hex digits."""

from __future__ import annotations

import re
from pathlib import Path

from blake3 import blake3

PATTERN = re.compile(r"blake3:[0-9a-f]{64}")


class ContentHash:
    """Incremental hash of bytes that come in parts."""

    def __init__(self) -> None:
        self._hash = blake3()

    def update(self, data: bytes) -> None:
        """The next bytes."""
        self._hash.update(data)

    def hexdigest(self) -> str:
        """The hash of all of them so far."""
        return f"blake3:{self._hash.hexdigest()}"


def hash_file(path: Path) -> str:
    """The hash of a file's content; read by way of the page cache, in one thread."""
    return f"blake3:{blake3().update_mmap(path).hexdigest()}"
