"""Pickles of torch read as data: nothing that they name is imported, nothing of theirs is called.

A pickle is a program for a small machine, which reaches the world by the names of functions and
classes that it asks for. Here a name stays a name (`inert`). What a trainer leaves beside its
weights (callbacks, settings, numbers of numpy) becomes an `Inert` value, tensors become a `Stored`
place in the file, and a pickle that calls anything else is refused by the name of what it calls.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeAlias, cast

from nodes.models.files.inert import Inert, Name, PickleError, Storage, Stored, called, new

STORAGES = {
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "UntypedStorage": "uint8",
    "BoolStorage": "bool",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}

Storages: TypeAlias = dict[str, Storage]


def read_pickle(file: IO[bytes], storages: Storages | None = None) -> Any:
    """The next pickle of a file as dicts, lists, plain values, `Stored` tensors and `Inert` ones.

    Args:
        file: is left behind the end of the pickle.
        storages: gets those that the pickle names, by key.

    Raises:
        CallError: it wants to call a program.
        PickleError: it is broken.
    """
    machine = _Machine({} if storages is None else storages)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            machine.do(opcode.name, argument)
    except PickleError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, MemoryError, OverflowError):
        raise PickleError("it is broken or truncated") from None
    return machine.result


class _Machine:
    """The stack machine of pickles, without any way out."""

    def __init__(self, storages: Storages) -> None:
        self._storages = storages
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self.result: Any = None

    def do(self, name: str, argument: Any) -> None:
        """Carry out one instruction."""
        if name in PUSHED:
            self._stack.append(argument)
        elif name in CONSTANTS:
            self._stack.append(CONSTANTS[name]())
        elif name in DOES:
            DOES[name](self, argument)
        elif name not in IGNORED:
            raise PickleError(f"it has an instruction that is not read here, {name}")

    def take(self) -> Any:
        """The last value."""
        return self._stack.pop()

    def take_marked(self) -> list[Any]:
        """All behind the mark."""
        items, self._stack = self._stack, self._below.pop()
        return items

    def mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self.take_marked()

    def pop_mark(self, _: Any) -> None:
        self.take_marked()

    def copy(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def stop(self, _: Any) -> None:
        self.result = self._stack.pop()

    def put(self, place: Any) -> None:
        self._memo[len(self._memo) if place is None else place] = self._stack[-1]

    def get(self, place: Any) -> None:
        self._stack.append(self._memo[place])

    def some(self, count: int) -> None:
        """A tuple of the last few."""
        items = tuple(self._stack[-count:])
        if len(items) < count:
            raise IndexError
        self._stack[-count:] = [items]

    def sequence(self, kind: Callable[[list[Any]], Any]) -> None:
        """A list or another of all behind the mark."""
        items = self.take_marked()
        self._stack.append(kind(items))

    def append(self, items: list[Any]) -> None:
        """Add to the list on the stack; what is no list forgets them."""
        if isinstance(self._stack[-1], list):
            cast(list[Any], self._stack[-1]).extend(items)

    def set_items(self, items: list[Any]) -> None:
        """Set pairs in the dict, or the object like one, on the stack."""
        target: Any = self._stack[-1]
        entries: dict[Any, Any] = target.entries if isinstance(target, Inert) else target
        for key, value in zip(items[::2], items[1::2], strict=True):
            entries[key] = value

    def name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._stack.append(Name.of(module, name))

    def name_of_two(self, _: Any) -> None:
        module, name = self._stack[-2:]
        self._stack[-2:] = [Name.of(module, name)]

    def call(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._stack.append(called(function, tuple(arguments)))

    def call_marked(self, argument: Any) -> None:
        """Protocol 0 and 1: a class and its arguments behind the mark."""
        items = self.take_marked()
        if argument is not None:  # the class is in the instruction
            items.insert(0, Name.of(*argument.split(" ", 1)))
        self._stack.append(called(items[0], tuple(items[1:])))

    def new(self, count: int) -> None:
        """An object of a class, not initialised: its state comes later."""
        arguments = self._stack[-count + 1]
        kind = self._stack[-count]
        self._stack[-count:] = [new(kind, tuple(arguments))]

    def build(self, _: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, Inert):
            target.state = state
        elif not isinstance(target, dict | Stored):
            raise TypeError

    def persistent(self, id: Any) -> None:
        """What torch keeps outside of the pickle: storages."""
        if id is None:
            id = self._stack.pop()
        match id:
            case ("storage", Name(text), str(key), _, int(count), *rest) if not any(rest):
                dtype = STORAGES.get(text.rpartition(".")[2])
                if dtype is None or count < 0:
                    raise PickleError(f"it has a storage of a kind that is not read, {text}")
                found = self._storages.setdefault(key, Storage(key, dtype, count))
                self._stack.append(found)
            case ("module", Name() as name, *_):  # a class, with its source text behind
                self._stack.append(name)
            case _:
                raise PickleError("it refers to something outside that is no storage")


VALUE = re.compile(
    r"(SHORT_)?(BIN)?(INT[12]?|STRING|BYTES8?|UNICODE8?)|(BIN)?FLOAT|LONG[14]?|BYTEARRAY8"
)
PUSHED = frozenset(op.name for op in pickletools.opcodes if VALUE.fullmatch(op.name))
CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: Inert("builtins.set"),
}
IGNORED = frozenset({"PROTO", "FRAME"})


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _frozen(items: list[Any]) -> Inert:
    return Inert("builtins.frozenset", tuple(items))


DOES: Mapping[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.copy,
    "STOP": _Machine.stop,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    "TUPLE1": lambda machine, _: machine.some(1),
    "TUPLE2": lambda machine, _: machine.some(2),
    "TUPLE3": lambda machine, _: machine.some(3),
    "TUPLE": lambda machine, _: machine.sequence(tuple),
    "LIST": lambda machine, _: machine.sequence(list),
    "DICT": lambda machine, _: machine.sequence(_pairs),
    "FROZENSET": lambda machine, _: machine.sequence(_frozen),
    "APPEND": lambda machine, _: machine.append([machine.take()]),
    "APPENDS": lambda machine, _: machine.append(machine.take_marked()),
    "ADDITEMS": lambda machine, _: machine.append(machine.take_marked()),
    "SETITEM": lambda machine, _: machine.set_items([*reversed([machine.take(), machine.take()])]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.take_marked()),
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_of_two,
    "REDUCE": _Machine.call,
    "INST": _Machine.call_marked,
    "OBJ": _Machine.call_marked,
    "NEWOBJ": lambda machine, _: machine.new(2),
    "NEWOBJ_EX": lambda machine, _: machine.new(3),
    "BUILD": _Machine.build,
    "PERSID": _Machine.persistent,
    "BINPERSID": _Machine.persistent,
}
