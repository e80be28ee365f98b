"""Scans the home's folders for files; reads a folder again only where it has changed."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, get_args

from engine.authoring.protocols import FolderKind
from engine.store.folders import MODEL_SUFFIXES, Folders, is_utf8

MARKER = "model_index.json"
FRESH_NS = 2 * 10**9
"""A folder that changed so lately may change again within the tick of its file system's clock."""


class FileStat(NamedTuple):
    """Size in bytes and modification time in ns since 1970, from stat(2)."""

    size: int
    modified: int


class FileEntry(NamedTuple):
    """A file in a folder; another inode means another file of that name."""

    inode: int
    stat: FileStat


class FolderSnapshot(NamedTuple):
    """A folder as it was at the last scan; `settled`: it had not changed just before."""

    modified: int
    settled: bool
    subfolders: list[str]
    files: dict[str, FileEntry]


Files = dict[str, FileStat]


class FolderScanner:
    """Incremental scan of all folders; not thread-safe, used by one thread at a time."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._snapshots: dict[tuple[str, Path], FolderSnapshot] = {}
        self._paths: dict[str, list[Path]] = {}

    def scan(self) -> tuple[set[str], dict[str, Files]]:
        """All folders ("output/sub", "models/loras"), and the files of those that changed."""
        before, self._paths = self._paths, {}
        changed = set[str]()
        for kind in get_args(FolderKind):
            changed |= self._scan_tree(kind, self._folders.root(kind), models=False)
        for kind in self._folders.model_kinds():
            for root in self._folders.model_roots(kind):
                changed |= self._scan_tree(f"models/{kind}", root, models=True)
        changed |= {folder for folder, paths in self._paths.items() if paths != before.get(folder)}
        return set(self._paths), {folder: self._files(folder) for folder in changed}

    def reset(self) -> None:
        """Drop all snapshots: the next scan reads every folder."""
        self._snapshots.clear()

    def _scan_tree(self, folder: str, root: Path, *, models: bool) -> set[str]:
        """Scan a folder and its subfolders; returns the names of those that have changed.

        Models of one kind may lie in several folders, and those may be links, or folders of the
        output, where other files count too.
        """
        waiting, seen, changed = [(folder, root)], set[str](), set[str]()
        while waiting:
            folder, path = waiting.pop()
            before = self._snapshots.get((folder, path))
            snapshot = self._snapshot(folder, path, models=models)
            real = os.path.realpath(path) if models else str(path)
            if snapshot is None or real in seen:
                continue
            seen.add(real)
            self._snapshots[folder, path] = snapshot
            self._paths.setdefault(folder, []).append(path)
            waiting += [(f"{folder}/{name}", path / name) for name in snapshot.subfolders]
            if snapshot is not before:
                changed.add(folder)
        return changed

    def _snapshot(self, folder: str, path: Path, *, models: bool) -> FolderSnapshot | None:
        """The folder now; the last snapshot if unchanged, None if it cannot be scanned."""
        before = self._snapshots.get((folder, path))
        try:
            now, modified = time.time_ns(), path.stat().st_mtime_ns
            if before is not None and before.settled and before.modified == modified:
                return before
            known = before.files if before is not None else {}
            listed = _list(path, known, models=models)
        except OSError:
            return None
        return (
            None if listed is None else FolderSnapshot(modified, now - modified > FRESH_NS, *listed)
        )

    def _files(self, folder: str) -> Files:
        """The files of a folder; of two roots with a file of one name, the first wins."""
        files: Files = {}
        for path in reversed(self._paths[folder]):
            files |= {
                name: entry.stat for name, entry in self._snapshots[folder, path].files.items()
            }
        return files


def _list(
    path: Path, known: dict[str, FileEntry], *, models: bool
) -> tuple[list[str], dict[str, FileEntry]] | None:
    """Folders and files in a folder; only files that are new are asked for their size."""
    subfolders: list[str] = []
    files: dict[str, FileEntry] = {}
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            before = known.get(name)
            if before is not None and before.inode == entry.inode():
                files[name] = before
            elif models and name == MARKER:
                return None
            elif name.startswith(".") or not is_utf8(name):
                continue
            elif entry.is_dir(follow_symlinks=models):
                subfolders.append(name)
            elif _is_indexed(entry, models=models):
                with suppress(OSError):
                    stat = entry.stat()
                    files[name] = FileEntry(entry.inode(), FileStat(stat.st_size, stat.st_mtime_ns))
    return subfolders, files


def _is_indexed(entry: os.DirEntry[str], *, models: bool) -> bool:
    if models and not entry.name.lower().endswith(MODEL_SUFFIXES):
        return False
    return entry.is_file(follow_symlinks=models)
