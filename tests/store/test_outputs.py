"""Saved files: the next free number, nothing overwritten, nothing outside."""

from __future__ import annotations

import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.authoring.errors import BadPath, NotSaved
from engine.authoring.protocols import File
from engine.store.anonymous_files import AnonymousFiles
from engine.store.db import connect
from engine.store.folders import Folders
from engine.store.outputs import FileCounters, Outputs, highest_number


@pytest.fixture(params=[True, False], ids=["unnamed", "named"])
def outputs(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Outputs]]:
    """Opens the outputs of one home, again after each restart."""
    folders = Folders(tmp_path)
    folders.create()
    opened: list[sqlite3.Connection] = []
    blanks = AnonymousFiles()

    def open() -> Outputs:
        opened.append(connect(tmp_path / "cache.db"))
        return Outputs(folders, opened[-1], blanks if request.param else None)

    yield open
    blanks.close()
    for connection in opened:
        connection.close()


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_numbers_go_up_and_on_after_a_restart(outputs: Callable[[], Outputs], tmp_path: Path):
    first = outputs()
    assert first.save("pic", "png", b"1", "output") == File("pic_00001_.png", "", "output")
    assert first.save("pic", "png", b"2", "output") == File("pic_00002_.png", "", "output")
    assert first.save("a/b/pic", "png", b"3", "output") == File("pic_00001_.png", "a/b", "output")
    assert first.save("pic", "wav", b"4", "temp") == File("pic_00001_.wav", "", "temp")
    assert outputs().save("pic", "wav", b"5", "output") == File("pic_00003_.wav", "", "output")
    assert (tmp_path / "output" / "pic_00002_.png").read_bytes() == b"2"
    assert names(tmp_path / "output") == [
        "a/b/pic_00001_.png",
        "pic_00001_.png",
        "pic_00002_.png",
        "pic_00003_.wav",
    ]


def test_files_that_were_there_before_are_counted_on(
    outputs: Callable[[], Outputs], tmp_path: Path
):
    for name in ("pic_00041_.png", "pic_7_.png", "picture_00099_.png", "pic_x_.png", "pic_.png"):
        (tmp_path / "output" / name).touch()
    (tmp_path / "output" / f"pic_{10**30}_.png").touch()
    assert outputs().save("pic", "png", b"", "output").filename == "pic_00042_.png"


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(
    outputs: Callable[[], Outputs], tmp_path: Path
):
    made = outputs()
    made.save("pic", "png", b"ours", "output")
    for number in (2, 3, 77):
        (tmp_path / "output" / f"pic_{number:05}_.png").write_bytes(b"theirs")
    (tmp_path / "output" / "pic_00078_.png").symlink_to("nowhere")
    assert made.save("pic", "png", b"ours", "output").filename == "pic_00079_.png"
    assert (tmp_path / "output" / "pic_00002_.png").read_bytes() == b"theirs"


def test_numbers_of_deleted_files_are_not_given_again(
    outputs: Callable[[], Outputs], tmp_path: Path
):
    made = outputs()
    made.save("pic", "png", b"", "output")
    (tmp_path / "output" / "pic_00001_.png").unlink()
    assert made.save("pic", "png", b"", "output").filename == "pic_00002_.png"


def test_numbers_that_were_written_down_are_never_given_again(
    outputs: Callable[[], Outputs], tmp_path: Path
):
    made = outputs()
    made.save("pic", "png", b"", "output")
    made.flush_counters()
    (tmp_path / "output" / "pic_00001_.png").unlink()
    assert outputs().save("pic", "png", b"", "output").filename == "pic_00002_.png"


def test_a_folder_that_was_removed_is_made_again(outputs: Callable[[], Outputs], tmp_path: Path):
    made = outputs()
    made.save("sub/pic", "png", b"", "output")
    made.prepare()
    shutil.rmtree(tmp_path / "output")
    assert made.save("sub/pic", "png", b"x", "output") == File("pic_00002_.png", "sub", "output")
    assert names(tmp_path / "output") == ["sub/pic_00002_.png"]


def test_threads_never_share_a_number(outputs: Callable[[], Outputs], tmp_path: Path):
    made = [outputs(), outputs()]

    def save(i: int) -> str:
        return made[i % 2].save("pic", "png", str(i).encode(), "output").filename

    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(save, range(200)))
    assert len(set(saved)) == 200
    written = {path.read_bytes() for path in (tmp_path / "output").iterdir()}
    assert written == {str(i).encode() for i in range(200)}


@pytest.mark.parametrize(
    "prefix",
    ["", ".", "/", "sub/", "a/..", "..", "../x", "a/../../x", "/etc/x", "a\0b", "x" * 5000,
     "x" * 250, "half \ud800", "link/x"],
)  # fmt: skip
def test_a_prefix_that_is_no_name_inside_is_refused(
    outputs: Callable[[], Outputs], tmp_path: Path, prefix: str
):
    (tmp_path / "output" / "link").symlink_to(tmp_path / "input")
    with pytest.raises(BadPath):
        outputs().save(prefix, "png", b"x", "output")
    assert names(tmp_path / "output") == []
    assert names(tmp_path / "input") == []


def test_a_file_in_the_way_of_a_folder_is_an_error_that_leaves_nothing(
    outputs: Callable[[], Outputs], tmp_path: Path
):
    (tmp_path / "output" / "a").touch()
    with pytest.raises(
        NotSaved, match=r"a/pic\.png cannot be saved in the output folder: (File exists|Not a dir)"
    ):
        outputs().save("a/pic", "png", b"x", "output")
    assert names(tmp_path / "output") == ["a"]


def test_a_file_may_come_piece_by_piece_and_is_whole_or_not_there(
    outputs: Callable[[], Outputs], tmp_path: Path
):
    class Pieces:
        broken = False

        def __iter__(self) -> Iterator[bytes]:
            yield b"one, "
            if self.broken:
                raise ValueError("no more")
            yield b"two"

    made, pieces = outputs(), Pieces()
    saved = made.save("sub/a", "bin", pieces, "output")
    for _ in range(2):
        shutil.rmtree(tmp_path / "output")
        saved = made.save("sub/a", "bin", pieces, "output")
        assert (tmp_path / "output" / "sub" / saved.filename).read_bytes() == b"one, two"
    pieces.broken = True
    with pytest.raises(ValueError, match="no more"):
        made.save("sub/a", "bin", pieces, "output")
    assert names(tmp_path / "output") == [f"sub/{saved.filename}"]


def test_a_full_disk_is_told_in_words(outputs: Callable[[], Outputs], tmp_path: Path):
    """A limit of the size of files makes the system refuse as a full disk does."""
    made = outputs()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(NotSaved, match=r"big\.bin cannot be saved .*MiB are free there"):
            made.save("big", "bin", bytes(2 << 20), "output")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert names(tmp_path / "output") == []


def test_odd_names_are_names(outputs: Callable[[], Outputs], tmp_path: Path):
    made = outputs()
    for prefix in ("a b", "ü", "(.*)[x]+", "dots..here", "-rf", "50%", "a\nb"):
        file = made.save(prefix, "png", b"", "output")
        assert file.filename == f"{prefix}_00001_.png"
        assert highest_number(tmp_path / "output", prefix) == 1


def test_a_counter_looks_at_its_folder_only_once(tmp_path: Path):
    connection = connect(tmp_path / "counters.db")
    counters = FileCounters(connection)
    (tmp_path / "x_00005_.png").touch()
    folder = str(tmp_path)
    assert counters.next(folder, "x") == 6
    (tmp_path / "x_00099_.png").touch()
    assert counters.next(folder, "x") == 7
    counters.flush()
    assert FileCounters(connection).next(folder, "x") == 8, "another one knows what was written"
    counters.discard(folder, "x")
    assert counters.next(folder, "x") == 100
    assert counters.next(f"{folder}/not there", "x") == 1
    connection.close()
