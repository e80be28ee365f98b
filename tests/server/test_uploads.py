"""Uploads that are called alike: each costs as much as the first."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.server.uploads import Upload, store

opened: list[str] = []


def count_opened(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and "/called alike/" in str(arguments[0]):
        opened.append(str(arguments[0]))


def test_one_name_uploaded_many_times_opens_no_more_files_each_time(tmp_path: Path):
    root = tmp_path / "called alike"
    root.mkdir()
    sys.addaudithook(count_opened)
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
