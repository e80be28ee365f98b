"""Safetensors files that are written tensor by tensor, so that none need be whole in memory.

The format: https://huggingface.co/docs/safetensors (eight bytes with the length of a JSON header,
the header, the tensors' bytes without gaps).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

ALIGNMENT = 8
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A tensor of a file that is to be written.

    Attributes:
        value: makes the tensor when its turn comes, of this format and as many numbers as `shape`.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    value: Callable[[], Tensor] = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * self.dtype.itemsize


def entry(name: str, tensor: Tensor) -> Entry:
    """A tensor that is there already."""
    return Entry(name, tensor.dtype, tuple(tensor.shape), lambda: tensor)


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as the free texts of a file: each as JSON."""
    return {name: json.dumps(value) for name, value in values.items()}


@dataclass(frozen=True)
class NewFile:
    """The bytes of a safetensors file, made anew by each iteration.

    Attributes:
        entries: in the order of the file.
        metadata: free texts.
    """

    entries: Sequence[Entry]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def header(self) -> bytes:
        """The header with its length in front."""
        content: dict[str, object] = {"__metadata__": dict(self.metadata)} if self.metadata else {}
        end = 0
        for one in self.entries:
            start, end = end, end + one.nbytes
            content[one.name] = {
                "dtype": NAMES[one.dtype],
                "shape": list(one.shape),
                "data_offsets": [start, end],
            }
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    @property
    def nbytes(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + sum(one.nbytes for one in self.entries)

    def __iter__(self) -> Iterator[bytes]:
        yield self.header
        for one in self.entries:
            tensor = one.value().detach().to("cpu", one.dtype).contiguous()
            yield tensor.view(-1).view(torch.uint8).numpy().tobytes()
