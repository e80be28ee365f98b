"""Sizes of results: of all kinds of values, however they are nested, and of those that lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given

from engine.store.sizes import MAX_PARTS, nbytes
from tests.store.test_codecs import EASY, STRANGE, VALUES

MEGABYTE = 1_000_000


def megabyte() -> Any:
    return np.zeros(MEGABYTE, np.uint8)


@dataclass
class Holder:
    """Holds something, as packs' own classes do."""

    held: Any


class Slotted:
    """Holds something in a slot; the other is empty."""

    __slots__ = ("held", "never_set")

    def __init__(self, held: Any) -> None:
        self.held = held


class Heavier(Slotted):
    """Holds more besides."""

    def __init__(self, held: Any) -> None:
        super().__init__(None)
        self.more = held


WRAPPED: dict[str, Callable[[], Any]] = {
    "an array": megabyte,
    "a tensor": lambda: torch.zeros(MEGABYTE // 4),
    "text": lambda: "x" * MEGABYTE,
    "bytes": lambda: b"x" * MEGABYTE,
    "a list": lambda: [1, megabyte()],
    "a dict": lambda: {"a": (megabyte(),)},
    "a key": lambda: {"x" * MEGABYTE: 1},
    "a set": lambda: {"x" * MEGABYTE},
    "an object": lambda: Holder(megabyte()),
    "a slot": lambda: Slotted(megabyte()),
    "a class of both": lambda: Heavier(megabyte()),
    "a namespace": lambda: SimpleNamespace(deep=[Holder({"x": megabyte()})]),
    "a module of torch": lambda: torch.nn.Linear(500, 499),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_what_a_value_holds_is_counted_wherever_it_is(name: str):
    value = WRAPPED[name]()
    assert MEGABYTE <= nbytes(value) < 1.01 * MEGABYTE
    assert nbytes([value, value]) < 1.01 * MEGABYTE, "it is in memory once"
    assert nbytes([value, WRAPPED[name]()]) >= 1.99 * MEGABYTE or name == "text"


def test_weights_are_counted_where_they_are_loaded():
    class Handle:
        key = base = "x"
        nbytes = 10**12

        def __init__(self) -> None:
            self.network = megabyte()

        def load(self, device: str) -> None: ...

        def bind(self, loaded: object) -> None: ...

    assert nbytes([Handle()]) < 1000


def test_code_is_there_anyhow():
    before = nbytes([None, None])
    assert nbytes([np, megabyte]) <= before


@pytest.mark.parametrize("said", [-(10**9), "many", None, 1.5, float("nan")])
def test_a_size_that_is_none_is_not_believed(said: Any):
    assert 0 < nbytes(SimpleNamespace(nbytes=said)) < 2000


def test_whatever_an_object_does_when_it_is_asked_it_has_a_size():
    class Sulking:
        @property
        def nbytes(self) -> int:
            raise RuntimeError("no")

        def __sizeof__(self) -> int:
            raise RuntimeError("no")

        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("no")

    assert nbytes(Sulking()) > 0


def test_very_many_parts_are_looked_at_in_part():
    assert nbytes([[] for _ in range(2 * MAX_PARTS)]) >= 16 * MAX_PARTS


@EASY
@given(VALUES)
def test_any_value_has_a_size(value: Any):
    assert nbytes(value) > 0


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: type(value).__name__)
def test_strange_ones_too(value: Any):
    assert nbytes([value]) > 0
