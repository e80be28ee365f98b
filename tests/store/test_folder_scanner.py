"""The scanner: every file is found, unchanged folders are not read again, links lead nowhere."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine.store.folder_scanner import FolderScanner
from engine.store.folders import Folders
from engine.store.model_paths import ModelPaths

LONG_AGO = time.time_ns() - 10**12


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A home with a further folder of loras."""
    (tmp_path / "disk").mkdir()
    made = Folders(tmp_path / "home", models=ModelPaths(after={"loras": [str(tmp_path / "disk")]}))
    made.create()
    return made


def aged(home: Path) -> None:
    """As if nobody had touched it for a while."""
    for path in (home, *home.rglob("*")):
        if path.is_dir():
            os.utime(path, ns=(LONG_AGO, LONG_AGO))


def test_every_file_is_found_once(folders: Folders, tmp_path: Path):
    home, disk = folders.home, tmp_path / "disk"
    (home / "output" / "sub" / "deep").mkdir(parents=True)
    (home / "models" / "loras" / "sub").mkdir()
    (home / "models" / "checkpoints" / "whole" / "unet").mkdir(parents=True)
    for path in (
        home / "input" / "i.png",
        home / "output" / "sub" / "deep" / "o.png",
        home / "output" / ".hidden.part",
        home / "temp" / "t.png",
        home / "models" / "loras" / "both.safetensors",
        home / "models" / "loras" / "notes.txt",
        home / "models" / "checkpoints" / "whole" / "model_index.json",
        home / "models" / "checkpoints" / "whole" / "unet" / "x.safetensors",
        disk / "both.safetensors",
        disk / "c.PT",
    ):
        path.write_bytes(b"x" * (5 if path.parent == disk else 3))
    (home / "input" / "secret.png").symlink_to(tmp_path / "disk" / "c.PT")
    (home / "input" / "out").symlink_to(tmp_path)
    (home / "models" / "loras" / "sub" / "back").symlink_to(home / "models" / "loras")
    places, files = FolderScanner(folders).scan()
    assert {place: sorted(found) for place, found in files.items() if found} == {
        "input": ["i.png"],
        "output/sub/deep": ["o.png"],
        "temp": ["t.png"],
        "models/loras": ["both.safetensors", "c.PT"],
    }
    assert files["models/loras"]["both.safetensors"].size == 3, "the home's own comes first"
    assert {"output", "output/sub", "models/vae", "models/loras/sub"} < places
    assert not any("back" in place or "whole" in place for place in places)


def test_only_changed_folders_are_read_again(folders: Folders):
    output = folders.root("output")
    (output / "a").mkdir()
    (output / "b").mkdir()
    aged(folders.home.parent)
    scanner = FolderScanner(folders)
    places, _ = scanner.scan()
    assert "output/a" in places
    assert {place for place in scanner.scan()[1] if place.startswith("output")} == set()
    (output / "a" / "new.png").touch()
    places, changed = scanner.scan()
    assert [*changed] == ["output/a"]
    assert "output/b" in places
    modified = (output / "a").stat().st_mtime_ns
    assert [*scanner.scan()[1]] == []
    (output / "a" / "newer.png").touch()
    os.utime(output / "a", ns=(modified, modified))
    assert [*scanner.scan()[1]] == ["output/a"], "it had changed in the same tick of the clock"
    (output / "b").rmdir()
    places, changed = scanner.scan()
    assert "output/b" not in places
    scanner.reset()
    assert set(scanner.scan()[1]) == scanner.scan()[0]


def test_models_that_jobs_saved_are_models_and_outputs(folders: Folders):
    saved = folders.root("output") / "clip"
    saved.mkdir()
    (saved / "a.safetensors").touch()
    (saved / "notes.txt").touch()
    aged(folders.home.parent)
    scanner = FolderScanner(folders)
    files = scanner.scan()[1]
    assert sorted(files["output/clip"]) == ["a.safetensors", "notes.txt"]
    assert sorted(files["models/text_encoders"]) == ["a.safetensors"]
    (saved / "b.safetensors").touch()
    assert {"output/clip", "models/text_encoders"} <= scanner.scan()[1].keys()
