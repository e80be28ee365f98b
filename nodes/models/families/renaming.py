"""Where the weights of a transformer lie in a file that names them otherwise, by a table.

The table has a rule for each layer of the original: the layer of diffusers that it is, several
that it holds one below the other, or one whose rows stand in another order. ``{n}`` is the number
of a block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nodes.models.files.pieces import Piece, Pieces

BLOCK = re.compile(r"((?:\w+\.)*?\w*(?:blocks|layers|norms|refiner))\.(\d+)\.(.+)")
ENDS = {"scale": "weight"}
"""Endings that diffusers names otherwise; it keeps others."""


@dataclass(frozen=True)
class Split:
    """A layer that holds several, one below the other.

    Attributes:
        names: of the layers.
        rows: of each; the last may take what is left, and all as many where it is empty.
    """

    names: tuple[str, ...]
    rows: tuple[int, ...] = ()

    def pieces(self, name: str, count: int) -> dict[str, tuple[Piece, ...]]:
        """The layers of a tensor of `count` rows."""
        rows = [*self.rows] or [count // len(self.names)] * len(self.names)
        if len(rows) < len(self.names):
            rows.append(count - sum(rows))
        starts = [sum(rows[:place]) for place in range(len(rows))]
        return {
            ours: (Piece(name, start, part),)
            for ours, start, part in zip(self.names, starts, rows, strict=True)
        }


@dataclass(frozen=True)
class Reordered:
    """A layer whose rows are equal parts that stand in another order in the file.

    Attributes:
        name: of the layer.
        order: the part of the file that stands at each place.
    """

    name: str
    order: tuple[int, ...] = (1, 0)

    def pieces(self, name: str, count: int) -> dict[str, tuple[Piece, ...]]:
        """The layer of a tensor of `count` rows."""
        part = count // len(self.order)
        return {self.name: tuple(Piece(name, place * part, part) for place in self.order)}


Rule: TypeAlias = str | Split | Reordered
Shapes: TypeAlias = Mapping[str, Sequence[int]]


def within(theirs: str, ours: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules with beginnings in front of all names: of the file, and of the network."""
    return {theirs + name: _begun(ours, rule) for name, rule in rules.items()}


def _begun(ours: str, rule: Rule) -> Rule:
    if isinstance(rule, Split):
        return Split(tuple(ours + name for name in rule.names), rule.rows)
    return Reordered(ours + rule.name, rule.order) if isinstance(rule, Reordered) else ours + rule


def renamed(shapes: Shapes, rules: Mapping[str, Rule]) -> dict[str, tuple[Piece, ...]]:
    """Pieces of the weights whose layers, or whole names, have a rule; others are left out."""
    found: dict[str, tuple[Piece, ...]] = {}
    for name, shape in shapes.items():
        match = BLOCK.fullmatch(name)
        general, block = (name, "") if match is None else (f"{match[1]}.{{n}}.{match[3]}", match[2])
        if (rule := rules.get(general)) is not None:
            ending = ""
        else:
            general, _, last = general.rpartition(".")
            ending = "." + ENDS.get(last, last)
            rule = rules.get(general)
        if isinstance(rule, str):
            found[rule.replace("{n}", block) + ending] = (Piece(name),)
        elif rule is not None and shape:
            for ours, of_one in rule.pieces(name, int(shape[0])).items():
                found[ours.replace("{n}", block) + ending] = of_one
    return found


def shapes_of(pieces: Pieces, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The shapes of weights that are made of pieces."""
    found: dict[str, tuple[int, ...]] = {}
    for name, of_one in pieces.items():
        parts = [piece.shape(tuple(shapes[piece.name])) for piece in of_one]
        found[name] = (sum(part[0] for part in parts), *parts[0][1:]) if parts[0] else ()
    return found


def count(shapes: Shapes, place: str) -> int:
    """How many blocks a list has, by names like ``place.0.norm.weight``."""
    numbers = {
        int(name.removeprefix(place + ".").partition(".")[0])
        for name in shapes
        if name.startswith(place + ".")
    }
    return 1 + max(numbers, default=-1)
