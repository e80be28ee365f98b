"""The index of folders: listed again where they changed, and always as they are now."""

from __future__ import annotations

import os
import time
from pathlib import Path

from engine.store.folder_index import FolderIndex

LONG_AGO = time.time_ns() - 10**12


def aged(root: Path) -> None:
    """As if nobody had touched it for a while."""
    for path in (root, *root.rglob("*")):
        if path.is_dir():
            os.utime(path, ns=(LONG_AGO, LONG_AGO))


def names(index: FolderIndex, root: Path, marker: str | None = None) -> list[str]:
    return sorted(index.names(str(root), (".pt",), marker, links=True))


def test_names_are_those_of_now(tmp_path: Path):
    index = FolderIndex()
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.PT").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "sub" / "b.pt").touch()
    aged(tmp_path)
    assert names(index, tmp_path) == ["a.PT", "sub/b.pt"]
    first = index.names(str(tmp_path), (".pt",), None, links=True)
    assert index.names(str(tmp_path), (".pt",), None, links=True) is first, "nothing changed"
    (tmp_path / "sub" / "c.pt").touch()
    assert names(index, tmp_path) == ["a.PT", "sub/b.pt", "sub/c.pt"]
    (tmp_path / "sub" / "d.pt").touch()
    assert "sub/d.pt" in names(index, tmp_path), "in the same instant, perhaps"
    (tmp_path / "sub" / "b.pt").unlink()
    (tmp_path / "a.PT").unlink()
    assert names(index, tmp_path) == ["sub/c.pt", "sub/d.pt"]


def test_an_unchanged_folder_is_not_listed_again(tmp_path: Path):
    index = FolderIndex()
    (tmp_path / "a.pt").touch()
    aged(tmp_path)
    before = index.listing(str(tmp_path))
    (tmp_path / "b.pt").touch()
    os.utime(tmp_path, ns=(LONG_AGO, LONG_AGO))
    assert index.listing(str(tmp_path)) is before, "its time says that it is as it was"


def test_links_are_followed_and_those_that_lead_nowhere_or_back_are_left_out(tmp_path: Path):
    index, root, disk = FolderIndex(), tmp_path / "root", tmp_path / "disk"
    disk.mkdir()
    root.mkdir()
    (disk / "x.pt").touch()
    (root / "far").symlink_to(disk)
    (root / "one.pt").symlink_to(disk / "x.pt")
    (root / "later.pt").symlink_to(disk / "y.pt")
    (root / "back").symlink_to(root)
    (root / "itself.pt").symlink_to(root / "itself.pt")
    assert names(index, root) == ["far/x.pt", "one.pt"]
    assert sorted(index.names(str(root), (".pt",), None, links=False)) == ["one.pt"]
    (disk / "y.pt").touch()
    assert names(index, root) == ["far/x.pt", "far/y.pt", "later.pt", "one.pt"]


def test_a_folder_with_the_marker_is_named_itself(tmp_path: Path):
    index = FolderIndex()
    (tmp_path / "whole" / "unet").mkdir(parents=True)
    (tmp_path / "whole" / "model_index.json").touch()
    (tmp_path / "whole" / "unet" / "w.pt").touch()
    (tmp_path / "a.pt").touch()
    assert names(index, tmp_path, "model_index.json") == ["a.pt", "whole"]
    assert names(index, tmp_path) == ["a.pt", "whole/unet/w.pt"]


def test_a_root_that_is_not_there_has_no_names(tmp_path: Path):
    assert names(FolderIndex(), tmp_path / "nowhere") == []
