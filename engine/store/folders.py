"""The folders of a home: models, inputs, outputs. No name ever leads out of them.

home/
├── models/{checkpoints,loras,vae,kokoro,...}
├── input/  output/  temp/  user/
└── soundstage.db  cache.db
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import get_args

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.markers import Files, FileSet
from engine.authoring.names import has_parent_part, match_ignoring_case, to_posix
from engine.authoring.protocols import File, FolderKind
from engine.store.folder_index import FolderIndex
from engine.store.model_paths import ALIASES, ModelPaths

MODEL_SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".onnx", ".gguf")
MODEL_FOLDERS = ("checkpoints", "configs", "loras", "vae", "text_encoders", "diffusion_models",
                 "clip_vision", "style_models", "embeddings", "diffusers", "vae_approx",
                 "controlnet", "gligen", "upscale_models", "hypernetworks", "photomaker",
                 "classifiers", "model_patches", "audio_encoders", "kokoro")  # fmt: skip
SAVED_MODELS = ("checkpoints", "loras", "vae", "text_encoders", "diffusion_models")
"""Kinds that nodes save, below the output folder."""
MAX_NAME_LENGTH = 4096
MAX_PART_BYTES = 255
"""Of the name of one folder or file, on most file systems."""
NOT_MODELS = ("custom_nodes",)
"""Kinds that are named as if they were models: folders of code."""
ANNOTATED = re.compile(r"^(?P<name>.*) \[(?P<kind>input|output|temp)\]$", re.DOTALL)


@dataclass(frozen=True)
class Folders:
    """Where things are.

    Attributes:
        home: holds everything without an override.
        bundled: models that ship with node packs: folder -> name -> path.
        overrides: paths of "input", "output", "temp", "user" or "models" outside of the home.
        models: further folders of models.
        index: what these folders hold.
    """

    home: Path
    bundled: Mapping[str, Mapping[str, Path]] = field(default_factory=dict[str, Mapping[str, Path]])
    overrides: Mapping[str, Path] = field(default_factory=dict[str, Path])
    models: ModelPaths = field(default_factory=ModelPaths)
    index: FolderIndex = field(default_factory=FolderIndex, compare=False, repr=False)

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
        return self.overrides.get(name, self.home / name)

    def model_kinds(self) -> list[str]:
        """Names of the model folders: those of every home, then others that the user named."""
        named = (*self.models.before, *self.models.after)
        return [*MODEL_FOLDERS, *(kind for kind in dict.fromkeys(named) if kind not in NOT_MODELS)]

    def model_roots(self, folder: str) -> list[Path]:
        """Where models of a kind are looked for, in order; those that are no folders are left out.

        The home's own folder may also have its older name: "models/clip" for "text_encoders". Last
        come models that jobs saved: "output/checkpoints".
        """
        folder = ALIASES.get(folder, folder)
        before, after = self.models.before.get(folder, ()), self.models.after.get(folder, ())
        names = (folder, *(old for old, new in ALIASES.items() if new == folder))
        own = (self.root("models") / name for name in names)
        saved = (self.root("output") / name for name in names if folder in SAVED_MODELS)
        roots = dict.fromkeys((*map(Path, before), *own, *map(Path, after), *saved))
        return [root for root in roots if root.is_dir()]

    def resolve(self, kind: FolderKind, subfolder: str, filename: str) -> Path:
        """Path of an existing file, by its name or one like it (`spelled`).

        Raises:
            BadPath: it would be outside of the folder, also by a symbolic link.
            MissingFile: it is not there.
        """
        root, name = self.root(kind), f"{subfolder}/{filename}" if subfolder else filename
        path = safe_join(root, name)
        if not path.is_file():
            path = safe_join(root, match_spelling(root, name))
        if not path.is_file():
            raise MissingFile(f"there is no file {filename[:200]!r} in the {kind} folder")
        return path

    def has(self, file: File) -> bool:
        """Whether a saved file is still there."""
        return (self.root(file.type) / file.subfolder / file.filename).is_file()

    def files(self, files: Files) -> list[str]:
        """Names that a choice over these files offers: sorted, relative, subfolders included."""
        if files.folder == "output":
            root = str(self.root("output"))
            names = self.index.names(root, files.suffixes, files.marker, links=False)
            return sorted(f"{name} [output]" for name in names)
        is_input = files.folder == "input"
        roots = [self.root("input")] if is_input else self.model_roots(files.folder)
        bundled = self.bundled.get(ALIASES.get(files.folder, files.folder), {})
        suffixes = files.suffixes or (() if is_input else MODEL_SUFFIXES)
        found = [name for name, path in bundled.items() if path.exists()]
        for root in roots:
            found += self.index.names(str(root), suffixes, files.marker, links=not is_input)
        offered = (option.name for option in files.sets if self._members(option) is not None)
        return [*sorted(set(found)), *offered]

    def _members(self, option: FileSet) -> list[Path] | None:
        """The files that an option stands for; None where one is missing."""
        found: list[Path] = []
        for stem in option.stems:
            for suffix in MODEL_SUFFIXES:
                with suppress(MissingFile):
                    found.append(self.model_path(option.folder, stem + suffix))
                    break
            else:
                return None
        return found

    def model_path(self, folder: str, name: str) -> Path:
        """Path of a model file or folder by a name that `files` lists, or one like it (`spelled`).

        Symbolic links may lead to another disk: the owner of the home put them there.

        Raises:
            BadPath: the name leads out of the folder.
            MissingFile: no such model.
        """
        folder = ALIASES.get(folder, folder)
        bundled = self.bundled.get(folder, {})
        own = bundled.get(match_ignoring_case(name, bundled) or name)
        if own is not None and own.exists():
            return own
        roots = self.model_roots(folder)
        for root, asked in chain(
            ((root, name) for root in roots), ((root, match_spelling(root, name)) for root in roots)
        ):
            path = safe_join(root, asked, links=True)
            if str(path) != without_dots(root) and path.exists():
                return path
        raise MissingFile(
            f"there is no model {name[:200]!r} in {folder}; put the file into the home's "
            f"models/{folder} folder, or choose one of those it lists"
        )

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
        option = next((option for option in files.sets if option.name == name), None)
        try:
            if option is not None:
                paths = self._members(option) or []
            elif files.folder in ("input", "output"):
                paths = [self.input_path(name)]
            else:
                paths = [self.model_path(files.folder, name)]
            stats = [file.stat() for path in paths for file in (path, *sorted(path.rglob("*")))]
        except (BadPath, MissingFile, OSError):
            return ""
        return " ".join(f"{stat.st_size}-{stat.st_mtime_ns}" for stat in stats)

    def identities(self, files: Files) -> str:
        """Changes when any of these files or folders does, comes or goes; "" when there is none."""
        return "\n".join(f"{name} {self.identity(files, name)}" for name in self.files(files))


def match_spelling(root: Path, name: str) -> str:
    r"""The spelling in `root` of the file or folder that a name means.

    A name that exists means itself. Else ``\\`` stands for ``/``, as files made on Windows have it,
    and a part means the only entry that differs from it by letter case alone. Where none does, or
    several do, what is left of the name stays as it is.
    """
    if len(name) > MAX_NAME_LENGTH or _exists(f"{root}/{name}"):
        return name
    if has_parent_part(name):  # that is for `inside` to judge
        return name
    place, parts = str(root), to_posix(name).split("/")
    for number, part in enumerate(parts):
        if part in ("", "."):
            continue
        if not _exists(f"{place}/{part}"):
            try:
                found = match_ignoring_case(part, os.listdir(place))  # noqa: PTH208 - strings, as in `_names`
            except OSError:
                found = None
            if found is None:
                break
            parts[number] = found
        place = f"{place}/{parts[number]}"
    return "/".join(parts)


def _exists(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - False for what no path can be, Path's raises


def safe_join(root: Path, name: str, *, links: bool = False) -> Path:
    """The path of `name` in `root`, without ".."; with `links`, symbolic links may lead out.

    Raises:
        BadPath: the result is not inside of `root`, or the name cannot be a path.
    """
    if len(name) > MAX_NAME_LENGTH:  # realpath would take minutes for millions of parts
        raise BadPath(f"{name[:200]!r}... is no usable file name: it has {len(name)} characters")
    plain = without_dots if links else os.path.realpath
    try:
        top, path = plain(root), Path(plain(root / name))
        if any(len(os.fsencode(part)) > MAX_PART_BYTES for part in path.parts):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        with suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()  # fails for names that the file system cannot have
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error  # without the whole path
        raise BadPath(f"{name[:200]!r} is no usable file name: {why}") from error
    if str(path) != top and not str(path).startswith(top.rstrip("/") + "/"):
        raise BadPath(f"{name[:200]!r} leads out of its folder; use a plain relative name")
    return path


def without_dots(path: Path) -> str:
    """An absolute path without "..", its symbolic links left as they are."""
    return os.path.normpath(path.absolute())
