"""Which files lie in the home's folders: looked at again only where a folder has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
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


class Look(NamedTuple):
    """A folder as it was when last looked at."""

    modified: int
    below: list[str]


Files = dict[str, Found]


class Census:
    """Remembers what it saw; used by one thread at a time."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._looks: dict[Path, Look] = {}

    def take(self) -> tuple[set[str], dict[str, Files]]:
        """Every folder there is ("output/sub", "models/loras"), and the files of changed ones."""
        places = self._places()
        changed = {place for place, paths in places.items() if any(map(self._changed, paths))}
        return set(places), {place: self._files(place, places[place]) for place in changed}

    def forget(self) -> None:
        """Look at everything next time."""
        self._looks.clear()

    def _places(self) -> dict[str, list[Path]]:
        """The folders on disk behind each place; models of one kind may lie in several."""
        places: dict[str, list[Path]] = {}
        for kind in get_args(FolderKind):
            self._walk(kind, self._folders.root(kind), places, links=False)
        for kind in self._folders.model_kinds():
            for root in self._folders.model_roots(kind):
                self._walk(f"models/{kind}", root, places, links=True)
        return places

    def _walk(self, place: str, root: Path, places: dict[str, list[Path]], *, links: bool) -> None:
        waiting, seen = [(place, root)], set[str]()
        while waiting:
            place, path = waiting.pop()
            below = self._below(path, links=links)
            real = os.path.realpath(path) if links else str(path)
            if below is None or real in seen:
                continue
            seen.add(real)
            places.setdefault(place, []).append(path)
            waiting += [(f"{place}/{name}", path / name) for name in below]

    def _below(self, path: Path, *, links: bool) -> list[str] | None:
        """Names of the folders in a folder; None if it is not one to look into."""
        look = self._looks.get(path)
        with suppress(OSError):
            if look is not None and look.modified == path.stat().st_mtime_ns:
                return look.below
            with os.scandir(path) as entries:
                listed = [entry for entry in entries if is_text(entry.name)]
            if links and any(entry.name == MARKER for entry in listed):
                return None
            return [
                entry.name
                for entry in listed
                if entry.is_dir(follow_symlinks=links) and not entry.name.startswith(".")
            ]
        return None

    def _changed(self, path: Path) -> bool:
        look = self._looks.get(path)
        try:
            return look is None or look.modified != path.stat().st_mtime_ns
        except OSError:
            return True

    def _files(self, place: str, paths: list[Path]) -> Files:
        """The files of a place; of two with one name the first counts."""
        models = place.startswith("models/")
        files: Files = {}
        for path in reversed(paths):
            with suppress(OSError):
                now, modified = time.time_ns(), path.stat().st_mtime_ns
                files.update(_listed(path, models=models))
                if now - modified > FRESH_NS:
                    self._looks[path] = Look(modified, self._below(path, links=models) or [])
                else:
                    self._looks.pop(path, None)
        return files


def _listed(path: Path, *, models: bool) -> Iterator[tuple[str, Found]]:
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(".") or not is_text(name):
                continue
            if models and not name.lower().endswith(MODEL_SUFFIXES):
                continue
            with suppress(OSError):
                if entry.is_file(follow_symlinks=models):
                    stat = entry.stat()
                    yield name, Found(stat.st_size, stat.st_mtime_ns)
