"""What folders hold, kept in memory; a folder is listed again only where it has changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.authoring.names import is_utf8

FRESH_NS = 2 * 10**9
"""A folder that changed so lately may change again within the tick of its file system's clock."""
LINKS_NS = 10**9
"""What symbolic links lead to may change unseen; they are looked at again after this time."""
MAX_FOLDERS = 100_000


@dataclass(eq=False)
class FolderListing:
    """The names in one folder.

    Attributes:
        files: regular files, with their inodes.
        file_links: symbolic links to files, with the inodes of the links.
        folders, folder_links: folders, and symbolic links to folders.
        has_dead_links: some symbolic links lead nowhere.
    """

    files: dict[str, int] = field(default_factory=dict[str, int])
    file_links: dict[str, int] = field(default_factory=dict[str, int])
    folders: list[str] = field(default_factory=list[str])
    folder_links: list[str] = field(default_factory=list[str])
    has_dead_links: bool = False

    def is_like(self, other: FolderListing) -> bool:
        """Whether both hold the same."""
        return vars(self) == vars(other)

    @property
    def has_links(self) -> bool:
        """Whether something may change that does not change the folder."""
        return bool(self.file_links or self.folder_links or self.has_dead_links)


@dataclass(frozen=True)
class _Known:
    """A listing, when its folder had changed and when it was made, in ns since 1970."""

    modified: int
    listed: int
    listing: FolderListing

    def is_valid(self, modified: int, now: int) -> bool:
        settled = self.listed - self.modified > FRESH_NS
        links_are_fresh = not self.listing.has_links or now - self.listed < LINKS_NS
        return settled and self.modified == modified and links_are_fresh


class FolderIndex:
    """Listings of folders, for every reader of one process and from any thread.

    A folder that has not changed costs one stat(2). Its listing is the same object then, and also
    when it was listed again and held the same.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._names: dict[tuple[str, bool, tuple[str, ...], str | None], _Names] = {}
        self._lock = threading.Lock()

    def listing(self, path: str) -> FolderListing:
        """What a folder holds now.

        Raises:
            OSError: it cannot be listed.
        """
        now, modified = time.time_ns(), os.stat(path).st_mtime_ns  # noqa: PTH116 - half the time
        known = self._known.get(path)
        if known is not None and known.is_valid(modified, now):
            return known.listing
        listing = list_folder(path)
        if known is not None and listing.is_like(known.listing):
            listing = known.listing
        with self._lock:
            if len(self._known) >= MAX_FOLDERS:
                self._known.clear()
            self._known[path] = _Known(modified, now, listing)
        return listing

    def names(
        self, root: str, suffixes: tuple[str, ...], marker: str | None, *, links: bool
    ) -> list[str]:
        """Files with one of these endings, and folders that hold the marker, below a root.

        Args:
            root: names are relative to it.
            suffixes: in lower case; none: any file.
            marker: a folder with a file of this name is named itself, not what is in it.
            links: whether symbolic links to folders are followed.
        """
        tree = [*self._tree(root, marker, links=links)]
        key = (root, links, suffixes, marker)
        known = self._names.get(key)
        if known is not None and known.is_of(tree):
            return known.names
        names = [*_names(tree, suffixes, marker)]
        with self._lock:
            self._names[key] = _Names(tree, names)
        return names

    def _tree(
        self, root: str, marker: str | None, *, links: bool
    ) -> Iterator[tuple[str, FolderListing]]:
        """Folders below a root by their relative paths, each once; "" is the root."""
        waiting, seen = [""], set[str]()
        while waiting:
            below = waiting.pop()
            path = f"{root}/{below}" if below else root
            try:
                listing = self.listing(path)
            except OSError:
                continue
            if links:
                real = os.path.realpath(path)
                if real in seen:  # a link that leads back
                    continue
                seen.add(real)
            yield below, listing
            if below and marker is not None and _has_file(listing, marker):
                continue
            subfolders = [*listing.folders, *(listing.folder_links if links else ())]
            waiting += [f"{below}/{name}" if below else name for name in subfolders]


@dataclass(frozen=True)
class _Names:
    """Names that were made of these listings."""

    tree: list[tuple[str, FolderListing]]
    names: list[str]

    def is_of(self, tree: list[tuple[str, FolderListing]]) -> bool:
        return len(tree) == len(self.tree) and all(
            below == other and listing is before
            for (below, listing), (other, before) in zip(tree, self.tree, strict=True)
        )


def _names(
    tree: list[tuple[str, FolderListing]], suffixes: tuple[str, ...], marker: str | None
) -> Iterator[str]:
    for below, listing in tree:
        if below and marker is not None and _has_file(listing, marker):
            if is_utf8(below):
                yield below
            continue
        begin = f"{below}/" if below else ""
        for name in (*listing.files, *listing.file_links):
            if name.lower().endswith(suffixes or "") and is_utf8(begin + name):
                yield begin + name


def _has_file(listing: FolderListing, name: str) -> bool:
    return name in listing.files or name in listing.file_links


def list_folder(path: str) -> FolderListing:
    """Read a folder; what is neither file nor folder is left out.

    Raises:
        OSError: it cannot be listed.
    """
    listing = FolderListing()
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_symlink():
                _add_link(listing, entry)
            elif entry.is_dir(follow_symlinks=False):
                listing.folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                listing.files[entry.name] = entry.inode()
    return listing


def _add_link(listing: FolderListing, entry: os.DirEntry[str]) -> None:
    try:
        if entry.is_dir():
            listing.folder_links.append(entry.name)
        elif entry.is_file():
            listing.file_links[entry.name] = entry.inode()
        else:
            listing.has_dead_links = True
    except OSError:  # a link to itself
        listing.has_dead_links = True
