"""Files that get their name when they are whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.anonymous_files import AnonymousFiles, link, open_anonymous


@pytest.fixture
def blanks(tmp_path: Path) -> Iterator[AnonymousFiles]:
    file = open_anonymous(str(tmp_path))
    if file is None:
        pytest.skip("this file system knows no files without a name")
    os.close(file)
    made = AnonymousFiles()
    yield made
    made.close()


def take(blanks: AnonymousFiles, folder: Path) -> int:
    file = blanks.open(str(folder))
    assert file is not None
    return file


def test_nobody_sees_a_file_before_it_is_whole(blanks: AnonymousFiles, tmp_path: Path):
    file = take(blanks, tmp_path)
    os.write(file, b"whole")
    assert not [*tmp_path.iterdir()]
    link(file, str(tmp_path / "a.png"))
    os.close(file)
    assert (tmp_path / "a.png").read_bytes() == b"whole"
    others = tmp_path / "made by others"
    others.touch()
    assert (tmp_path / "a.png").stat().st_mode == others.stat().st_mode


def test_a_name_is_given_once(blanks: AnonymousFiles, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"theirs")
    file = take(blanks, tmp_path)
    with pytest.raises(FileExistsError):
        link(file, str(tmp_path / "a.png"))
    os.close(file)
    assert (tmp_path / "a.png").read_bytes() == b"theirs"


def test_one_is_made_ahead_in_the_folder_of_the_last(blanks: AnonymousFiles, tmp_path: Path):
    os.close(take(blanks, tmp_path))
    blanks.prepare()
    other = tmp_path / "other"
    other.mkdir()
    for folder in (other, tmp_path):
        file = take(blanks, folder)
        blanks.prepare()
        link(file, str(folder / "a.png"))
        os.close(file)
        assert (folder / "a.png").exists()


def test_a_folder_that_somebody_removed(blanks: AnonymousFiles, tmp_path: Path):
    folder = tmp_path / "gone"
    folder.mkdir()
    os.close(take(blanks, folder))
    blanks.prepare()
    shutil.rmtree(folder)
    file = take(blanks, folder)
    with pytest.raises(FileNotFoundError):
        link(file, str(folder / "a.png"))
    os.close(file)
    with pytest.raises(FileNotFoundError):
        blanks.open(str(folder))
    folder.mkdir()
    os.close(take(blanks, folder))
