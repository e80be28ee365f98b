"""Sockets: the types of links, declared without importing what flows through them.

A node pack gives each of its types two faces, the real one for the type checker and a `Socket`
at run time::

    if TYPE_CHECKING:
        from torch import Tensor
        Image: TypeAlias = Tensor
    else:
        Image = Socket("IMAGE")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

ANY = "*"


@dataclass(frozen=True)
class Socket:
    """A type of link, known by the name it has on the wire ("IMAGE"); "*" fits every type.

    Attributes:
        words: what flows, in a sentence: the tooltip of inputs that have none of their own.
    """

    name: str
    words: str = ""

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - `|` is what is being defined

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007 - `|` is what is being defined


def is_compatible(received: str, expected: str) -> bool:
    """Whether a link of type `received` may enter an input of type `expected`.

    Both may be comma lists ("INT,FLOAT"), of which one common name is enough.
    """
    if ANY in (received, expected):
        return True
    return not set(received.split(",")).isdisjoint(expected.split(","))
