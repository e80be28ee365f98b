"""extra_model_paths.yaml: what others keep elsewhere is found, and mistakes are named."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.authoring.errors import BadPath, MissingFile, SoundstageError
from engine.authoring.markers import Files
from engine.store.folders import Folders
from engine.store.model_paths import FILE, ModelPaths, read

A111 = """
# As people keep them who came from elsewhere.
a111:
    base_path: webui/
    checkpoints: models/Stable-diffusion
    vae: models/VAE
    loras: |
        models/Lora
        models/LyCORIS
    clip: models/CLIP
    controlnet:
    ipadapter: models/ip-adapter
mine:
    base_path: {disk}
    is_default: true
    loras: loras/
    checkpoints: |
        ~/no such home/checkpoints

        {disk}/other
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with such a file, and the folders that it names."""
    home, disk = tmp_path / "home", tmp_path / "disk"
    for place in (home, disk / "loras", disk / "other"):
        place.mkdir(parents=True)
    for name in ("Stable-diffusion", "VAE", "Lora", "LyCORIS", "CLIP", "ip-adapter"):
        (home / "webui" / "models" / name).mkdir(parents=True)
    (home / FILE).write_text(A111.format(disk=disk))
    return home


def test_every_block_and_line_is_read(home: Path, tmp_path: Path):
    found = read([home / FILE])
    models = home / "webui" / "models"
    assert found.after == {
        "checkpoints": [str(models / "Stable-diffusion")],
        "vae": [str(models / "VAE")],
        "loras": [str(models / "Lora"), str(models / "LyCORIS")],
        "text_encoders": [str(models / "CLIP")],
        "ipadapter": [str(models / "ip-adapter")],
    }
    disk, absent = tmp_path / "disk", str(Path("~/no such home/checkpoints").expanduser())
    assert found.before == {
        "loras": [str(disk / "loras")],
        "checkpoints": [absent, str(disk / "other")],
    }
    assert found.missing() == [absent]
    assert read([home / FILE, home / FILE]) == found, "twice the same changes nothing"
    assert read([]) == ModelPaths()


def test_models_are_found_in_all_of_them(home: Path, tmp_path: Path):
    folders = Folders(home, models=read([home / FILE]))
    folders.create()
    own, webui, disk = home / "models" / "loras", home / "webui" / "models", tmp_path / "disk"
    for path in (
        own / "both.safetensors",
        webui / "Lora" / "deep" / "a.safetensors",
        webui / "LyCORIS" / "both.safetensors",
        disk / "loras" / "mine.safetensors",
        webui / "CLIP" / "l.safetensors",
        webui / "ip-adapter" / "i.bin",
    ):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert folders.files(Files("loras")) == [
        "both.safetensors",
        "deep/a.safetensors",
        "mine.safetensors",
    ]
    assert folders.model_roots("loras") == [
        disk / "loras",
        own,
        webui / "Lora",
        webui / "LyCORIS",
    ]
    assert folders.model_path("loras", "both.safetensors") == own / "both.safetensors"
    assert folders.model_path("loras", "mine.safetensors") == disk / "loras" / "mine.safetensors"
    for kind in ("clip", "text_encoders"):
        assert folders.files(Files(kind)) == ["l.safetensors"]
    assert folders.model_kinds()[-1] == "ipadapter"
    assert folders.model_path("ipadapter", "i.bin").is_file()
    with pytest.raises(BadPath):
        folders.model_path("loras", "../Stable-diffusion/x")
    with pytest.raises(MissingFile):
        folders.model_path("loras", "none")


def test_older_names_stand_beside_the_new_ones(tmp_path: Path):
    folders = Folders(tmp_path)
    folders.create()
    for old, new in (("clip", "text_encoders"), ("unet", "diffusion_models")):
        (tmp_path / "models" / old).mkdir()
        (tmp_path / "models" / old / f"{old}.safetensors").touch()
        (tmp_path / "models" / new / f"{new}.safetensors").touch()
        listed = sorted([f"{old}.safetensors", f"{new}.safetensors"])
        assert folders.files(Files(old)) == folders.files(Files(new)) == listed
        assert folders.model_path(new, f"{old}.safetensors").parent.name == old


def test_links_to_folders_of_models_are_followed_but_not_in_circles(tmp_path: Path):
    folders = Folders(tmp_path / "home")
    folders.create()
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "big.safetensors").touch()
    loras = folders.root("models") / "loras"
    (loras / "disk").symlink_to(disk)
    (disk / "back").symlink_to(loras)
    assert folders.files(Files("loras")) == ["disk/big.safetensors"]
    (folders.root("input") / "disk").symlink_to(disk)
    assert folders.files(Files("input")) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "is no YAML"),
        ("- a", "must hold named blocks"),
        ("a: models", "block 'a' must hold lines"),
        ("a:\n  loras: [x, y]", "block 'a': loras must be a path"),
        ("a:\n  base_path: 5", "block 'a': base_path must be a path"),
        ("a:\n  ../loras: x", "'../loras', which names no folder"),
        ("a:\n  5: x", "5, which names no folder"),
        ('a:\n  loras: "x\\0y"', "loras must be a path"),
        ("a: !!python/object/apply:os.system [ls]", "is no YAML"),
        (b"\xff\xfe\xff", "is no text in UTF-8"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_says_something_else_is_named(
    tmp_path: Path, text: str | bytes | None, told: str
):
    file = tmp_path / "paths.yaml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SoundstageError) as error:
        read([file])
    assert str(file) in str(error.value)
    assert told in str(error.value)


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet="ab:|- \n\t#[]{}!&*~$'\"\0é"))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text)
    with suppress(SoundstageError):
        read([file])
