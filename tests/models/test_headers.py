"""Headers of safetensors files that contradict themselves or their file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nodes.models.files.tensor_files import ModelFileError, TensorFile, read_header


def written(path: Path, data: bytes, **entries: tuple[Any, Any, Any]) -> Path:
    """A file of tensors, each with a format, a shape and offsets."""
    header = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        for name, (dtype, shape, offsets) in entries.items()
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        TensorFile(read_header(path))["a"]
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


LIES: dict[str, tuple[dict[str, tuple[Any, Any, Any]], str]] = {
    "too few bytes": ({"a": ("F32", [4], [0, 8])}, "gives a 8 bytes, and its shape [4] in F32"),
    "too many bytes": ({"a": ("F16", [2], [0, 16])}, "gives a 16 bytes"),
    "overlap": ({"a": ("F32", [4], [0, 16]), "b": ("F32", [2], [8, 16])}, "a and b share bytes"),
    "a hole": ({"a": ("F32", [2], [0, 8]), "b": ("F32", [1], [12, 16])}, "do not go together"),
    "beyond the end": ({"a": ("F32", [400], [0, 1600])}, "truncated"),
    "backwards": ({"a": ("F32", [4], [16, 0])}, "gives a -16 bytes"),
    "a negative side": ({"a": ("F32", [-4], [0, 16])}, "a size that is none"),
    "a huge side": ({"a": ("F32", [1 << 60], [0, 16])}, "a size that is none"),
    "a side in words": ({"a": ("F32", ["4"], [0, 16])}, "a size that is none"),
    "a shape that is none": ({"a": ("F32", 4, [0, 16])}, "not a safetensors file"),
    "another format": ({"a": ("F7", [4], [0, 16])}, "number format 'F7', which is not known"),
    "a format of four bits": ({"a": ("F4", [32], [0, 16])}, "in the number format F4"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_with_what_is_wrong(tmp_path: Path, lie: str):
    entries, expected = LIES[lie]
    assert expected in complaint(written(tmp_path / "a.safetensors", bytes(16), **entries))


def test_what_is_behind_the_numbers_is_told(tmp_path: Path):
    path = written(tmp_path / "a.safetensors", bytes(99), a=("F32", [4], [0, 16]))
    assert "its header and its size do not go together" in complaint(path)


def test_a_gguf_file_with_a_wrong_name_says_how_to_rename_it(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes(b"GGUF" + bytes(100))
    assert "rename it to .gguf" in complaint(tmp_path / "a.safetensors")
