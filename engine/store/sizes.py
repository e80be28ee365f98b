"""How much memory a result takes: about, but of anything, as node packs pass whatever they like."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from sys import getsizeof
from typing import Any, cast

MAX_PARTS = 100_000
MIN_NBYTES = 16
LEAVES = frozenset((type(None), bool, int, float, complex, str, bytes, bytearray))
CODE = frozenset(
    (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
)


def nbytes(value: Any) -> int:
    """Bytes of a value with all that it holds; arrays and tensors say their own.

    Model handles count nothing more: their weights are accounted where they are loaded. Code does
    not count, it is there anyhow; what is there twice counts once. Of a value of very many parts
    the first 100 000 are looked at.
    """
    total = 0
    seen: set[int] = set()
    waiting: list[Any] = [value]
    while waiting and len(seen) < MAX_PARTS:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        kind = cast("type[object]", type(item))  # never by its own word: it may say anything
        if kind in LEAVES:
            total += getsizeof(item)
        elif kind in (list, tuple):
            total += getsizeof(item)
            waiting.extend(item)
        elif kind is dict:
            total += getsizeof(item)
            waiting.extend(item)
            waiting.extend(item.values())
        elif kind not in CODE and not issubclass(kind, type):
            handle = is_handle(kind)
            said = 0 if handle else _declared_nbytes(item)
            total += said or _own_nbytes(item)
            if not said and not handle:
                waiting.extend(_parts(item, kind))
    return total


def _declared_nbytes(item: Any) -> int:
    """The bytes that an array says it has; 0 where nothing sensible is said."""
    try:
        said = getattr(item, "nbytes", 0)
    except Exception:  # noqa: BLE001 - a pack's class may do anything
        return 0
    return said if type(said) is int and said > 0 else 0


def _own_nbytes(item: Any) -> int:
    """Bytes of the object itself."""
    try:
        return getsizeof(item)
    except Exception:  # noqa: BLE001 - a pack's class may do anything
        return MIN_NBYTES


def _parts(item: Any, kind: type[object]) -> Iterator[Any]:
    """What a container holds, and the values of an object's attributes, without asking it."""
    plain: type[dict[Any, Any]] = dict
    with suppress(Exception):
        if issubclass(kind, dict):
            for pair in plain.items(cast("dict[Any, Any]", item)):
                yield from pair
        elif issubclass(kind, list | tuple | set | frozenset):
            yield from cast("Iterable[Any]", item)
    with suppress(Exception):
        yield from object.__getattribute__(item, "__dict__").values()
    for slots in [base.__dict__.get("__slots__", ()) for base in kind.__mro__]:
        for name in (slots,) if isinstance(slots, str) else slots:
            with suppress(Exception):
                yield object.__getattribute__(item, name)


@lru_cache(1000)
def is_handle(kind: type[object]) -> bool:
    """Whether objects of a class stand for weights that are loaded elsewhere (see `Resident`)."""
    return hasattr(kind, "load") and hasattr(kind, "bind")
