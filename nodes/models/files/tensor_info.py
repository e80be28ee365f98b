"""Where the tensors of a file lie, and the number formats they are in; without torch."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

HEADER_LIMIT = 100 << 20
MAX_SIDE = 1 << 48
BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    "C128": 128,
}
"""Bits of a number in each format, by its name in safetensors files."""
TORCH_NAMES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
    "complex64": "C64", "complex128": "C128",
}  # fmt: skip
"""The same formats by their names in torch."""


class BrokenHeader(ValueError):
    """A header that contradicts itself or its file; the text says how, and the remedy."""


@dataclass(frozen=True)
class TensorInfo:
    """A tensor in a file (the word of safetensors).

    Attributes:
        format: of its numbers, as safetensors or GGUF files name it.
        begin: its first byte in the file; None: it lies there in steps.
        nbytes: how many bytes it has.
    """

    format: str
    shape: tuple[int, ...]
    begin: int | None
    nbytes: int


TensorInfos: TypeAlias = Mapping[str, TensorInfo]


def read_safetensors_header(path: Path) -> tuple[bytes, dict[str, TensorInfo], dict[str, str]]:
    """The header of a safetensors file as bytes, its tensors, and its free texts.

    Raises:
        BrokenHeader: not a safetensors file, truncated, or its header contradicts itself.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length: int = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        raw = file.read(length) if length <= HEADER_LIMIT else b""
    try:
        content: Any = json.loads(raw)
        metadata: dict[str, str] = content.pop("__metadata__", None) or {}
        ends = [entry["data_offsets"][1] for entry in content.values()]
        infos = {name: _info(name, entry, 8 + length) for name, entry in content.items()}
    except BrokenHeader:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise BrokenHeader(_no_safetensors(start)) from None
    end = 8 + length + max(ends, default=0)
    if size < end:
        raise BrokenHeader(f"truncated, {size} bytes of {end}; get it again")
    check_no_overlap(infos)
    return raw, infos, metadata


def _no_safetensors(start: bytes) -> str:
    if start.startswith((b"PK", b"\x80")):
        return "a file of torch by its content; rename it to .ckpt"
    if start.startswith(b"GGUF"):
        return "a GGUF file by its content; rename it to .gguf"
    return "not a safetensors file, or only the beginning of one; get it again"


def _info(name: str, entry: Any, data: int) -> TensorInfo:
    format: Any = entry["dtype"]
    first, last = entry["data_offsets"]
    shape = tuple(cast(Sequence[Any], entry["shape"]))
    numbers = (first, last, *shape)
    if not all(type(number) is int and 0 <= number < MAX_SIDE for number in numbers):
        raise BrokenHeader(f"the header gives {name[:100]} a size that is none; get it again")
    if format not in BITS:
        raise BrokenHeader(
            f"{name[:100]} is in the number format {str(format)[:30]!r}, which is not known; get "
            "the file in another precision"
        )
    wanted = -(-math.prod(shape) * BITS[format] // 8)
    if last - first != wanted:
        raise BrokenHeader(
            f"the header gives {name[:100]} {last - first} bytes, and its shape "
            f"{list(shape)} in {format} takes {wanted}; the file is damaged, get it again"
        )
    return TensorInfo(format, shape, data + first, last - first)


def check_no_overlap(infos: TensorInfos) -> None:
    """Check that no byte of a file belongs to two tensors.

    Raises:
        BrokenHeader: one does.
    """
    ordered = [(p.begin, p.nbytes, n) for n, p in infos.items() if p.begin is not None]
    end, before = 0, ""
    for begin, nbytes, name in sorted(ordered):
        if begin < end and nbytes:
            raise BrokenHeader(
                f"{before[:100]} and {name[:100]} share bytes; the file is damaged, get it again"
            )
        end, before = max(end, begin + nbytes), name
