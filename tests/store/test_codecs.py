"""Values as bytes and back: the same kind, the same content, or honestly refused."""

from __future__ import annotations

import collections
import enum
import math
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.authoring.protocols import File
from engine.store.codecs import NotStorable, dumps, loads


class FractionCodec:
    """A codec of the tests' own."""

    type_name = "fractions.Fraction"

    def dump(self, value: Fraction) -> bytes:
        return str(value).encode()

    def load(self, data: bytes) -> Fraction:
        return Fraction(data.decode())


CODECS = {"fractions.Fraction": FractionCodec()}

EASY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.fractions()
    | st.builds(File, st.text(), st.text(), st.sampled_from(["output", "temp", "input"]))
)
KEYS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.tuples(st.text())
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(KEYS, inner, max_size=4)
    ),
)


def alike(one: Any, two: Any) -> bool:
    """Equal, of the same types, NaN like NaN."""
    if type(one) is not type(two):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(alike, one, two))  # pyright: ignore[reportUnknownArgumentType] - any value
    if isinstance(one, dict):
        return alike([*one.items()], [*two.items()])  # pyright: ignore[reportUnknownArgumentType] - any value
    return one == two or (isinstance(one, float) and math.isnan(one) and math.isnan(two))


@EASY
@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any):
    assert alike(loads(dumps(value, CODECS), CODECS), value)


@EASY
@given(st.binary())
def test_bytes_that_are_none_of_ours_are_refused(data: bytes):
    try:
        loads(data, CODECS)
    except (msgspec.DecodeError, NotStorable, ValueError, TypeError):
        return
    raise AssertionError("random bytes were taken for a value")


class Point(NamedTuple):
    """A tuple of a kind that plain bytes would lose."""

    x: int


class Colour(enum.IntEnum):
    """A number of a kind that plain bytes would lose."""

    RED = 1


def in_itself() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


def deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(5000):
        made = [made]
    return made


STRANGE: list[Any] = [
    object(),
    {1, 2},
    Point(1),
    Colour.RED,
    collections.OrderedDict(a=1),
    collections.defaultdict(int),
    [1, (2, {"a": object()})],
    {object(): 1},
    2**64,
    -(2**63) - 1,
    "half \ud800",
    {"half \ud800": 1},
    in_itself(),
    deep(),
    lambda: 1,
]


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: type(value).__name__)
def test_what_bytes_cannot_say_is_refused(value: Any):
    with pytest.raises(NotStorable):
        dumps(value, CODECS)


def test_a_value_of_a_codec_that_is_gone_is_refused():
    data = dumps([Fraction(1, 3)], CODECS)
    with pytest.raises(NotStorable, match=r"fractions\.Fraction"):
        loads(data, {})
