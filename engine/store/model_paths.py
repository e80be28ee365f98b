"""extra_model_paths.yaml: folders of models that lie outside of the home, as others keep them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from msgspec import Struct, field

from engine.authoring.errors import SoundstageError

FILE = "extra_model_paths.yaml"
ALIASES = {"clip": "text_encoders", "unet": "diffusion_models", "t2i_adapter": "controlnet"}
"""Older names of model folders, that workflows, clients and these files still use."""


class ModelPaths(Struct, frozen=True):
    """Further folders of models, by kind of model ("loras").

    Attributes:
        before: searched before the home's own; new models go into the first.
        after: searched after the home's own.
    """

    before: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    after: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def missing(self) -> list[str]:
        """Those that are no folders."""
        return sorted(
            path
            for side in (self.before, self.after)
            for paths in side.values()
            for path in paths
            if not Path(path).is_dir()
        )


def read(files: Sequence[Path]) -> ModelPaths:
    """What such files say: named blocks of ``base_path``, ``is_default`` and folders.

    A block maps kinds of models to paths, one to a line, relative to its ``base_path``, or to the
    file where it has none.

    Raises:
        SoundstageError: a file cannot be read, or says something else; names file and block.
    """
    found = ModelPaths()
    for file in files:
        for name, block in _blocks(file).items():
            side = found.before if block.pop("is_default", False) is True else found.after
            for kind, path in _paths(file, name, block):
                kept = side.setdefault(ALIASES.get(kind, kind), [])
                if path not in kept:
                    kept.append(path)
    return found


def _blocks(file: Path) -> dict[str, dict[str, Any]]:
    import yaml  # 20 ms, of which a home without such a file spends none

    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise SoundstageError(f"{file} cannot be read: {why}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SoundstageError(f"{file} is no YAML: {error}") from error
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise SoundstageError(f"{file} must hold named blocks, such as 'a111:'")
    blocks = cast("dict[Any, Any]", read)
    for name, block in blocks.items():
        if block is not None and not isinstance(block, dict):
            raise SoundstageError(
                f"{file}: block {name!r} must hold lines such as 'loras: models/Lora'"
            )
    return {str(name): dict(block or {}) for name, block in blocks.items()}


def _paths(file: Path, name: str, block: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and absolute path of each folder that a block names."""
    base = file.absolute().parent / _path(file, name, "base_path", block.pop("base_path", None))
    for kind, lines in block.items():
        if not _is_plain(kind):
            raise SoundstageError(f"{file}: block {name!r} has {kind!r}, which names no folder")
        for line in _text(file, name, kind, lines).splitlines():
            if line.strip():
                yield kind, os.path.normpath(base / _path(file, name, kind, line))


def _is_plain(kind: Any) -> bool:
    return isinstance(kind, str) and kind.isprintable() and not set(kind) & set("/\\.")


def _path(file: Path, name: str, key: str, value: Any) -> str:
    """A path with "~" and variables of the environment filled in."""
    return os.path.expanduser(os.path.expandvars(_text(file, name, key, value).strip()))  # noqa: PTH111 - Path's raises for a "~nobody"


def _text(file: Path, name: str, key: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise SoundstageError(f"{file}: block {name!r}: {key} must be a path, not {value!r}")
    return value
