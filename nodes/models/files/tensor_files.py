"""Files of named tensors: safetensors, and torch's own format read as data alone."""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from nodes.models.files.gguf import PLAIN, read_gguf_header
from nodes.models.files.quantization import Quantization, find_quantizations
from nodes.models.files.tensor_info import (
    BITS,
    TORCH_NAMES,
    BrokenHeader,
    TensorInfo,
    TensorInfos,
    read_safetensors_header,
)
from nodes.models.files.torch_files import TorchFileError, TorchTensors, read_torch_file

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.files.quantized import QuantizedTensor

SAFETENSORS = (".safetensors", ".sft")
TORCH = (".ckpt", ".pt", ".pth", ".bin")
GGUF = (".gguf",)
SMALL = 1 << 20
"""Bytes of a tensor that says something about others."""


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
        infos: where the tensors lie, those that only help to dequantize others too.
        quantizations: how quantized weights are stored; `shapes` has their dequantized shapes.
    """

    path: Path
    shapes: Mapping[str, tuple[int, ...]] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)
    identity: str = field(repr=False)
    members: Mapping[str, Header] = field(default_factory=dict[str, "Header"], repr=False)
    infos: TensorInfos = field(default_factory=dict[str, TensorInfo], repr=False)
    quantizations: Mapping[str, Quantization] = field(
        default_factory=dict[str, Quantization], repr=False
    )

    def format(self, name: str) -> str:
        """The number format of a tensor: "F16", "F8_E4M3", "NF4", "Q4_K", ..."""
        quantization = self.quantizations.get(name)
        return self.infos[name].format if quantization is None else quantization.format

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
    state, suffix = _stat(path), path.suffix.lower()
    reader = next((read for endings, read in READERS.items() if suffix in endings), None)
    if reader is None:
        known = ", ".join(ending for endings in READERS for ending in endings)
        raise ModelFileError(f"{path}: unknown kind of file; expected one of {known}")
    try:
        raw, infos, metadata = reader(path)
        quantizations, idle = find_quantizations(infos, metadata, lambda info: _bytes(path, info))
    except (BrokenHeader, TorchFileError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    shapes = {name: info.shape for name, info in infos.items() if name not in idle}
    shapes |= {name: quantization.shape for name, quantization in quantizations.items()}
    digest = hashlib.sha256(raw).hexdigest()[:16]
    identity = _identity(path, state, digest)
    return Header(path, shapes, metadata, identity, infos=infos, quantizations=quantizations)


Found: TypeAlias = tuple[bytes, dict[str, TensorInfo], dict[str, str]]


def _read_torch_header(path: Path) -> Found:
    infos: dict[str, TensorInfo] = {}
    for name, tensor in read_torch_file(path).tensors.items():
        format = TORCH_NAMES.get(tensor.dtype, tensor.dtype)
        nbytes = math.prod(tensor.shape) * BITS.get(format, 8) // 8
        infos[name] = TensorInfo(format, tensor.shape, None, nbytes)
    shapes = {name: info.shape for name, info in infos.items()}
    return repr(sorted(shapes.items())).encode(), infos, {}


READERS = {SAFETENSORS: read_safetensors_header, TORCH: _read_torch_header, GGUF: read_gguf_header}


def _bytes(path: Path, info: TensorInfo) -> bytes:
    """The bytes of a small tensor."""
    if info.begin is None or info.nbytes > SMALL:
        raise BrokenHeader("weights of this kind are not read from it; get the file as safetensors")
    with path.open("rb") as file:
        file.seek(info.begin)
        return file.read(info.nbytes)


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
    infos = {
        prefix + name: info
        for prefix, header in members.items()
        for name, info in header.infos.items()
    }
    quantizations = {
        prefix + name: replace(
            quantization, tensors={role: prefix + of for role, of in quantization.tensors.items()}
        )
        for prefix, header in members.items()
        for name, quantization in header.quantizations.items()
    }
    first = next(iter(members.values())).path
    return Header(first, shapes, {}, identity, members, infos, quantizations)


class TensorFile(Mapping[str, "Tensor"]):
    """The tensors of a file, mapped into memory: read when touched, and only then.

    The file stays open as long as this object lives, so a file that is replaced meanwhile by
    another one of the same name does no harm.
    """

    def __init__(self, header: Header) -> None:
        self.path = header.path
        self._header = header
        self._members = {prefix: TensorFile(member) for prefix, member in header.members.items()}
        self._torch: TorchTensors | None = None
        self._memory: mmap.mmap | None = None
        suffix = header.path.suffix.lower()
        if not header.members and suffix in TORCH:
            self._torch = _torch_tensors(header.path)
        elif not header.members and suffix in GGUF:
            with header.path.open("rb") as opened:
                # A copy of its own where somebody writes: torch has no memory that is only read.
                self._memory = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
        elif not header.members:
            from safetensors import SafetensorError, safe_open

            try:
                self._file: Any = safe_open(header.path, framework="pt")
            except SafetensorError as error:
                raise ModelFileError(
                    f"{header.path}: its header and its size do not go together "
                    f"({_first_line(error)}); get it again"
                ) from None

    def __getitem__(self, name: str) -> Tensor:
        quantization = self._header.quantizations.get(name)
        if quantization is None or quantization.stays:
            return self._stored(name)
        import torch

        return self.quantized(name).dequantized(torch.float32)

    def quantized(self, name: str) -> QuantizedTensor:
        """A weight as it is stored in few bits: one that is among the header's `quantizations`."""
        from nodes.models.files.quantized import quantized

        quantization = self._header.quantizations[name]
        return quantized(
            quantization, {role: self._stored(of) for role, of in quantization.tensors.items()}
        )

    def _stored(self, name: str) -> Tensor:
        """A tensor as the file has it."""
        for prefix, member in self._members.items():
            if name.startswith(prefix):
                return member._stored(name.removeprefix(prefix))
        if self._torch is not None:
            return self._torch[name]
        if self._memory is not None:
            return _viewed(self._memory, self._header.infos[name])
        info = self._header.infos.get(name)
        if info is not None and info.format not in TORCH_NAMES.values():
            raise ModelFileError(
                f"{self.path}: {name} is in the number format {info.format}, which is not "
                "calculated with here; get the file in another precision"
            )
        return cast("Tensor", self._file.get_tensor(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._header.shapes)

    def __len__(self) -> int:
        return len(self._header.shapes)


def _viewed(memory: mmap.mmap, info: TensorInfo) -> Tensor:
    """A tensor of a GGUF file, a view of its memory; of blocks their bytes."""
    import torch

    if not info.nbytes:
        return torch.empty(info.shape)
    begin = info.begin or 0
    if info.format not in PLAIN.values():
        return torch.frombuffer(memory, dtype=torch.uint8, count=info.nbytes, offset=begin)
    name = next(name for name, format in TORCH_NAMES.items() if format == info.format)
    dtype: torch.dtype = getattr(torch, name)
    count = math.prod(info.shape)
    flat = torch.frombuffer(memory, dtype=dtype, count=count, offset=begin)
    return flat.view(info.shape)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


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
