"""The folders of a home: models, inputs, outputs. No name ever leads out of them.

home/
├── models/{checkpoints,loras,vae,kokoro,...}
├── input/  output/  temp/  user/
└── soundstage.db  cache.db
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.markers import Files
from engine.authoring.protocols import File, FolderKind

MODEL_SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".onnx", ".gguf")
MODEL_FOLDERS = ("checkpoints", "configs", "loras", "vae", "text_encoders", "diffusion_models",
                 "clip_vision", "style_models", "embeddings", "diffusers", "vae_approx",
                 "controlnet", "gligen", "upscale_models", "hypernetworks", "photomaker",
                 "classifiers", "model_patches", "audio_encoders", "kokoro")  # fmt: skip
ALIASES = {"clip": "text_encoders", "unet": "diffusion_models"}
"""Older names of two of them, that workflows and clients still use."""
ANNOTATED = re.compile(r"^(?P<name>.*) \[(?P<kind>input|output|temp)\]$", re.DOTALL)


@dataclass(frozen=True)
class Folders:
    """Where things are.

    Attributes:
        home: holds everything that is not placed elsewhere.
        bundled: models that ship with node packs: folder -> name -> path.
        placed: "input", "output", "temp", "user" or "models" outside of the home.
    """

    home: Path
    bundled: Mapping[str, Mapping[str, Path]] = field(default_factory=dict[str, Mapping[str, Path]])
    placed: Mapping[str, Path] = field(default_factory=dict[str, Path])

    def create(self) -> None:
        """Make the folders that are not there yet."""
        for name in (*get_args(FolderKind), "user"):
            self.root(name).mkdir(parents=True, exist_ok=True)
        for name in MODEL_FOLDERS:
            (self.root("models") / name).mkdir(parents=True, exist_ok=True)

    def clear_temp(self, older_than: float) -> None:
        """Remove temp files that were last written that many seconds ago."""
        limit = time.time() - older_than
        for path in self.root("temp").rglob("*"):
            if path.is_file() and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)

    def root(self, name: str) -> Path:
        """The folder "input", "output", "temp", "user" or "models"."""
        return self.placed.get(name, self.home / name)

    def resolve(self, kind: FolderKind, subfolder: str, filename: str) -> Path:
        """Path of an existing file.

        Raises:
            BadPath: it would be outside of the folder, also by a symbolic link.
            MissingFile: it is not there.
        """
        path = inside(self.root(kind), f"{subfolder}/{filename}" if subfolder else filename)
        if not path.is_file():
            raise MissingFile(f"there is no file {filename[:200]!r} in the {kind} folder")
        return path

    def has(self, file: File) -> bool:
        """Whether a saved file is still there."""
        return (self.root(file.type) / file.subfolder / file.filename).is_file()

    def files(self, files: Files) -> list[str]:
        """Names that a choice over these files offers: sorted, relative, subfolders included."""
        folder = ALIASES.get(files.folder, files.folder)
        root = self._files_root(folder)
        bundled = self.bundled.get(folder, {})
        found = [name for name, path in bundled.items() if path.exists()]
        suffixes = files.suffixes or (() if files.folder == "input" else MODEL_SUFFIXES)
        skipped: list[Path] = []
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            if any(parent in skipped for parent in path.parents):
                continue
            if files.marker and path.is_dir() and (path / files.marker).is_file():
                skipped.append(path)
            elif not path.is_file() or (suffixes and path.suffix.lower() not in suffixes):
                continue
            found.append(path.relative_to(root).as_posix())
        return sorted(dict.fromkeys(found))

    def model_path(self, folder: str, name: str) -> Path:
        """Path of a model file or folder by the name that `files` lists.

        Symbolic links may lead to another disk: the owner of the home put them there.

        Raises:
            BadPath: the name leads out of the folder.
            MissingFile: no such model.
        """
        folder = ALIASES.get(folder, folder)
        bundled = self.bundled.get(folder, {}).get(name)
        if bundled is not None and bundled.exists():
            return bundled
        root = self.root("models") / folder
        path = inside(root, name, links=True)
        if path == without_dots(root) or not path.exists():
            raise MissingFile(
                f"there is no model {name[:200]!r} in {folder}; put the file into the home's "
                f"models/{folder} folder, or choose one of those it lists"
            )
        return path

    def input_path(self, name: str) -> Path:
        """Path of an input file; "x.png [output]" names one of another folder.

        Raises:
            BadPath: the name leads out of its folder.
            MissingFile: no such file.
        """
        annotated = ANNOTATED.match(name)
        if annotated is None:
            return self.resolve("input", "", name)
        kind = annotated["kind"]
        return self.resolve(kind, "", annotated["name"])  # pyright: ignore[reportArgumentType] - one of the pattern's three

    def has_input(self, name: str) -> bool:
        """Whether `input_path` would find it."""
        try:
            self.input_path(name)
        except (BadPath, MissingFile):
            return False
        return True

    def identity(self, files: Files, name: str) -> str:
        """Changes when the file or folder behind a choice does; "" when there is none."""
        try:
            if files.folder == "input":
                path = self.input_path(name)
            else:
                path = self.model_path(files.folder, name)
            stats = [file.stat() for file in (path, *sorted(path.rglob("*")))]
        except (BadPath, MissingFile, OSError):
            return ""
        return " ".join(f"{stat.st_size}-{stat.st_mtime_ns}" for stat in stats)

    def _files_root(self, folder: str) -> Path:
        return self.root("input") if folder == "input" else self.root("models") / folder


def inside(root: Path, name: str, *, links: bool = False) -> Path:
    """The path of `name` in `root`, without ".."; with `links`, symbolic links may lead out.

    Raises:
        BadPath: the result is not inside of `root`, or the name cannot be a path.
    """
    plain = without_dots if links else Path.resolve
    try:
        path = plain(root / name)
        contained = path.is_relative_to(plain(root))
        with suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()  # fails for names that the file system cannot have
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error  # without the whole path
        raise BadPath(f"{name[:200]!r} is no usable file name: {why}") from error
    if not contained:
        raise BadPath(f"{name[:200]!r} leads out of its folder; use a plain relative name")
    return path


def without_dots(path: Path) -> Path:
    """An absolute path without "..", its symbolic links left as they are."""
    return Path(os.path.normpath(path.absolute()))
