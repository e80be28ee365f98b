"""Files of named tensors: safetensors, and torch's own format read as data alone."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import Tensor

SAFETENSORS = (".safetensors", ".sft")
TORCH = (".ckpt", ".pt", ".pth", ".bin")
HEADER_LIMIT = 100 << 20
WRAPPINGS = ("state_dict", "params_ema", "params")


class ModelFileError(ValueError):
    """A model file that cannot be used; the text names the file, what is wrong, and the remedy."""


@dataclass(frozen=True, eq=False)
class Header:
    """What a file of tensors says about itself.

    Attributes:
        shapes: name -> shape of each tensor.
        metadata: free text entries (safetensors only).
        identity: changes when the file does: path, size, time of change, hash of the header.
    """

    path: Path
    shapes: Mapping[str, tuple[int, ...]] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)
    identity: str = field(repr=False)

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many numbers each tensor holds, by its name."""
        return {name: math.prod(shape) for name, shape in self.shapes.items()}


def read_header(path: Path) -> Header:
    """The names and shapes in `path`, without reading the weights.

    Raises:
        ModelFileError: no such file, an unknown format, or a broken or truncated file.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be opened ({error.strerror})") from None
    if path.suffix in SAFETENSORS:
        raw, shapes, metadata = _safetensors_header(path, state.st_size)
    elif path.suffix in TORCH:
        shapes = {
            name: tuple(tensor.shape) for name, tensor in _torch_tensors(path, "meta").items()
        }
        raw, metadata = repr(sorted(shapes.items())).encode(), {}
    else:
        known = ", ".join((*SAFETENSORS, *TORCH))
        raise ModelFileError(f"{path}: unknown kind of file; expected one of {known}")
    digest = hashlib.sha256(raw).hexdigest()[:16]
    identity = f"{path}:{state.st_size}:{state.st_mtime_ns}:{digest}"
    return Header(path, shapes, metadata, identity)


class TensorFile(Mapping[str, "Tensor"]):
    """The tensors of a file, mapped into memory: read when touched, and only then.

    The file stays open as long as this object lives, so a file that is replaced meanwhile by
    another one of the same name does no harm.
    """

    def __init__(self, header: Header) -> None:
        self.path = header.path
        self._names = list(header.shapes)
        self._torch: dict[str, Tensor] | None = None
        if header.path.suffix in TORCH:
            self._torch = _torch_tensors(header.path, "cpu")
        else:
            from safetensors import safe_open

            self._file: Any = safe_open(header.path, framework="pt")

    def __getitem__(self, name: str) -> Tensor:
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
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelFileError(
            f"{path}: not a safetensors file, or only the beginning of one; get it again"
        ) from None
    if size < 8 + length + end:
        raise ModelFileError(f"{path}: truncated, {size} bytes of {8 + length + end}; get it again")
    return raw, shapes, metadata


def _torch_tensors(path: Path, device: str) -> dict[str, Tensor]:
    """Every tensor of a torch file, wherever the trainer's wrappings put it."""
    import torch

    try:
        content: Any = torch.load(
            path, map_location=device, weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError:
        raise ModelFileError(
            f"{path}: holds more than plain tensors, and program code in a model file is never "
            "run; convert it to safetensors"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise ModelFileError(f"{path}: broken or truncated ({error}); get it again") from None
    while (inner := _inside(content)) is not None:
        content = inner
    if not isinstance(content, dict):
        raise ModelFileError(f"{path}: holds {type(content).__name__}, not named tensors")
    entries = cast(dict[str, Any], content)
    if isinstance(inner := entries.get("string_to_param"), dict):  # a textual inversion
        entries = cast(dict[str, Any], inner)
    return {name: value for name, value in entries.items() if isinstance(value, torch.Tensor)}


def _inside(content: Any) -> dict[str, Any] | None:
    """What a trainer wrapped up; None where nothing is wrapped."""
    if isinstance(content, dict):
        for name in WRAPPINGS:
            inner: Any = cast(dict[str, Any], content).get(name)
            if isinstance(inner, dict):
                return cast(dict[str, Any], inner)
    return None


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
