"""Uploads that are called alike: each costs as much as the first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from engine.server.uploads import Upload, store

opened: list[str] = []
created: list[str] = []


def count_opened(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and "/called alike/" in str(arguments[0]):
        opened.append(str(arguments[0]))
        if isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:
            created.append(Path(str(arguments[0])).name)


@pytest.fixture(scope="module", autouse=True)
def hook() -> None:
    """Once: it cannot be removed."""
    sys.addaudithook(count_opened)


def test_one_name_uploaded_many_times_opens_no_more_files_each_time(tmp_path: Path):
    root = tmp_path / "called alike"
    root.mkdir()
    counts: list[int] = []
    for number in range(100):
        upload = Upload(tmp_path)
        upload.begin("image.png")
        upload.write(number.to_bytes(2) * 1000)
        opened.clear()
        store(upload, root, "", [], overwrite=False)
        counts.append(len(opened))
    assert len([*root.iterdir()]) == 100
    assert max(counts) <= 3


def test_an_upload_gets_its_name_when_it_is_whole(tmp_path: Path):
    """A service that dies while it stores one leaves no empty file of that name."""
    root = tmp_path / "called alike"
    root.mkdir()
    created.clear()
    for overwrite in (False, True):
        upload = Upload(tmp_path)
        upload.begin("image.png")
        upload.write(b"bytes")
        store(upload, root, "", [], overwrite=overwrite)
    assert (root / "image.png").read_bytes() == b"bytes"
    (root / "another.png").touch()
    assert created == ["another.png"], "the hook sees what is created"
