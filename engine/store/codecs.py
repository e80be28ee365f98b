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
        NotStorable: some part of it has no codec, or is nothing that msgpack can say (an integer
            of more than 64 bits, half a surrogate pair, a list in itself).
    """
    try:
        return msgspec.msgpack.encode(_packed(value, codecs))
    except (OverflowError, UnicodeEncodeError, RecursionError) as error:
        raise NotStorable(str(error)) from error


def loads(data: bytes, codecs: Codecs) -> Any:
    """The value of bytes that `dumps` made.

    Raises:
        NotStorable: a codec it needs is not installed.
        Exception: the bytes are damaged; what it is depends on the codec that notices.
    """
    return _unpacked(msgspec.msgpack.decode(data), codecs)


def type_name(value: Any) -> str:
    """Full name of the value's type, "torch.Tensor"."""
    kind = cast("type[object]", type(value))
    return f"{kind.__module__}.{kind.__qualname__}"


def _packed(value: Any, codecs: Codecs) -> Any:
    kind = cast("type[object]", type(value))  # of a subclass only its own codec knows more
    if kind is dict:
        pairs = cast("dict[Any, Any]", value).items()
        return ["dict", [[_packed(key, codecs), _packed(item, codecs)] for key, item in pairs]]
    if kind in (list, tuple):
        return [kind.__name__, [_packed(item, codecs) for item in value]]
    if kind is File:
        return ["file", [value.filename, value.subfolder, value.type]]
    if kind in PLAIN:
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
            return {_unpacked(key, codecs): _unpacked(item, codecs) for key, item in body}
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
