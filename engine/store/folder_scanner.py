"""Scans the home's folders for files; reads a folder again only where it has changed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, get_args

from engine.authoring.names import is_utf8
from engine.authoring.protocols import FolderKind
from engine.store.folder_index import FolderListing
from engine.store.folders import MODEL_SUFFIXES, Folders

MARKER = "model_index.json"


class FileStat(NamedTuple):
    """Size in bytes and modification time in ns since 1970, from stat(2)."""

    size: int
    modified: int


class FileEntry(NamedTuple):
    """A file in a folder; another inode means another file of that name."""

    inode: int
    stat: FileStat


class FolderSnapshot(NamedTuple):
    """A folder as it was at the last scan, and what of it is indexed."""

    listing: FolderListing
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
            listing = self._folders.index.listing(str(path))
        except OSError:
            return None
        if before is not None and before.listing is listing:
            return before
        if models and (MARKER in listing.files or MARKER in listing.file_links):
            return None
        subfolders = [*listing.folders, *(listing.folder_links if models else ())]
        known = before.files if before is not None else {}
        return FolderSnapshot(
            listing,
            [name for name in subfolders if _is_indexed(name)],
            _files_of(path, listing, known, models=models),
        )

    def _files(self, folder: str) -> Files:
        """The files of a folder; of two roots with a file of one name, the first wins."""
        files: Files = {}
        for path in reversed(self._paths[folder]):
            files |= {
                name: entry.stat for name, entry in self._snapshots[folder, path].files.items()
            }
        return files


def _files_of(
    path: Path, listing: FolderListing, known: dict[str, FileEntry], *, models: bool
) -> dict[str, FileEntry]:
    """The files of a folder that are indexed; only new ones are asked for their size."""
    files: dict[str, FileEntry] = {}
    inodes = {**listing.files, **listing.file_links} if models else listing.files
    for name, inode in inodes.items():
        before = known.get(name)
        if before is not None and before.inode == inode:
            files[name] = before
        elif _is_indexed(name) and (not models or name.lower().endswith(MODEL_SUFFIXES)):
            with suppress(OSError):
                stat = (path / name).stat()
                files[name] = FileEntry(inode, FileStat(stat.st_size, stat.st_mtime_ns))
    return files


def _is_indexed(name: str) -> bool:
    return not name.startswith(".") and is_utf8(name)
