"""`folder_paths`: where a pack finds models, inputs and outputs."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from engine.authoring.errors import BadPath, MissingFile
from engine.graph.file_names import expanded
from engine.store.folders import ANNOTATED, MODEL_SUFFIXES, Folders, match_spelling, safe_join
from engine.store.model_paths import ALIASES
from engine.store.outputs import highest_number

MORE_SUFFIXES = (".pt2", ".pkl")
"""Endings that packs count as models besides our own."""

Roots = tuple[list[str], set[str]]


class FolderPaths(ModuleType):
    """The folders of one home, by the names that packs know.

    Args:
        folders: the home.
        packs: folders of node packs.
    """

    def __init__(self, folders: Folders, packs: Sequence[Path]) -> None:
        super().__init__("folder_paths")
        self._folders = folders
        self.base_path = str(folders.home)
        self.__file__ = str(folders.home / "folder_paths.py")  # packs take the folder of it
        self.models_dir = str(folders.root("models"))
        self.input_directory = self.get_input_directory()
        self.output_directory = self.get_output_directory()
        self.temp_directory = self.get_temp_directory()
        self.user_directory = self.get_user_directory()
        self.supported_pt_extensions = {*MODEL_SUFFIXES, *MORE_SUFFIXES}
        self.extension_mimetypes_cache: dict[str, str] = {}
        self.folder_names_and_paths: dict[str, Roots] = {
            kind: ([str(root) for root in folders.model_roots(kind)], self.supported_pt_extensions)
            for kind in folders.model_kinds()
        }
        self.folder_names_and_paths["configs"][1].add(".yaml")
        self.folder_names_and_paths["custom_nodes"] = ([str(pack) for pack in packs], set())

    def get_input_directory(self) -> str:
        """Folder of what users uploaded."""
        return str(self._folders.root("input"))

    def get_output_directory(self) -> str:
        """Folder of what is kept."""
        return str(self._folders.root("output"))

    def get_temp_directory(self) -> str:
        """Folder of what may go after a while."""
        return str(self._folders.root("temp"))

    def get_user_directory(self) -> str:
        """Folder of settings and saved workflows."""
        return str(self._folders.root("user"))

    def get_system_user_directory(self, name: str = "system") -> str:
        """Folder for a pack's own settings, which no client can read."""
        return str(self._folders.root("user") / f"__{name}")

    def get_directory_by_type(self, type_name: str) -> str | None:
        """The folder "input", "output" or "temp"; None for another name."""
        return str(self._folders.root(type_name)) if type_name in KINDS else None

    def get_directory(self, type_name: str) -> str | None:
        """The same by another name."""
        return self.get_directory_by_type(type_name)

    def map_legacy(self, folder_name: str) -> str:
        """Today's name of a model folder: "unet" is "diffusion_models"."""
        return ALIASES.get(folder_name, folder_name)

    def add_model_folder_path(
        self, folder_name: str, full_folder_path: str, is_default: bool = False
    ) -> None:
        """Look for models of this kind in one more folder, first of all if `is_default`."""
        name = self.map_legacy(folder_name)
        paths, _ = self.folder_names_and_paths.setdefault(name, ([], set[str]()))
        if full_folder_path in paths and is_default:
            paths.remove(full_folder_path)
        if full_folder_path not in paths:
            paths.insert(0 if is_default else len(paths), full_folder_path)

    def get_folder_paths(self, folder_name: str) -> list[str]:
        """Every folder of this kind; the list is a copy.

        Raises:
            KeyError: there is no such kind.
        """
        return [*self._roots(folder_name)[0]]

    def get_filename_list(self, folder_name: str) -> list[str]:
        """Models of a kind: sorted, relative to their folder.

        Raises:
            KeyError: there is no such kind.
        """
        paths, suffixes = self._roots(folder_name)
        found: set[str] = set()
        for path in paths:
            names, _ = self.recursive_search(path, [".git"])
            found.update(self.filter_files_extensions(names, suffixes))
        return sorted(found)

    def get_full_path(self, folder_name: str, filename: str) -> str | None:
        """Path of a model, or None."""
        for path in self._roots(folder_name)[0]:
            for name in (filename, match_spelling(Path(path), filename)):
                with suppress(BadPath):
                    full = safe_join(Path(path), name, links=True)
                    if full.is_file():
                        return str(full)
        return None

    def get_full_path_or_raise(self, folder_name: str, filename: str) -> str:
        """Path of a model.

        Raises:
            MissingFile: it is not there, which is a FileNotFoundError as well.
        """
        full = self.get_full_path(folder_name, filename)
        if full is None:
            raise MissingModel(f"there is no model {filename[:200]!r} in the folder {folder_name}")
        return full

    def recursive_search(
        self, directory: str, excluded_dir_names: Iterable[str] | None = None
    ) -> tuple[list[str], dict[str, float]]:
        """Every file below a folder, relative to it; and when each folder last changed."""
        excluded = set(excluded_dir_names or ())
        files: list[str] = []
        changed: dict[str, float] = {}
        for parent, children, names in os.walk(directory, followlinks=True):
            children[:] = sorted(child for child in children if child not in excluded)
            changed[parent] = Path(parent).stat().st_mtime
            files += [os.path.relpath(str(Path(parent) / name), directory) for name in names]
        return files, changed

    def filter_files_extensions(self, files: Iterable[str], extensions: Iterable[str]) -> list[str]:
        """Those with one of these endings, all if there are none; sorted."""
        endings = tuple(ending.lower() for ending in extensions)
        return sorted(name for name in files if not endings or name.lower().endswith(endings))

    def filter_files_content_types(
        self, files: Iterable[str], content_types: Iterable[str]
    ) -> list[str]:
        """Those that are "image", "audio", "video" or "model" by their endings."""
        wanted = set(content_types)
        return [name for name in files if self._content(name) in wanted]

    def annotated_filepath(self, name: str) -> tuple[str, str | None]:
        """Name and folder of "x.png [output]"; the folder is None where none is named."""
        annotated = ANNOTATED.match(name)
        if annotated is None:
            return name, None
        return annotated["name"], self.get_directory_by_type(annotated["kind"])

    def get_annotated_filepath(self, name: str, default_dir: str | None = None) -> str:
        """Path of an input file, which need not be there; "x.png [output]" names another folder.

        Raises:
            BadPath: the name leads out of its folder.
        """
        plain, folder = self.annotated_filepath(name)
        return str(safe_join(Path(folder or default_dir or self.get_input_directory()), plain))

    def exists_annotated_filepath(self, name: str) -> bool:
        """Whether it is there."""
        try:
            return Path(self.get_annotated_filepath(name)).exists()
        except BadPath:
            return False

    def get_save_image_path(
        self, filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
    ) -> tuple[str, str, int, str, str]:
        """Where the next file of a name goes.

        Returns:
            the folder, which is made; the name without number; the number, to be written as
            ``f"{name}_{number:05}_.png"``; the subfolder; the prefix with its %tokens% filled in.

        Raises:
            BadPath: the prefix leads out of `output_dir`.
        """
        prefix = expanded(
            filename_prefix, batch_number=0, width=image_width, height=image_height
        ).replace("%0%", "%batch_num%")
        root = Path(output_dir)
        target = safe_join(root, prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        subfolder = os.path.relpath(target.parent, root.resolve())
        number = highest_number(target.parent, target.name) + 1
        return str(target.parent), target.name, number, subfolder.removeprefix("."), prefix

    def _roots(self, folder_name: str) -> Roots:
        return self.folder_names_and_paths[self.map_legacy(folder_name)]

    def _content(self, name: str) -> str:
        kind, _ = mimetypes.guess_type(name)
        return (kind or "").partition("/")[0]


KINDS = ("input", "output", "temp")


class MissingModel(MissingFile, FileNotFoundError):
    """A model that a pack names is not there."""
