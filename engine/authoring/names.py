r"""Names of files as people bring them: made on a system with ``\`` in paths, or without case."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def alike(name: str, names: Iterable[str]) -> str | None:
    r"""The only one of `names` that is the same but for letter case and ``\`` for ``/``."""
    wanted = _folded(name)
    found = {other for other in names if _folded(other) == wanted}
    return found.pop() if len(found) == 1 else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()
