"""Headers of GGUF files: names, shapes, formats and places of tensors; without torch.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Each count, length and
offset is checked against the bytes that are there before it is used.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from nodes.models.files.tensor_info import MAX_SIDE, BrokenHeader, TensorInfo, check_no_overlap

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
NESTED = 8
MAX_AXES = 8
STRING, ARRAY = 8, 9
SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
    10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
"""Format of `struct` for a value of each type."""
PLAIN = {0: "F32", 1: "F16", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 30: "BF16"}
BLOCKS = {
    2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
}  # fmt: skip
"""Formats of blocks: name, how many numbers a block has, and how many bytes."""
BLOCK_SIZES = {name: (count, nbytes) for name, count, nbytes in BLOCKS.values()}
OTHERS = {
    9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL",
    21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}  # fmt: skip
ITEMS = {"F32": 4, "F16": 2, "I8": 1, "I16": 2, "I32": 4, "I64": 8, "F64": 8, "BF16": 2}
SHAPE = "comfy.gguf.orig_shape."
"""Begins the key of a tensor's shape where that is not the one that it is stored in."""


@dataclass
class _Cursor:
    """Reads values one after another, and never beyond the end."""

    data: mmap.mmap
    at: int = 0

    def bytes(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise BrokenHeader("truncated, or its header is damaged; get it again")
        self.at += count
        return self.data[self.at - count : self.at]

    def one(self, form: str) -> Any:
        return struct.unpack(form, self.bytes(struct.calcsize(form)))[0]

    def count(self, least: int) -> int:
        """How many things follow, each of at least so many bytes."""
        found: int = self.one("<Q")
        if found * least > len(self.data) - self.at:
            raise BrokenHeader(
                f"its header speaks of {found} entries and has no room for them; get it again"
            )
        return found

    def text(self) -> str:
        return self.bytes(self.count(1)).decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in SCALARS:
            return self.one(SCALARS[kind])
        if kind == STRING:
            return self.text()
        if kind != ARRAY or depth > NESTED:
            raise BrokenHeader("its header has a value of a kind that is not known; get it again")
        inner: int = self.one("<I")
        if inner in SCALARS:
            size = struct.calcsize(SCALARS[inner])
            count = self.count(size)
            raw = self.bytes(count * size)
            return struct.unpack(f"<{count}{SCALARS[inner][1:]}", raw)
        return [self.value(inner, depth + 1) for _ in range(self.count(8))]


def read_gguf_header(path: Path) -> tuple[bytes, dict[str, TensorInfo], dict[str, str]]:
    """The header of a GGUF file as bytes, its tensors, and its short values as texts.

    Raises:
        BrokenHeader: not a GGUF file, truncated, or its header contradicts itself.
    """
    with _opened(path) as cursor:
        tensors, facts = _facts(cursor)
        if facts.get("split.count", 1) not in (0, 1):
            raise BrokenHeader(
                "one of several parts of a model; put them together, or get one file"
            )
        found = [_tensor(cursor) for _ in range(tensors)]
        return bytes(cursor.data[: cursor.at]), _infos(cursor, found, facts), _texts(facts)


def read_gguf_values(path: Path, beginning: str) -> dict[str, Any]:
    """The values of a GGUF file whose keys begin so, lists too; keys without the beginning.

    Raises:
        BrokenHeader: as `read_gguf_header`.
    """
    with _opened(path) as cursor:
        _, facts = _facts(cursor)
    return {
        key.removeprefix(beginning): value
        for key, value in facts.items()
        if key.startswith(beginning)
    }


@contextmanager
def _opened(path: Path) -> Generator[_Cursor]:
    """The bytes of a GGUF file, behind its mark and version."""
    if path.stat().st_size < 24:
        raise BrokenHeader("not a GGUF file, or only the beginning of one; get it again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        cursor = _Cursor(data)
        if cursor.bytes(4) != MAGIC:
            raise BrokenHeader("not a GGUF file, or only the beginning of one; get it again")
        if (version := cursor.one("<I")) not in VERSIONS:
            raise BrokenHeader(
                f"GGUF of version {version}, or of a big-endian machine; versions 2 and 3 are read"
            )
        yield cursor


def _facts(cursor: _Cursor) -> tuple[int, dict[str, Any]]:
    """How many tensors a file says it has, and its values."""
    tensors, values = cursor.one("<Q"), cursor.one("<Q")
    if (tensors * 24 + values * 13) > len(cursor.data):
        raise BrokenHeader(
            f"its header speaks of {tensors} tensors and {values} values and has no room for "
            "them; get it again"
        )
    return tensors, {cursor.text(): cursor.value(cursor.one("<I")) for _ in range(values)}


def _tensor(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    """Name, shape, format and offset of a tensor."""
    name = cursor.text()
    axes: int = cursor.one("<I")
    if axes > MAX_AXES:
        raise BrokenHeader(f"{name[:100]} has {axes} axes; the file is damaged, get it again")
    sides = tuple(cursor.one("<Q") for _ in range(axes))
    if any(side >= MAX_SIDE for side in sides):
        raise BrokenHeader(f"the header gives {name[:100]} a size that is none; get it again")
    return name, sides[::-1], cursor.one("<I"), cursor.one("<Q")


def _infos(
    cursor: _Cursor,
    tensors: list[tuple[str, tuple[int, ...], int, int]],
    facts: Mapping[str, Any],
) -> dict[str, TensorInfo]:
    step = facts.get("general.alignment", ALIGNMENT)
    if type(step) is not int or not 0 < step <= 1 << 20:
        raise BrokenHeader("its header has an alignment that is none; get it again")
    data, size = -(-cursor.at // step) * step, len(cursor.data)
    infos: dict[str, TensorInfo] = {}
    for name, stored, kind, offset in tensors:
        format, nbytes = _format(name, stored, kind)
        if name in infos:
            raise BrokenHeader(f"it has two tensors of the name {name[:100]}; get it again")
        if data + offset + nbytes > size:
            raise BrokenHeader(f"truncated, {size} bytes of {data + offset + nbytes}; get it again")
        infos[name] = TensorInfo(format, _shape(name, stored, facts), data + offset, nbytes)
    check_no_overlap(infos)
    return infos


def _format(name: str, stored: tuple[int, ...], kind: int) -> tuple[str, int]:
    """The format of a tensor, and how many bytes it has in it."""
    if kind in PLAIN:
        return PLAIN[kind], prod(stored) * ITEMS[PLAIN[kind]]
    if kind not in BLOCKS:
        title = OTHERS.get(kind, f"number {kind}")
        raise BrokenHeader(
            f"{name[:100]} is in the format {title}, which is not read; get the file as Q8_0, "
            "Q6_K, Q5_K or Q4_K"
        )
    title, count, nbytes = BLOCKS[kind]
    if not stored or stored[-1] % count:
        raise BrokenHeader(
            f"{name[:100]} has rows that are no multiple of a block of {title}, {count}; the file "
            "is damaged, get it again"
        )
    return title, prod(stored) // count * nbytes


def _shape(name: str, stored: tuple[int, ...], facts: Mapping[str, Any]) -> tuple[int, ...]:
    shape = facts.get(SHAPE + name)
    if not isinstance(shape, tuple):
        return stored
    sides = tuple(int(side) for side in shape)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of a file
    if min(sides, default=1) < 0 or prod(sides) != prod(stored):
        raise BrokenHeader(
            f"{name[:100]} has as many numbers as {list(stored)}, and is said to be of the shape "
            f"{list(sides)}; the file is damaged, get it again"
        )
    return sides


def _texts(facts: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in facts.items() if not isinstance(value, list | tuple)}
