"""Folders: what is offered is found, and no name leads out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.markers import Files, FileSet
from engine.authoring.protocols import File
from engine.store.folders import Folders, safe_join

CHECKPOINTS = Files("checkpoints", marker="model_index.json")

ESCAPES = [
    "..",
    "../secret.txt",
    "a/../../secret.txt",
    "a/../../input/../secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "a\0b",
    "\0",
    "x" * 256,
    "x" * 5000,
    "a/" * 3000 + "b",
    "half \ud800",
]
NOT_THERE = ["nope", "", ".", "sub", "sub/", "a.txt/b", "..\\secret.txt", "C:\\x", "~", "%2e%2e"]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A home with a file in each folder, and a secret beside them."""
    made = Folders(tmp_path / "home")
    made.create()
    (made.home / "secret.txt").touch()
    (tmp_path / "secret.txt").touch()
    for name in ("input", "output", "temp"):
        (made.root(name) / "sub").mkdir()
        (made.root(name) / "a.txt").touch()
        (made.root(name) / "sub" / "b [x].txt").touch()
    return made


def test_a_name_of_millions_of_parts_is_refused_at_once(folders: Folders):
    assert not folders.has_input("a/" * 2_000_000)


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leads_out(folders: Folders, name: str):
    with pytest.raises(BadPath):
        folders.resolve("input", "", name)
    with pytest.raises(BadPath):
        folders.input_path(name)
    with pytest.raises(BadPath):
        folders.model_path("checkpoints", name)
    with pytest.raises(BadPath):
        folders.input_path(f"{name} [output]")
    assert not folders.has_input(name)
    assert folders.identity(CHECKPOINTS, name) == ""
    assert folders.identity(Files("input"), name) == ""
    if not name.startswith("x"):
        with pytest.raises(BadPath):
            folders.resolve("input", name, "a.txt")


@pytest.mark.parametrize("name", NOT_THERE)
def test_what_is_not_there_is_named(folders: Folders, name: str):
    with pytest.raises(MissingFile):
        folders.resolve("output", "", name)
    with pytest.raises(MissingFile):
        folders.input_path(name)
    with pytest.raises(MissingFile, match=r"no model .* put the file into"):
        folders.model_path("checkpoints", name)


@settings(deadline=None)
@given(name=st.text())
def test_any_name_is_inside_or_refused(name: str):
    root = Path("/nowhere/at/all")
    for links in (False, True):
        try:
            path = safe_join(root, name, links=links)
        except BadPath:
            continue
        assert path.is_relative_to(root)
        assert ".." not in path.parts


def test_a_name_may_turn_round_inside(folders: Folders):
    assert folders.input_path("sub/../a.txt") == folders.root("input") / "a.txt"
    assert folders.input_path("../input/a.txt") == folders.root("input") / "a.txt"


def test_a_name_may_say_its_folder(folders: Folders):
    for kind in ("input", "output", "temp"):
        assert folders.input_path(f"a.txt [{kind}]") == folders.root(kind) / "a.txt"
        path = folders.root(kind) / "sub" / "b [x].txt"
        assert folders.input_path(f"sub/b [x].txt [{kind}]") == path
    for name in ("a.txt [user]", "a.txt[output]", "a.txt [output] ", "a.txt [output] [input]"):
        with pytest.raises(MissingFile):
            folders.input_path(name)
    assert folders.resolve("temp", "sub", "b [x].txt").is_file()


def test_links_lead_out_of_models_only(folders: Folders, tmp_path: Path):
    """The owner may keep big models on another disk; what the service writes it also serves."""
    disk = tmp_path / "disk"
    (disk / "whole").mkdir(parents=True)
    (disk / "whole" / "model_index.json").touch()
    (disk / "big.safetensors").touch()
    models = folders.root("models") / "checkpoints"
    (models / "big.safetensors").symlink_to(disk / "big.safetensors")
    (models / "whole").symlink_to(disk / "whole")
    (models / "gone.safetensors").symlink_to(disk / "gone")
    (models / "loop.safetensors").symlink_to(models / "loop.safetensors")
    assert folders.files(CHECKPOINTS) == ["big.safetensors", "whole"]
    for name in ("big.safetensors", "whole"):
        assert folders.model_path("checkpoints", name).exists()
        assert folders.identity(CHECKPOINTS, name)
    for name in ("gone.safetensors", "loop.safetensors"):
        with pytest.raises((MissingFile, BadPath)):
            folders.model_path("checkpoints", name)
    for name in ("../../secret.txt", "whole/../../../../secret.txt"):
        with pytest.raises(BadPath):
            folders.model_path("checkpoints", name)

    (folders.root("input") / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folders.root("input") / "linked").symlink_to(tmp_path)
    (folders.root("input") / "inside.txt").symlink_to(folders.root("input") / "a.txt")
    for name in ("link.txt", "linked/secret.txt"):
        with pytest.raises(BadPath):
            folders.input_path(name)
    assert folders.input_path("inside.txt").name == "a.txt"


def test_a_whole_home_may_be_behind_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "real")
    folders = Folders(tmp_path / "home")
    folders.create()
    (folders.root("input") / "a.txt").touch()
    (folders.root("models") / "loras" / "l.safetensors").touch()
    assert folders.input_path("a.txt").is_file()
    assert folders.model_path("loras", "l.safetensors").is_file()


def test_a_home_may_be_named_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    folders = Folders(Path("../there"))
    folders.create()
    (tmp_path / "there" / "models" / "vae" / "v.pt").touch()
    assert folders.model_path("vae", "v.pt").is_file()
    with pytest.raises(BadPath):
        folders.model_path("vae", "../../x")


def test_models_are_listed_by_name(folders: Folders):
    root = folders.root("models") / "checkpoints"
    (root / "sub" / "deep").mkdir(parents=True)
    for name in ("b.SAFETENSORS", "a.ckpt", "sub/deep/c.gguf", "readme.md", "d.part", ".hidden"):
        (root / name).touch()
    (root / "whole" / "unet").mkdir(parents=True)
    (root / "whole" / "model_index.json").touch()
    (root / "whole" / "unet" / "weights.safetensors").touch()
    (root / "half" / "unet").mkdir(parents=True)
    (root / "half" / "unet" / "weights.safetensors").touch()
    half, deep = "half/unet/weights.safetensors", "sub/deep/c.gguf"
    listed = ["a.ckpt", "b.SAFETENSORS", half, deep, "whole"]
    assert folders.files(CHECKPOINTS) == listed
    assert "whole/unet/weights.safetensors" in folders.files(Files("checkpoints"))
    assert folders.files(Files("checkpoints", suffixes=(".md",))) == ["readme.md"]
    assert folders.files(Files("nowhere")) == []
    assert folders.files(Files("input")) == ["a.txt", "sub/b [x].txt"]
    for name in listed:
        assert folders.model_path("checkpoints", name).exists()


def test_models_that_jobs_saved_are_offered_after_those_of_the_home(folders: Folders):
    for kind in ("checkpoints", "clip"):
        saved = folders.root("output") / kind
        saved.mkdir()
        (saved / "mix_00001_.safetensors").touch()
        (saved / "picture.png").touch()
    own = folders.root("models") / "checkpoints" / "mix_00001_.safetensors"
    found = folders.model_path("text_encoders", "mix_00001_.safetensors")
    assert found == folders.root("output") / "clip" / "mix_00001_.safetensors"
    assert folders.files(CHECKPOINTS) == ["mix_00001_.safetensors"]
    assert folders.model_path("checkpoints", "mix_00001_.safetensors") != own
    own.touch()
    assert folders.model_path("checkpoints", "mix_00001_.safetensors") == own
    assert folders.files(CHECKPOINTS) == ["mix_00001_.safetensors"]


def test_bundled_models_are_offered_beside_those_of_the_home(tmp_path: Path):
    bundled, gone = tmp_path / "pack" / "demo", tmp_path / "pack" / "gone"
    (bundled / "unet").mkdir(parents=True)
    (bundled / "model_index.json").touch()
    folders = Folders(tmp_path / "home", {"checkpoints": {"demo": bundled, "gone": gone}})
    folders.create()
    (folders.root("models") / "checkpoints" / "a.ckpt").touch()
    assert folders.model_path("checkpoints", "demo") == bundled
    assert folders.files(CHECKPOINTS) == ["a.ckpt", "demo"], "only what is there is offered"
    assert folders.identity(CHECKPOINTS, "demo") != folders.identity(CHECKPOINTS, "a.ckpt")
    with pytest.raises(MissingFile):
        folders.model_path("checkpoints", "gone")
    with pytest.raises(BadPath):
        folders.model_path("checkpoints", "demo/../../x")


def test_an_identity_changes_with_the_file(folders: Folders):
    root = folders.root("models") / "checkpoints"
    (root / "whole" / "unet").mkdir(parents=True)
    (root / "whole" / "model_index.json").touch()
    weights = root / "whole" / "unet" / "weights.safetensors"
    weights.write_bytes(b"one")
    first = folders.identity(CHECKPOINTS, "whole")
    assert first == folders.identity(CHECKPOINTS, "whole") != ""
    weights.write_bytes(b"three")
    second = folders.identity(CHECKPOINTS, "whole")
    assert second != first
    stat = weights.stat()
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert folders.identity(CHECKPOINTS, "whole") != second
    assert folders.identity(CHECKPOINTS, "nope") == ""
    assert folders.identity(Files("input"), "a.txt [output]") != ""


def test_folders_may_be_placed_elsewhere(tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    folders = Folders(tmp_path / "home", overrides={"output": elsewhere, "models": tmp_path / "m"})
    folders.create()
    (elsewhere / "a.txt").touch()
    assert folders.resolve("output", "", "a.txt") == elsewhere / "a.txt"
    assert (tmp_path / "m" / "checkpoints").is_dir()
    assert not (tmp_path / "home" / "output").exists()


def test_a_saved_file_is_there_until_it_is_not(folders: Folders):
    file = File("a.txt", "", "output")
    assert folders.has(file)
    (folders.root("output") / "a.txt").unlink()
    assert not folders.has(file)
    assert folders.has(File("b [x].txt", "sub", "temp"))


def test_old_temp_files_go(folders: Folders):
    old = folders.root("temp") / "sub" / "b [x].txt"
    os.utime(old, (0, 0))
    (folders.root("temp") / "broken").symlink_to("nowhere")
    folders.clear_temp(3600)
    assert not old.exists()
    assert (folders.root("temp") / "a.txt").exists()


def test_the_state_of_all_files_changes_with_each(folders: Folders):
    loras = folders.root("models") / "loras"
    seen = [folders.identities(Files("loras"))]
    assert seen == [""]
    for deed in (
        lambda: (loras / "a.safetensors").write_bytes(b"1"),
        lambda: (loras / "b.safetensors").write_bytes(b"1"),
        lambda: (loras / "b.safetensors").write_bytes(b"22"),
        lambda: (loras / "a.safetensors").rename(loras / "c.safetensors"),
        lambda: (loras / "c.safetensors").unlink(),
    ):
        deed()
        seen.append(folders.identities(Files("loras")))
    assert len(set(seen)) == len(seen)


SEPARATORS = st.lists(st.sampled_from(["/", "\\"]), min_size=3, max_size=3)


@given(SEPARATORS, st.booleans(), st.booleans())
@settings(max_examples=40)
def test_a_name_means_the_same_file_whatever_its_separators_and_case(
    tmp_path_factory: pytest.TempPathFactory, separators: list[str], upper: bool, listed: bool
):
    folders = Folders(tmp_path_factory.mktemp("home"))
    folders.create()
    parts = ["Öl", "sub folder", "x.v1"]
    for root in (folders.root("models") / "loras", folders.root("input")):
        place = root.joinpath(*parts)
        place.mkdir(parents=True)
        (place / "plain.safetensors").touch()
    parts = [part.upper() if upper else part for part in parts]
    name = "".join(a + b for a, b in zip(parts, separators, strict=True)) + "plain.safetensors"
    path = folders.model_path("loras", name)
    assert path.is_file()
    assert folders.files(Files("loras")) == ["Öl/sub folder/x.v1/plain.safetensors"]
    assert folders.identity(Files("loras"), name) == folders.identity(
        Files("loras"), folders.files(Files("loras"))[0]
    )
    assert folders.input_path(f"{name} [input]" if listed else name).is_file()
    subfolder, _, file = name.rpartition("/" if "/" in name else "\\")
    assert folders.resolve("input", subfolder, file).is_file()


def test_a_name_that_two_files_are_like_means_neither_but_each_by_its_own(folders: Folders):
    place = folders.root("models") / "loras"
    (place / "Style.pt").touch()
    if (place / "style.pt").exists():
        pytest.skip("this file system knows no letter case")
    (place / "style.pt").touch()
    assert folders.model_path("loras", "Style.pt").name == "Style.pt"
    assert folders.model_path("loras", "style.pt").name == "style.pt"
    with pytest.raises(MissingFile):
        folders.model_path("loras", "STYLE.PT")


def test_a_set_of_files_is_offered_when_all_are_there_and_changes_with_each(folders: Folders):
    both = FileSet("tiny", "vae_approx", ("tiny_encoder", "tiny_decoder"))
    files = Files("vae", sets=(both, FileSet("none_needed")))
    (folders.root("models") / "vae" / "z.safetensors").touch()
    place = folders.root("models") / "vae_approx"
    (place / "tiny_encoder.safetensors").touch()
    assert folders.files(files) == ["z.safetensors", "none_needed"]
    assert folders.identity(files, "none_needed") == ""
    (place / "tiny_decoder.pth").touch()
    assert folders.files(files) == ["z.safetensors", "tiny", "none_needed"]
    before = folders.identity(files, "tiny")
    (place / "tiny_decoder.pth").write_bytes(b"other")
    assert folders.identity(files, "tiny") != before
