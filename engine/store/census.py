"""Which files lie in the home's folders: looked at again only where a folder has changed."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, get_args

from engine.authoring.protocols import FolderKind
from engine.store.folders import MODEL_SUFFIXES, Folders, is_text

MARKER = "model_index.json"
FRESH_NS = 2 * 10**9
"""A folder that changed so lately may change again within the tick of its file system's clock."""


class Found(NamedTuple):
    """What the system says of a file: bytes, and ns since 1970."""

    size: int
    modified: int


class Entry(NamedTuple):
    """A file in a folder; another inode means another file of that name."""

    inode: int
    found: Found


class Look(NamedTuple):
    """A folder as it was when last looked at; `settled`: it had not changed just before."""

    modified: int
    settled: bool
    below: list[str]
    files: dict[str, Entry]


Files = dict[str, Found]


class Census:
    """Remembers what it saw; used by one thread at a time."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._looks: dict[tuple[str, Path], Look] = {}
        self._places: dict[str, list[Path]] = {}

    def take(self) -> tuple[set[str], dict[str, Files]]:
        """Every folder there is ("output/sub", "models/loras"), and the files of changed ones."""
        before, self._places = self._places, {}
        changed = set[str]()
        for kind in get_args(FolderKind):
            changed |= self._walk(kind, self._folders.root(kind), models=False)
        for kind in self._folders.model_kinds():
            for root in self._folders.model_roots(kind):
                changed |= self._walk(f"models/{kind}", root, models=True)
        changed |= {place for place, paths in self._places.items() if paths != before.get(place)}
        return set(self._places), {place: self._files(place) for place in changed}

    def forget(self) -> None:
        """Look at everything next time."""
        self._looks.clear()

    def _walk(self, place: str, root: Path, *, models: bool) -> set[str]:
        """Look at a folder and those below it; returns the places that have changed.

        Models of one kind may lie in several folders, and those may be links, or folders of the
        output, where other files count too.
        """
        waiting, seen, changed = [(place, root)], set[str](), set[str]()
        while waiting:
            place, path = waiting.pop()
            before = self._looks.get((place, path))
            look = self._look(place, path, models=models)
            real = os.path.realpath(path) if models else str(path)
            if look is None or real in seen:
                continue
            seen.add(real)
            self._looks[place, path] = look
            self._places.setdefault(place, []).append(path)
            waiting += [(f"{place}/{name}", path / name) for name in look.below]
            if look is not before:
                changed.add(place)
        return changed

    def _look(self, place: str, path: Path, *, models: bool) -> Look | None:
        """A folder as it is; the last look where nothing changed, None if it is none to look in."""
        before = self._looks.get((place, path))
        try:
            now, modified = time.time_ns(), path.stat().st_mtime_ns
            if before is not None and before.settled and before.modified == modified:
                return before
            known = before.files if before is not None else {}
            listed = _listed(path, known, models=models)
        except OSError:
            return None
        return None if listed is None else Look(modified, now - modified > FRESH_NS, *listed)

    def _files(self, place: str) -> Files:
        """The files of a place; of two with one name the first counts."""
        files: Files = {}
        for path in reversed(self._places[place]):
            files |= {name: entry.found for name, entry in self._looks[place, path].files.items()}
        return files


def _listed(
    path: Path, known: dict[str, Entry], *, models: bool
) -> tuple[list[str], dict[str, Entry]] | None:
    """Folders and files in a folder; only files that are new are asked for their size."""
    below: list[str] = []
    files: dict[str, Entry] = {}
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            before = known.get(name)
            if before is not None and before.inode == entry.inode():
                files[name] = before
            elif models and name == MARKER:
                return None
            elif name.startswith(".") or not is_text(name):
                continue
            elif entry.is_dir(follow_symlinks=models):
                below.append(name)
            elif _counts(entry, models=models):
                with suppress(OSError):
                    stat = entry.stat()
                    files[name] = Entry(entry.inode(), Found(stat.st_size, stat.st_mtime_ns))
    return below, files


def _counts(entry: os.DirEntry[str], *, models: bool) -> bool:
    if models and not entry.name.lower().endswith(MODEL_SUFFIXES):
        return False
    return entry.is_file(follow_symlinks=models)
