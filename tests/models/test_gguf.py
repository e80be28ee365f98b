"""GGUF files: their headers are checked, their blocks have the numbers that ggml's own have."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from nodes.models.files.gguf import BLOCKS, PLAIN
from nodes.models.files.gguf_blocks import DEQUANTIZERS
from nodes.models.files.tensor_files import ModelFileError, TensorFile, read_header
from nodes.models.files.unfit import unfit_checkpoint

LIBRARY: Any = gguf  # has no types
PADDING = 24
"""Bytes behind a tensor of 136 in a file whose parts begin at multiples of 32."""


def numbers(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def written(path: Path, *, shape: str | None = None, **tensors: tuple[Any, str]) -> Path:
    """A file of tensors, each with a format of `gguf`."""
    writer = LIBRARY.GGUFWriter(path, "sd1")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    if shape is not None:
        writer.add_array(shape, [4, 8, 2, 2])
    for name, (value, format) in tensors.items():
        kind = LIBRARY.GGMLQuantizationType[format]
        raw = LIBRARY.quants.quantize(value, kind)
        writer.add_tensor(name.replace("__", "."), raw, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("format", DEQUANTIZERS)
def test_blocks_of_any_bytes_have_the_numbers_that_ggml_gives_them(format: str):
    kind = LIBRARY.GGMLQuantizationType[format]
    count, nbytes = LIBRARY.GGML_QUANT_SIZES[kind]
    assert BLOCKS[int(kind)] == (format, count, nbytes)
    raw = np.random.default_rng(3).integers(0, 256, (64, nbytes), np.uint8)
    with np.errstate(invalid="ignore"):
        expected = LIBRARY.quants.dequantize(raw, kind)
    found = DEQUANTIZERS[format](torch.as_tensor(raw))
    assert np.array_equal(found.numpy(), expected, equal_nan=True)


def test_every_plain_format_is_the_librarys():
    names = {int(kind): kind.name for kind in LIBRARY.GGMLQuantizationType}
    assert {number: names[number] for number in PLAIN} == PLAIN
    for number, (name, *_) in BLOCKS.items():
        assert names[number] == name


def test_names_shapes_formats_and_numbers_are_those_of_the_file(tmp_path: Path):
    value = numbers(6, 64)
    path = written(
        tmp_path / "a.gguf",
        a__weight=(value, "Q8_0"), b__weight=(value, "F16"), c__bias=(value[0], "F32"),
        d__weight=(value, "BF16"),
    )  # fmt: skip
    header = read_header(path)
    assert header.shapes == {
        "a.weight": (6, 64), "b.weight": (6, 64), "c.bias": (64,), "d.weight": (6, 64)
    }  # fmt: skip
    assert [header.format(name) for name in header.shapes] == ["Q8_0", "F16", "F32", "BF16"]
    assert header.metadata["general.architecture"] == "sd1"
    file = TensorFile(header)
    exact = torch.as_tensor(value)
    assert torch.allclose(file["a.weight"], exact, atol=0.02)
    assert torch.equal(file["b.weight"], exact.half())
    assert torch.equal(file["c.bias"], exact[0])
    assert torch.equal(file["d.weight"], exact.bfloat16())


def test_a_tensor_that_is_stored_in_another_shape_has_its_own(tmp_path: Path):
    key = "comfy.gguf.orig_shape.x.weight"
    path = written(tmp_path / "a.gguf", shape=key, x__weight=(numbers(2, 64), "Q5_1"))
    header = read_header(path)
    assert header.shapes == {"x.weight": (4, 8, 2, 2)}
    assert TensorFile(header)["x.weight"].shape == (4, 8, 2, 2)
    many = written(tmp_path / "b.gguf", shape=key, x__weight=(numbers(4, 64), "Q5_1"))
    with pytest.raises(ModelFileError, match=r"is said to be of the shape \[4, 8, 2, 2\]"):
        read_header(many)


def lying(path: Path, at: int, form: str, value: int) -> str:
    """What is said of a file with another number at a place."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, at, value)
    path.with_name("bad.gguf").write_bytes(raw)
    with pytest.raises(ModelFileError) as caught:
        read_header(path.with_name("bad.gguf"))
    return str(caught.value)


def test_a_header_that_lies_is_refused_before_anything_is_made_of_it(tmp_path: Path):
    path = written(tmp_path / "a.gguf", x__weight=(numbers(2, 64), "Q8_0"))
    raw = path.read_bytes()
    tensor = raw.index(b"x.weight") + len("x.weight")
    assert "version 9" in lying(path, 4, "<I", 9)
    assert "speaks of 1099511627776 tensors" in lying(path, 8, "<Q", 1 << 40)
    assert "values and has no room" in lying(path, 16, "<Q", 1 << 62)
    assert "no room for them" in lying(path, 24, "<Q", 1 << 50)
    assert "has 4000000 axes" in lying(path, tensor, "<I", 4_000_000)
    assert "a size that is none" in lying(path, tensor + 4, "<Q", (1 << 63) + 1)
    assert "truncated" in lying(path, tensor + 4, "<Q", 1 << 40)
    assert "no multiple of a block" in lying(path, tensor + 4, "<Q", 33)
    assert "in the format IQ2_XS, which is not read; get the file as Q8_0" in lying(
        path, tensor + 20, "<I", 17
    )
    assert "truncated" in lying(path, tensor + 24, "<Q", 1 << 20)
    for end in range(0, len(raw) - PADDING, 7):
        (tmp_path / "cut.gguf").write_bytes(raw[:end])
        with pytest.raises(ModelFileError, match="get it again"):
            read_header(tmp_path / "cut.gguf")


def test_two_tensors_never_share_bytes(tmp_path: Path):
    path = written(
        tmp_path / "a.gguf", x__weight=(numbers(2, 64), "F32"), y__weight=(numbers(2, 64), "F32")
    )
    second = path.read_bytes().index(b"y.weight") + len("y.weight") + 4 + 16 + 4
    assert "x.weight and y.weight share bytes" in lying(path, second, "<Q", 32)


def test_what_cannot_be_loaded_is_said_before_a_prompt_waits(tmp_path: Path):
    path = written(tmp_path / "a.gguf", double_blocks__0__img_attn=(numbers(2, 64), "Q8_0"))
    assert "FLUX" in str(unfit_checkpoint(path))
