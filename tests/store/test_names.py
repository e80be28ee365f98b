"""What a file name prefix writes can be read by the name that was told, and lies in its folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.names import has_parent_part
from engine.store.folders import Folders
from engine.store.outputs import Outputs

PIECES = st.sampled_from(
    [
        *("..", ".", "...", "x..y", "..x", "x..", "a.b", ".hidden", "dots..", "", " ", "x ", "x."),
        *("%", "%41", "%2e%2e", "#", "?", "&", ":", "C:", "~", "*", '"', "'", "|", "[input]"),
        *("x [output]", "é", "e\u0301", "\u202f", "\xa0", "世界", "\U0001f600", "\u200b", "\n"),
        *("x" * 200, "x" * 300, "\0", "CON", "-", "+", "$HOME", "a" * 40),
    ]
)
NAMES = st.lists(
    st.tuples(PIECES | st.text(max_size=6), st.sampled_from(["/", "\\", "", "//"])), max_size=5
).map(lambda pairs: "".join(piece + between for piece, between in pairs))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Folders, Outputs]]:
    folders = Folders(tmp_path_factory.mktemp("names") / "home")
    folders.create()
    (folders.home / "secret").write_bytes(b"secret")
    outputs = Outputs(folders, sqlite3.connect(":memory:", check_same_thread=False))
    yield folders, outputs
    outputs.close()


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


@given(prefix=NAMES | st.text(), number=st.integers(0, 10**9))
def test_whatever_a_prefix_writes_is_read_again(
    home: tuple[Folders, Outputs], prefix: str, number: int
):
    folders, outputs = home
    data = f"{number}".encode()
    try:
        file = outputs.save(prefix, "png", data, "output")
    except BadPath:
        return
    path = folders.resolve(file.type, file.subfolder, file.filename)
    assert path.read_bytes() == data
    assert path.is_relative_to(folders.root("output"))
    assert not has_parent_part(file.filename)
    assert "\\" not in file.subfolder + file.filename
    if file.subfolder:
        on_windows = file.subfolder.replace("/", "\\") + "\\"
        assert folders.resolve(file.type, on_windows, file.filename) == path


@pytest.mark.parametrize("prefix", ["new/" + 256 * "x" + "/a", "new\\" + 300 * "x"])
def test_a_part_that_no_file_system_takes_is_refused_though_its_folder_is_not_there(
    home: tuple[Folders, Outputs], prefix: str
):
    with pytest.raises(BadPath, match="File name too long"):
        home[1].save(prefix, "png", b"", "output")


@settings(max_examples=50)
@given(name=NAMES)
def test_no_name_reads_what_lies_outside(home: tuple[Folders, Outputs], name: str):
    folders, _ = home
    for subfolder in ("", "..\\", name):
        for asked in (name, "secret", "..\\secret"):
            try:
                path = folders.resolve("output", subfolder, asked)
            except (BadPath, MissingFile):
                continue
            assert path.is_relative_to(folders.root("output").resolve())


def test_nothing_was_written_outside(home: tuple[Folders, Outputs]):
    folders, _ = home
    assert files(folders.home) - files(folders.root("output")) <= {folders.home / "secret"}


@pytest.mark.parametrize(
    "prefix", ["x..y", "dots../x..y", "...", "a/...", "win\\dow", "x.. ", "x\\..\\y"]
)
def test_dots_inside_of_a_name_lead_nowhere(home: tuple[Folders, Outputs], prefix: str):
    folders, outputs = home
    file = outputs.save(prefix, "png", b"x", "output")
    assert folders.resolve("output", file.subfolder, file.filename).is_file()


@pytest.mark.parametrize("prefix", ["..", "../x", "..\\x", "a\\..\\..\\x", "/x", "x/", "x\\"])
def test_what_leads_out_or_names_a_folder_is_refused(home: tuple[Folders, Outputs], prefix: str):
    with pytest.raises(BadPath):
        home[1].save(prefix, "png", b"x", "output")
