"""Networks in folders of their own, as diffusers writes them: of one file, or of several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from nodes.models.families.family import UNET, Family
from nodes.models.families.registry import detected
from nodes.models.files.pieces import NetworkSource, checked
from nodes.models.files.tensor_files import Header, ModelFileError, joined, read_header

TRANSFORMER = "transformer"
"""The denoiser's folder in a model folder."""
INDEX = ".safetensors.index.json"
STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")


def folder_weights(folder: Path) -> Path:
    """The file with the weights of a network in a folder of its own.

    Raises:
        ModelFileError: there is none.
    """
    names = [
        stem + ending for ending in (".safetensors", ".fp16.safetensors", ".bin") for stem in STEMS
    ]
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise ModelFileError(f"{folder}: no weights here; expected {names[0]} or {names[1]}")


def transformer_folder(path: Path) -> tuple[NetworkSource, Family]:
    """The denoiser of a model folder, and its family.

    Raises:
        ModelFileError: there is none, not all of its files are there, or it is of no family that is
            supported.
    """
    header, names = _weights(path / TRANSFORMER)
    shapes = {name: header.shapes[there] for name, there in names.items()}
    found = detected(shapes)
    if found is None:
        raise ModelFileError(
            f"{path / TRANSFORMER}: a transformer of a kind that is not supported, or not complete"
        )
    family, net, prefix = found
    pieces = {
        ours: tuple(replace(piece, name=names[prefix + piece.name]) for piece in of_one)
        for ours, of_one in net.pieces.items()
    }
    checked(header.path, header.shapes, pieces)
    return NetworkSource(header, pieces, "", net.config, UNET), family


def _weights(folder: Path) -> tuple[Header, Mapping[str, str]]:
    """The tensors of a network's folder; their names, and what these are in the header."""
    index = next(
        (folder / f"{stem}{INDEX}" for stem in STEMS if (folder / f"{stem}{INDEX}").exists()), None
    )
    if index is None:
        header = read_header(folder_weights(folder))
        return header, {name: name for name in header.shapes}
    try:
        content: Any = json.loads(index.read_text(encoding="utf-8"))
        files = sorted({str(file) for file in cast(dict[str, Any], content["weight_map"]).values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{index}: no list of files ({error}); get it again") from None
    if outside := [file for file in files if Path(file).name != file]:
        raise ModelFileError(f"{index}: names {outside[0]}, which is not in its folder")
    members = {f"{number}/": read_header(folder / file) for number, file in enumerate(files)}
    header = joined(members)
    return header, {name.partition("/")[2]: name for name in header.shapes}
