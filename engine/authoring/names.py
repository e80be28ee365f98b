r"""Names of files as people bring them: made on a system with ``\`` in paths, or without case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_PATH_BYTES = 2000
"""Bytes of a path that may be written: a request's first line holds it with every byte as %XX."""


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that have no place in a name: they end lines, ring bells, or hide what follows."""


def to_posix(path: str) -> str:
    r"""A path with ``/`` between its parts, where ``\`` may stand for it."""
    return path.replace("\\", "/")


def has_parent_part(path: str) -> bool:
    """Whether a part of a path is ``..``; dots inside of a name lead nowhere."""
    return ".." in to_posix(path).split("/")


def match_ignoring_case(name: str, names: Iterable[str]) -> str | None:
    r"""The only one of `names` that is the same but for letter case and ``\`` for ``/``."""
    wanted = _folded(name)
    found = {other for other in names if _folded(other) == wanted}
    return found.pop() if len(found) == 1 else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", to_posix(name)).casefold()


def is_utf8(name: str) -> bool:
    """Whether a file's name can be said in UTF-8, as JSON must."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
