"""Textual inversions: vectors that stand for words of their own, by files.

Gal et al. 2022, https://arxiv.org/abs/2208.01618. A prompt names one as ``embedding:name``.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from nodes.models.files.tensor_files import ModelFileError, TensorFile, read_header


def read_embedding(path: Path, width: int, encoder: str = "clip_l") -> Tensor:
    """The vectors of a file for one text encoder, float32 [n, width].

    Args:
        path: of a safetensors or torch file, however its trainer wrapped them.
        width: of the text encoder's vectors.
        encoder: its name ("clip_l", "clip_g"); of a file for several, what is called so, or else
            what fits by its width.

    Raises:
        ModelFileError: it holds none of that width.
    """
    header = read_header(path)
    file = TensorFile(header)
    fitting = [name for name, shape in header.shapes.items() if shape and shape[-1] == width]
    if not fitting:
        shapes = ", ".join(str(tuple(shape)) for shape in header.shapes.values()) or "nothing"
        raise ModelFileError(
            f"{path}: this text encoder needs vectors of {width} numbers and the file holds "
            f"{shapes}; it is an embedding for another kind of model"
        )
    named = [name for name in fitting if name.rpartition(".")[2] == encoder]
    return file[(named or fitting)[0]].float().reshape(-1, width)
