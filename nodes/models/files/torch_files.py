"""Files of torch.save, old and new, read as data: names and places of tensors, without torch.

Since 1.6 torch writes a zip archive without compression: a pickle, ``data.pkl``, and each storage
as a file of its own. Before, it wrote pickles one after another and the storages behind them.
"""

from __future__ import annotations

import mmap
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from nodes.models.files.inert import CallError, Inert, PickleError, Stored
from nodes.models.files.pickles import Storages, read_pickle

if TYPE_CHECKING:
    from torch import Tensor

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
PICKLE_LIMIT = 256 << 20
NESTED = 100
MODULES = 100_000
SIZES = {
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("float32", "int32", "uint32"), 4),
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    "complex128": 16,
}
"""Bytes of a number that has more than one."""

WRAPPINGS = (
    "state_dict", "params_ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema", "params",
    "model_state_dict", "model_state", "model", "module", "generator", "net", "network", "weights",
)  # fmt: skip
"""Under which key trainers put the weights, the better ones first."""
INVERSION = "string_to_param"
WRAPPERS = ("module.", "_orig_mod.")
"""What training in parallel and compiling put before every name."""


class TorchFileError(ValueError):
    """A torch file that is not read; the text says what it is, and the remedy."""


@dataclass(frozen=True, eq=False)
class TorchFile:
    """Names and places of the tensors of a torch file.

    Attributes:
        tensors: by name, without what all names have in front.
        offsets: where in the file each storage begins, by its key.
        content: all of what was saved, as inert data.
    """

    path: Path
    tensors: Mapping[str, Stored] = field(repr=False)
    offsets: Mapping[str, int] = field(repr=False)
    content: Mapping[Any, Any] = field(default_factory=dict[Any, Any], repr=False)


def read_torch_file(path: Path) -> TorchFile:
    """What `path` holds, without reading the weights.

    Raises:
        TorchFileError: it is broken, of another kind, or would call a program.
    """
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)  # a header is read several times until its weights are loaded
def _read(path: Path, size: int, changed: int) -> TorchFile:
    """As `read_torch_file`, for a file of that size and time of change."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
            content, offsets = _zipped(file) if start.startswith(b"PK") else _in_a_row(file, path)
        tensors = dict(_named(content)) or dict(_nested(content))
        for name, tensor in tensors.items():
            _check(name, tensor, offsets)
    except CallError as error:
        raise TorchFileError(
            f"holds more than plain tensors: it wants to call {error.called}, and program code in "
            "a model file is never run; get it as safetensors"
        ) from None
    except PickleError as error:
        raise TorchFileError(
            f"not a file of torch that can be read: {error}; get it again"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, RuntimeError):
        raise TorchFileError("broken or truncated; get it again") from None
    begins = {key: offset for key, (offset, _) in offsets.items()}
    return TorchFile(path, tensors, begins, _entries(content))


StorageOffsets = dict[str, tuple[int, int]]
"""Where a storage begins, and how many bytes there are."""


def _zipped(file: IO[bytes]) -> tuple[Any, StorageOffsets]:
    with zipfile.ZipFile(file) as archive:
        names = {info.filename: info for info in archive.infolist()}
        found = next((name for name in names if f"/{name}".endswith("/data.pkl")), None)
        if found is None:
            raise TorchFileError("a zip archive that torch did not write; unpack it")
        top = found.removesuffix("data.pkl")
        if f"{top}constants.pkl" in names:
            raise TorchFileError("a TorchScript program, not weights; get the weights")
        order = names.get(f"{top}byteorder")
        if order is not None and archive.read(order) != b"little":
            raise TorchFileError("written by a big-endian machine; get it as safetensors")
        if names[found].file_size > PICKLE_LIMIT:
            raise TorchFileError("its index is too large to be one")
        storages: Storages = {}
        with archive.open(found) as index:
            content = read_pickle(index, storages)
        offsets: StorageOffsets = {}
        for key in storages:
            info = names.get(f"{top}data/{key}")
            if info is None:
                raise TorchFileError(f"the numbers of its storage {key[:50]} are missing")
            if info.compress_type != zipfile.ZIP_STORED:
                raise TorchFileError("packed once more; unpack it and get it as safetensors")
            offsets[key] = _begin(file, info), info.file_size
    return content, offsets


def _begin(file: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Where the content of an entry begins, behind its own name and fields."""
    file.seek(info.header_offset)
    header = file.read(30)
    name, extra = struct.unpack_from("<HH", header, 26)
    return info.header_offset + len(header) + name + extra


def _in_a_row(file: IO[bytes], path: Path) -> tuple[Any, StorageOffsets]:
    """The format before torch 1.6."""
    if (other := _other(path)) is not None:
        raise TorchFileError(other)
    file.seek(0)
    if (first := read_pickle(file)) != MAGIC:
        kind = first.kind if isinstance(first, Inert) else type(first).__name__
        raise TorchFileError(f"a plain pickle of {kind}, not a file of torch.save")
    version, system = read_pickle(file), read_pickle(file)
    if version != VERSION or not isinstance(system, dict):
        raise TorchFileError("a version of torch's format that is not read")
    if cast(dict[str, Any], system).get("little_endian") is not True:
        raise TorchFileError("written by a big-endian machine; get it as safetensors")
    storages: Storages = {}
    content, keys = read_pickle(file, storages), read_pickle(file)
    size, offsets = path.stat().st_size, StorageOffsets()
    for key in cast(list[Any], keys) if isinstance(keys, list) else ():
        storage = storages.get(key)
        if storage is None:
            raise TorchFileError("the list of its storages is broken")
        count = struct.unpack("<q", file.read(8))[0]
        offsets[key] = file.tell(), (length := count * SIZES.get(storage.dtype, 1))
        if length < 0 or file.seek(length, 1) > size:
            raise TorchFileError("truncated; get it again")
    return content, offsets


def _other(path: Path) -> str | None:
    """What a file that is no torch file looks like; None where it may be a pickle."""
    if tarfile.is_tarfile(path):
        return "a tar archive, as torch wrote before 0.1.10; get it as safetensors"
    start = path.read_bytes()[:200] if path.stat().st_size < 1 << 20 else b""
    if start.startswith(b"version https://git-lfs"):
        return "only the pointer that Git LFS keeps in place of the file; fetch the file itself"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page, not a model; the download needs another address or a login"
    with path.open("rb") as file:
        if file.read(9)[8:] == b"{":
            return "a safetensors file by its content; rename it to .safetensors"
    return None


def _named(content: Any) -> Iterator[tuple[str, Stored]]:
    """Every tensor by its name, wherever the trainer's wrappings put it."""
    entries = _unwrapped(content)
    names = [name for name, value in entries.items() if isinstance(value, Stored)]
    for wrapper in WRAPPERS:
        if names and all(str(name).startswith(wrapper) for name in names):
            entries = {str(name).removeprefix(wrapper): entries[name] for name in names}
            names = list(entries)
    for name in names:
        yield str(name), entries[name]


def _nested(content: Any) -> Iterator[tuple[str, Stored]]:
    """Tensors in dicts and pairs of dicts (hypernetworks), by their keys with dots between."""
    for key, value in _entries(content).items():
        parts = list(cast(Sequence[Any], value)) if isinstance(value, list | tuple) else [value]
        for number, part in enumerate(parts[:NESTED]):
            prefix = f"{key}.{number}" if isinstance(value, list | tuple) else str(key)
            for name, tensor in _entries(part).items():
                if isinstance(tensor, Stored):
                    yield f"{prefix}.{name}", tensor


def _unwrapped(content: Any) -> Mapping[Any, Any]:
    """The dict that has the tensors; empty where there is none."""
    entries = _entries(content)
    for _ in range(NESTED):
        inner = next(filter(_has_tensors, (entries.get(key) for key in WRAPPINGS)), None)
        if inner is None:
            break
        entries = _entries(inner)
    inversion = _entries(entries.get(INVERSION))
    return inversion if _has_tensors(inversion) else entries


def _has_tensors(value: Any, depth: int = 3) -> bool:
    entries = _entries(value)
    return any(isinstance(entry, Stored) for entry in entries.values()) or (
        depth > 0 and any(_has_tensors(entries.get(key), depth - 1) for key in WRAPPINGS)
    )


def _entries(value: Any) -> Mapping[Any, Any]:
    """A dict, what is like one, or the weights of a whole network that was saved."""
    if isinstance(value, Inert):
        state = cast(dict[Any, Any], value.state) if isinstance(value.state, dict) else {}
        return value.entries or (dict(_weights(value)) if "_parameters" in state else state)
    return cast(dict[Any, Any], value) if isinstance(value, dict) else {}


def _weights(module: Inert) -> Iterator[tuple[str, Stored]]:
    """Weights of a torch module that was saved with its class, as its state_dict names them."""
    waiting, seen = [("", module)], 0
    while waiting:
        prefix, found = waiting.pop()
        seen += 1
        if seen > MODULES or len(prefix) > NESTED * NESTED:
            raise TorchFileError("its networks hold each other without end")
        state = _entries_of(found.state)
        for kind in ("_parameters", "_buffers"):
            for name, value in _entries_of(state.get(kind)).items():
                if isinstance(value, Stored):
                    yield f"{prefix}{name}", value
        for name, value in _entries_of(state.get("_modules")).items():
            if isinstance(value, Inert):
                waiting.append((f"{prefix}{name}.", value))


def _entries_of(value: Any) -> Mapping[Any, Any]:
    return cast(dict[Any, Any], value) if isinstance(value, dict) else {}


def _check(name: str, tensor: Stored, offsets: StorageOffsets) -> None:
    """See that a tensor lies inside of its storage, and that inside of the file."""
    storage = tensor.storage
    if storage.key not in offsets:
        raise TorchFileError(f"the numbers of {name[:100]} are missing")
    _, length = offsets[storage.key]
    if storage.count * SIZES.get(storage.dtype, 1) != length:
        raise TorchFileError(f"the numbers of {name[:100]} are not as many as it says")
    if 0 in tensor.shape:
        return
    last = sum((side - 1) * step for side, step in zip(tensor.shape, tensor.stride, strict=True))
    if (tensor.offset + last + 1) * SIZES.get(tensor.dtype, 1) > length or _repeats(tensor):
        raise TorchFileError(f"{name[:100]} reaches beyond the numbers that are there")


def _repeats(tensor: Stored) -> bool:
    """Whether it is far larger than what is behind it, by steps of 0."""
    count = 1
    for side in tensor.shape:
        count *= side
    return count > max(1 << 24, 2 * tensor.storage.count)


class TorchTensors(Mapping[str, "Tensor"]):
    """The tensors of a torch file, mapped into memory: read when touched, never written back."""

    def __init__(self, file: TorchFile) -> None:
        self._file = file
        with file.path.open("rb") as opened:
            # A copy of its own where somebody writes: torch has no memory that is only read.
            self._memory = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)

    def __getitem__(self, name: str) -> Tensor:
        import torch

        stored = self._file.tensors[name]
        dtype: Any = getattr(torch, stored.dtype, None)
        if not isinstance(dtype, torch.dtype):
            raise TorchFileError(f"this version of torch has no {stored.dtype}, which {name} needs")
        if 0 in stored.shape:
            return torch.empty(stored.shape, dtype=dtype)
        offset = self._file.offsets[stored.storage.key] + stored.offset * dtype.itemsize
        last = sum((s - 1) * step for s, step in zip(stored.shape, stored.stride, strict=True))
        flat = torch.frombuffer(self._memory, dtype=dtype, count=last + 1, offset=offset)
        return flat.as_strided(stored.shape, stored.stride)

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.tensors)

    def __len__(self) -> int:
        return len(self._file.tensors)
