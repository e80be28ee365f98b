"""What a pickle says of objects, as values that do nothing, and which of its calls make such.

A name stays a name: nothing that a pickle names is imported or called.
"""

from __future__ import annotations

import re
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

DICTS = {"collections.OrderedDict", "collections.defaultdict", "collections.Counter"}
PLAIN = (
    "set|frozenset|list|tuple|dict|slice|complex|range|bytes|bytearray|object|int|float|str|bool"
)
NUMPY = r"numpy\.(_?core\.(_?multiarray|numeric)|random\._pickle|dtypes|_?core\.numerictypes|)"
# What may be called because it makes nothing but data; here it makes an `Inert`.
DATA = re.compile(
    rf"""builtins\.({PLAIN}) | _codecs\.encode
    | collections\.deque | datetime\.\w+ | decimal\.Decimal | fractions\.Fraction | uuid\.UUID
    | (pathlib|pathlib\._local)\.\w*Path | argparse\.Namespace | types\.SimpleNamespace
    | {NUMPY}\.?(_reconstruct|_frombuffer|scalar|dtype|ndarray|\w+DType|[a-z]+\d+|bool_?|__\w+_ctor)
    | torch\.(device|dtype|Size|Tensor|Generator) | torch\._utils\._rebuild_\w+
    | torch\.serialization\._get_layout | torch\._tensor\._rebuild_from_type(_v2)?
    | torch\.nn\.parameter\.(Parameter|Buffer)
    """,
    re.VERBOSE,
)
CLASS = re.compile(r"(.*\.)?_*[A-Z]\w*")
NUMBERS = re.compile(r"(u?int|b?float|complex)\d+(_e\dm\d(fn)?u?z?)?|bool")
"""Types of torch by name."""


class PickleError(ValueError):
    """A pickle that is broken, or of a kind that is not read."""


class CallError(PickleError):
    """A pickle that calls a program.

    Attributes:
        called: full name of what it wanted to call.
    """

    def __init__(self, called: str) -> None:
        super().__init__(f"it calls {called}")
        self.called = called


@dataclass(frozen=True)
class Name:
    """A function or class that a pickle names."""

    text: str

    @classmethod
    def of(cls, module: str, name: str) -> Name:
        """The name of something in a module; older pickles call modules as Python 2 did."""
        module, name = NAME_MAPPING.get((module, name), (module, name))
        return cls(f"{IMPORT_MAPPING.get(module, module)}.{name}")


@dataclass(eq=False)
class Inert:
    """An object of a class that nobody imports: what a pickle says of it.

    Attributes:
        kind: full name of the class.
        arguments: what it was made of.
        entries: its items, if it is like a dict.
        state: its attributes.
    """

    kind: str
    arguments: tuple[Any, ...] = ()
    entries: dict[Any, Any] = field(default_factory=dict[Any, Any])
    state: Any = None


@dataclass(frozen=True)
class Storage:
    """So many numbers in a row, by their key in the file."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Stored:
    """A tensor: which numbers of a storage it shows.

    Attributes:
        dtype: by torch's name, where it is not that of the storage.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str


def new(kind: Any, arguments: tuple[Any, ...]) -> Any:
    """An object of a class, not initialised."""
    if not isinstance(kind, Name):
        _refuse(kind)
    return {} if kind.text in DICTS else Inert(kind.text, arguments)


def called(function: Any, arguments: tuple[Any, ...]) -> Any:
    """What a call gives, if it is one that makes data.

    Raises:
        CallError: it is not.
    """
    if not isinstance(function, Name):
        _refuse(function)
    text = function.text
    if text in DICTS:
        return _dict(text, arguments)
    if text in REBUILT:
        return REBUILT[text](arguments)
    if text in ("copyreg._reconstructor", "copyreg.__newobj__"):
        return new(arguments[0], arguments[1:])
    if text == "torch.Size":
        return tuple(arguments[0])
    if not DATA.fullmatch(text) and not _is_class_of_others(text):
        raise CallError(text)
    return Inert(text, arguments)


def _is_class_of_others(text: str) -> bool:
    """Whether a name is spelled like a class, of none of Python's own modules."""
    own = text.partition(".")[0] in sys.stdlib_module_names
    return not own and CLASS.fullmatch(text) is not None


def _refuse(called: Any) -> NoReturn:
    raise CallError(called.kind if isinstance(called, Inert) else type(called).__name__)


def _dict(text: str, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if text == "collections.defaultdict" or not arguments:  # the factory is of no use here
        return {}
    first: Any = arguments[0]
    return dict(first)


def _tensor(arguments: tuple[Any, ...]) -> Stored:
    """storage, offset, shape, stride, and in the newest form a type of its own."""
    storage, offset, shape, stride = arguments[:4]
    dtype = arguments[6] if len(arguments) > 6 else None
    kind = dtype.text.rpartition(".")[2] if isinstance(dtype, Name) else storage.dtype
    found = Stored(storage, offset, tuple(shape), tuple(stride), kind)
    numbers = (offset, *found.shape, *found.stride)
    if not isinstance(storage, Storage) or len(found.shape) != len(found.stride):
        raise TypeError
    if not NUMBERS.fullmatch(kind):
        raise PickleError(f"it has numbers of a kind that is not read, {kind[:50]}")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise TypeError
    return found


def _of_a_type(arguments: tuple[Any, ...]) -> Any:
    """A tensor of a class of its own, or with attributes: function, class, arguments, state."""
    return called(arguments[0], tuple(arguments[2]))


REBUILT: Mapping[str, Callable[[tuple[Any, ...]], Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_parameter": lambda arguments: arguments[0],
    "torch._utils._rebuild_parameter_with_state": lambda arguments: arguments[0],
    "torch._tensor._rebuild_from_type": _of_a_type,
    "torch._tensor._rebuild_from_type_v2": _of_a_type,
}
