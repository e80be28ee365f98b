"""Files of named tensors: safetensors, and torch's own format read as data alone."""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nodes.models.files.torch_files import TorchFileError, TorchTensors, read_torch_file

if TYPE_CHECKING:
    from torch import Tensor

SAFETENSORS = (".safetensors", ".sft")
TORCH = (".ckpt", ".pt", ".pth", ".bin")
HEADER_LIMIT = 100 << 20


class ModelFileError(ValueError):
    """A model file that cannot be used; the text names the file, what is wrong, and the remedy."""


@dataclass(frozen=True, eq=False)
class Header:
    """What a file of tensors says about itself.

    Attributes:
        shapes: name -> shape of each tensor.
        metadata: free text entries (safetensors only).
        identity: changes when the file does: path, size, time of change, hash of the header.
        members: of several files that are one model: each by what its names get in front.
    """

    path: Path
    shapes: Mapping[str, tuple[int, ...]] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)
    identity: str = field(repr=False)
    members: Mapping[str, Header] = field(default_factory=dict[str, "Header"], repr=False)

    @property
    def is_current(self) -> bool:
        """Whether the file is still the one that was read, by its size and time of change.

        Raises:
            ModelFileError: it cannot be read any more.
        """
        if self.members:
            return all(member.is_current for member in self.members.values())
        return _identity(self.path, _stat(self.path), "") == self.identity.rpartition(":")[0] + ":"

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many numbers each tensor holds, by its name."""
        return {name: math.prod(shape) for name, shape in self.shapes.items()}


def read_header(path: Path) -> Header:
    """The names and shapes in `path`, without reading the weights.

    Raises:
        ModelFileError: no such file, an unknown format, or a broken or truncated file.
    """
    state = _stat(path)
    if path.suffix.lower() in SAFETENSORS:
        raw, shapes, metadata = _safetensors_header(path, state.st_size)
    elif path.suffix.lower() in TORCH:
        try:
            file = read_torch_file(path)
        except TorchFileError as error:
            raise ModelFileError(f"{path}: {error}") from None
        shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
        raw, metadata = repr(sorted(shapes.items())).encode(), {}
    else:
        known = ", ".join((*SAFETENSORS, *TORCH))
        raise ModelFileError(f"{path}: unknown kind of file; expected one of {known}")
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return Header(path, shapes, metadata, _identity(path, state, digest))


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be opened ({error.strerror})") from None


def _identity(path: Path, state: os.stat_result, digest: str) -> str:
    return f"{path}:{state.st_size}:{state.st_mtime_ns}:{digest}"


def joined(members: Mapping[str, Header]) -> Header:
    """Several files as one: each tensor's name has in front what its file is under."""
    shapes = {
        prefix + name: shape
        for prefix, header in members.items()
        for name, shape in header.shapes.items()
    }
    identity = "+".join(header.identity for header in members.values())
    return Header(next(iter(members.values())).path, shapes, {}, identity, members)


class TensorFile(Mapping[str, "Tensor"]):
    """The tensors of a file, mapped into memory: read when touched, and only then.

    The file stays open as long as this object lives, so a file that is replaced meanwhile by
    another one of the same name does no harm.
    """

    def __init__(self, header: Header) -> None:
        self.path = header.path
        self._names = list(header.shapes)
        self._members = {prefix: TensorFile(member) for prefix, member in header.members.items()}
        self._torch: TorchTensors | None = None
        if not header.members and header.path.suffix.lower() in TORCH:
            self._torch = _torch_tensors(header.path)
        elif not header.members:
            from safetensors import safe_open

            self._file: Any = safe_open(header.path, framework="pt")

    def __getitem__(self, name: str) -> Tensor:
        for prefix, member in self._members.items():
            if name.startswith(prefix):
                return member[name.removeprefix(prefix)]
        if self._torch is not None:
            return self._torch[name]
        return cast("Tensor", self._file.get_tensor(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _safetensors_header(
    path: Path, size: int
) -> tuple[bytes, dict[str, tuple[int, ...]], dict[str, str]]:
    with path.open("rb") as file:
        start = file.read(8)
        length: int = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        raw = file.read(length) if length <= HEADER_LIMIT else b""
    try:
        content: Any = json.loads(raw)
        metadata: dict[str, str] = content.pop("__metadata__", {})
        shapes = {name: tuple(entry["shape"]) for name, entry in content.items()}
        end = max((entry["data_offsets"][1] for entry in content.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelFileError(f"{path}: {_no_safetensors(start)}") from None
    if size < 8 + length + end:
        raise ModelFileError(f"{path}: truncated, {size} bytes of {8 + length + end}; get it again")
    return raw, shapes, metadata


def _no_safetensors(start: bytes) -> str:
    if start.startswith((b"PK", b"\x80")):
        return "a file of torch by its content; rename it to .ckpt"
    return "not a safetensors file, or only the beginning of one; get it again"


def _torch_tensors(path: Path) -> TorchTensors:
    try:
        return TorchTensors(read_torch_file(path))
    except TorchFileError as error:
        raise ModelFileError(f"{path}: {error}") from None


def latent_file(latents: Tensor, texts: Mapping[str, Any]) -> bytes:
    """Latents as the bytes of a .latent file (safetensors), each text kept beside them as JSON."""
    import torch
    from safetensors.torch import save

    tensors = {"latent_tensor": latents.contiguous(), "latent_format_version_0": torch.tensor([])}
    return save(tensors, {name: json.dumps(value) for name, value in texts.items()})


class TensorCodec:
    """Tensors as bytes and back, for caches on disk."""

    type_name = "torch.Tensor"

    def dump(self, value: Tensor) -> bytes:
        """The bytes of a tensor."""
        from safetensors.torch import save

        return save({"": value.detach().cpu().contiguous()})

    def load(self, data: bytes) -> Tensor:
        """The tensor of `dump`'s bytes."""
        from safetensors.torch import load

        return load(data)[""]
