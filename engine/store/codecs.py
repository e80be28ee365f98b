"""Node results as bytes: plain data as it is, other types through the packs' codecs.

Lists, tuples and dicts keep their kind; nothing in the bytes is ever executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import msgspec

from engine.authoring.protocols import Codec, File

Codecs: TypeAlias = Mapping[str, Codec]

PLAIN = (str, int, float, bool, bytes, type(None))


class NotStorable(Exception):
    """A value has a type that no codec knows: it lives in memory only."""


def dumps(value: Any, codecs: Codecs) -> bytes:
    """Bytes of a value.

    Raises:
        NotStorable: some part of it has no codec.
    """
    try:
        return msgspec.msgpack.encode(_packed(value, codecs))
    except OverflowError as error:
        raise NotStorable("an integer of more than 64 bits") from error


def loads(data: bytes, codecs: Codecs) -> Any:
    """The value of bytes that `dumps` made.

    Raises:
        NotStorable: a codec it needs is not installed.
        msgspec.DecodeError: the bytes are damaged.
    """
    return _unpacked(msgspec.msgpack.decode(data), codecs)


def nbytes(value: Any, codecs: Codecs) -> int:
    """About how much memory a value takes.

    Model handles count nothing: their weights are accounted where they are loaded.
    """
    if isinstance(value, dict):
        return sum(nbytes(item, codecs) for item in value.values())  # pyright: ignore[reportUnknownVariableType] - any value
    if isinstance(value, list | tuple):
        return 8 + sum(nbytes(item, codecs) for item in value)  # pyright: ignore[reportUnknownVariableType] - any value
    if isinstance(value, str | bytes):
        return len(value)
    return int(value.nbytes) if type_name(value) in codecs else 8


def type_name(value: Any) -> str:
    """Full name of the value's type, "torch.Tensor"."""
    kind = cast("type[object]", type(value))
    return f"{kind.__module__}.{kind.__qualname__}"


def _packed(value: Any, codecs: Codecs) -> Any:
    if isinstance(value, dict):
        return ["dict", [[key, _packed(item, codecs)] for key, item in value.items()]]  # pyright: ignore[reportUnknownVariableType] - any value
    if isinstance(value, File):
        return ["file", [value.filename, value.subfolder, value.type]]
    if isinstance(value, list | tuple):
        parts: list[Any] = [_packed(item, codecs) for item in value]  # pyright: ignore[reportUnknownVariableType] - any value
        return ["list" if isinstance(value, list) else "tuple", parts]
    if type(value) in PLAIN:
        return ["plain", value]
    name = type_name(value)
    if name not in codecs:
        raise NotStorable(name)
    return [name, codecs[name].dump(value)]


def _unpacked(packed: Any, codecs: Codecs) -> Any:
    kind, body = packed
    match kind:
        case "plain":
            return body
        case "dict":
            return {key: _unpacked(item, codecs) for key, item in body}
        case "list":
            return [_unpacked(item, codecs) for item in body]
        case "tuple":
            return tuple(_unpacked(item, codecs) for item in body)
        case "file":
            return File(*body)
        case name if name in codecs:
            return codecs[name].load(body)
        case name:
            raise NotStorable(name)
