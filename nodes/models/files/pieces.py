"""Where the weights of a network lie in a file: each is made of pieces of the file's tensors.

A network's weight may be a whole tensor of the file, some rows of one (query, key and value that a
file holds as one matrix), several put together, or one that lies transposed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from nodes.models.files.quantization import can_stay_quantized
from nodes.models.files.tensor_files import Header, ModelFileError, TensorFile

if TYPE_CHECKING:
    from torch import Tensor

    from nodes.models.files.quantized import QuantizedTensor

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Piece:
    """Some rows of one tensor of a file.

    Attributes:
        name: of the tensor.
        start: its first row that is taken.
        rows: how many rows are taken, None: all.
        transposed: whether rows and columns of the tensor change places before.
        pairs: rows of a head whose two halves lie row by row beside each other, as llama.cpp has
            queries and keys of Llama; 0: they lie one after the other.
        plus: what is added to each number.
    """

    name: str
    start: int = 0
    rows: int | None = None
    transposed: bool = False
    pairs: int = 0
    plus: float = 0.0

    def taken(self, tensor: Tensor) -> Tensor:
        """The rows of `tensor`, a view of it where they are as they lie."""
        if self.transposed:
            tensor = tensor.T
        taken = tensor if self.rows is None else tensor.narrow(0, self.start, self.rows)
        if self.pairs:
            halves = taken.reshape(-1, self.pairs // 2, 2, *taken.shape[1:])
            taken = halves.transpose(1, 2).reshape(taken.shape)
        return taken + self.plus if self.plus else taken

    def shape(self, whole: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what is taken of a tensor of the shape `whole`."""
        turned = whole[::-1] if self.transposed else whole
        return turned if self.rows is None else (self.rows, *turned[1:])


Pieces: TypeAlias = Mapping[str, tuple[Piece, ...]]
"""Name of a weight in the network -> its pieces, in order along the first axis."""


def whole(names: Mapping[str, str]) -> dict[str, tuple[Piece, ...]]:
    """Pieces of weights that each are one tensor: name in the network -> name in the file."""
    return {ours: (Piece(theirs),) for ours, theirs in names.items()}


def placed(pieces: Pieces, ours: str, theirs: str) -> dict[str, tuple[Piece, ...]]:
    """The same with beginnings in front of all names: of the network, and of the file."""
    return {
        ours + name: tuple(replace(piece, name=theirs + piece.name) for piece in of_one)
        for name, of_one in pieces.items()
    }


def below(shapes: Mapping[str, Shape], prefix: str) -> dict[str, Shape]:
    """The tensors whose names begin so, without that beginning."""
    return {
        name.removeprefix(prefix): shape
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }


def checked(path: Path, shapes: Mapping[str, tuple[int, ...]], pieces: Pieces) -> None:
    """See that the rows of all pieces are there.

    Raises:
        ModelFileError: a tensor has too few rows, or too few axes.
    """
    for of_one in pieces.values():
        for piece in of_one:
            turned = shapes[piece.name][:: -1 if piece.transposed else 1]
            end = piece.start + (piece.rows or 0)
            if (piece.rows is not None or piece.transposed) and (not turned or turned[0] < end):
                raise ModelFileError(
                    f"{path}: {piece.name} has the shape {shapes[piece.name]}, too small for what "
                    "it should hold; the file is damaged, get it again"
                )


@dataclass(frozen=True, eq=False)
class NetworkSource:
    """The weights of one network: where they lie and how it is built.

    Attributes:
        header: the file that holds them.
        pieces: what each weight of the network is made of.
        prefix: what the names in the file have in front.
        config: configuration of the network, as diffusers or transformers know it.
        title: what a person calls it, for messages.
    """

    header: Header
    pieces: Pieces = field(repr=False)
    prefix: str = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    title: str

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Name of a weight in the network -> the tensor of the file that it begins in."""
        return {ours: of_one[0].name for ours, of_one in self.pieces.items()}

    @property
    def identity(self) -> str:
        """Tells this network in this very version of its file from all others."""
        return f"{self.header.identity}#{self.title}"

    @property
    def parameters(self) -> int:
        """How many numbers the network holds."""
        return sum(map(self.count, self.pieces))

    def count(self, name: str) -> int:
        """How many numbers a weight holds."""
        return _count(self.shape(name))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a weight as the file has it; of several pieces, put together."""
        shapes = [piece.shape(self.header.shapes[piece.name]) for piece in self.pieces[name]]
        if len(shapes) == 1:
            return shapes[0]
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def weight(self, file: Mapping[str, Tensor], name: str) -> Tensor:
        """A weight of the network, of `file`; may be a view of the file's memory."""
        taken = [piece.taken(file[piece.name]) for piece in self.pieces[name]]
        if len(taken) == 1:
            return taken[0]
        import torch

        return torch.cat(taken)

    def quantized(self, file: TensorFile, name: str) -> QuantizedTensor | None:
        """A weight in the few bits that the file has it in; None: it is read as numbers."""
        if not self._stays_quantized(name):
            return None
        (piece,) = self.pieces[name]
        found = file.quantized(piece.name)
        return found if piece.rows is None else found.rows(piece.start, piece.rows)

    def _stays_quantized(self, name: str) -> bool:
        piece, *others = self.pieces[name]
        quantization = self.header.quantizations.get(piece.name)
        if quantization is None or others or piece.transposed or piece.pairs or piece.plus:
            return False
        return can_stay_quantized(name, self.shape(name))

    def nbytes(self, name: str, item: int, *, quantized: bool, matrix: int | None = None) -> int:
        """What a weight takes in memory.

        Args:
            name: of the weight.
            item: bytes of a number of the network's format.
            quantized: whether weights that the file has in few bits stay so.
            matrix: bytes of a number of other matrices and convolutions; None: as `item`.
        """
        count = self.count(name)
        if quantized and self._stays_quantized(name):
            (piece,) = self.pieces[name]
            whole = self.header.quantizations[piece.name]
            return whole.nbytes * count // max(1, _count(whole.shape))
        return count * (matrix if matrix and can_stay_quantized(name, self.shape(name)) else item)

    def tensors(self, weights: Callable[[str], Tensor]) -> dict[str, Tensor]:
        """The tensors of a file like this one, by its own names, made of weights of the network.

        The inverse of `weight`: fused tensors are put together again.

        Raises:
            ModelFileError: a tensor of the file has rows that belong to no weight.
        """
        rows: dict[str, dict[int, Tensor]] = {}
        turned: set[str] = set()
        for name, of_one in self.pieces.items():
            value, at = weights(name), 0
            for piece in of_one:
                count = piece.shape(self.header.shapes[piece.name])[0] if piece.rows else None
                part = value if count is None else value.narrow(0, at, count)
                at += count or 0
                rows.setdefault(piece.name, {})[piece.start] = part
                if piece.transposed:
                    turned.add(piece.name)
        return {name: self._joined(name, parts, name in turned) for name, parts in rows.items()}

    def _joined(self, name: str, parts: Mapping[int, Tensor], turned: bool) -> Tensor:
        import torch

        ordered = [parts[start] for start in sorted(parts)]
        joined = ordered[0] if len(ordered) == 1 else torch.cat(ordered)
        shape = self.header.shapes[name]
        if joined.numel() != _count(shape):
            raise ModelFileError(f"{self.header.path}: {name} is not wholly in the {self.title}")
        return (joined.T if turned else joined).reshape(shape)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
