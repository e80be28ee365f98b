"""Whatever one class declares, it harms no other: it is understood, or left out with the reason."""

from __future__ import annotations

import itertools
import json
import math
import sys
import threading
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.authoring.errors import MissingFile
from engine.authoring.markers import Files
from engine.authoring.registry import Registry
from engine.authoring.spec import Input, NodeSpec
from engine.compat.packs import Pack, Packs
from engine.graph.errors import PromptError
from engine.graph.node_info import input_config, node_info
from engine.graph.validate import validate
from engine.server.wire import encoded
from tests.compat.test_declared import AnyType, a_class
from tests.run.conftest import n


class Colour(Enum):
    RED = "red"
    FAR = 10**40


class EqualsAll(str):
    """Says so by __eq__ alone."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Raises:
    """Fails at whatever is asked of it."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __iter__(self) -> Any:
        raise RuntimeError("no items")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("cannot be compared")

    __hash__ = object.__hash__


class Everything(dict[str, Any]):
    def __contains__(self, name: object) -> bool:
        return True


NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2**31, 2**63, 2**64, 10**30, -0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFFFFFF),
    *(sys.maxsize, -sys.maxsize - 1, 10**400, -(10**4000), 0.5, math.inf, -math.inf, math.nan),
    *(True, np.int64(5), np.float32(0.1), np.float64("inf"), np.uint64(2**64 - 1), np.bool_(1)),
    *(Fraction(1, 3), Colour.FAR, "5", None, [], 1e308, np.array(3), np.array([1, 2])),
)
KEYS: tuple[Any, ...] = (None, 5, Colour.RED, (1, "a"), b"x", Raises(), 0.5, type)
ODD: tuple[Any, ...] = (
    *(lambda: None, object(), Raises(), Colour, Colour.RED, AnyType("*"), EqualsAll("x")),
    *(type, int, {1, 2}, frozenset("ab"), b"bytes", "\ud800", range(5), (1, ("a", ["b"])), {}),
    *("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "*", "IMAGE", "INT,FLOAT", "INT, STRING", ""),
    *(np.arange(3), Everything(), Ellipsis, complex(1, 1), 5, NotImplemented),
)
MEMBERS = (
    *("default", "min", "max", "step", "round", "display", "options", "multiline", "tooltip"),
    *("forceInput", "lazy", "rawLink", "control_after_generate", "image_upload", "remote"),
)
ATTRIBUTES = (
    *("RETURN_TYPES", "RETURN_NAMES", "OUTPUT_IS_LIST", "FUNCTION", "CATEGORY", "DESCRIPTION"),
    *("OUTPUT_NODE", "INPUT_IS_LIST", "OUTPUT_TOOLTIPS", "NOT_IDEMPOTENT", "DEPRECATED"),
    *("VALIDATE_INPUTS", "IS_CHANGED", "check_lazy_status"),
)
odd = st.sampled_from(ODD + NUMBERS)
values = st.recursive(
    odd,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(("a", 1, None, Colour.RED)), inner, max_size=3)
    ),
    max_leaves=5,
)
options = st.dictionaries(st.sampled_from(MEMBERS), values, max_size=6)
numeric = st.tuples(
    st.sampled_from(("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "INT,STRING", "MY_TYPE")),
    st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from(NUMBERS), max_size=6),
)
entries = numeric | st.tuples(values, options) | values
names = st.sampled_from(("value", "self", "id", "kwargs", " run", "", 5, None, Colour.RED))
sections = st.dictionaries(names, entries, max_size=3)
input_types = values | st.fixed_dictionaries(
    {}, optional={"required": sections | values, "optional": sections, "hidden": sections | values}
)
attributes = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(ATTRIBUTES, values),
)
literals = st.none() | st.booleans() | st.sampled_from((0, 10**30, -1.5, 1e300, "x", "5"))


class NoFiles:
    """Folders with nothing in them."""

    def files(self, files: Files) -> list[str]:
        return []

    def has_input(self, name: str) -> bool:
        return False

    def model_path(self, folder: str, name: str) -> Path:
        raise MissingFile(f"there is no {name} in {folder}")


def loaded(classes: Mapping[Any, Any], titles: Any = None) -> Registry:
    """The nodes of a pack with these classes and a sound one, in a process of its own mind."""
    registry = Registry()
    packs = registry.custom_nodes = Packs(registry)
    sound = a_class({"required": {"value": ("INT", {"default": 1})}}, OUTPUT_NODE=True)
    packs.take(Pack("pack", "1", {**classes, "Sound": sound}, titles or {}, None, threading.Lock()))
    return registry


def told(registry: Registry) -> dict[str, Any]:
    """Object_info as clients get it: strict JSON, whose numbers a browser can read."""

    def number(word: str) -> float:
        assert math.isfinite(float(word))
        return float(word)

    def wrong(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    specs: dict[str, NodeSpec] = registry.nodes
    body = encoded({id: node_info(spec, NoFiles().files) for id, spec in specs.items()})
    return json.loads(body, parse_int=number, parse_constant=wrong)


def config(input: Input) -> list[Any]:
    """How an input is described in errors."""
    return input_config(input, NoFiles().files)


async def refused(registry: Registry, prompt: dict[str, Any]) -> PromptError | None:
    """Why a prompt cannot run, if it cannot."""
    try:
        await validate(prompt, registry, NoFiles(), config)
    except PromptError as error:
        encoded(error.node_errors)
        return error
    return None


@given(input_types, attributes, values, literals)
@example({"required": {"value": ("INT", {"min": -0xFFFFFFFFFFFFFFFF})}}, {}, None, 5)
@example({"required": {"value": ("STRING", {"min": 0})}}, {"OUTPUT_NODE": True}, None, "x")
@example({"required": {"value": (itertools.count(),)}}, {}, None, 5)
async def test_an_odd_class_is_understood_or_left_out_with_the_reason(
    types: Any, more: dict[str, Any], title: Any, literal: Any
):
    registry = loaded({"Odd": a_class(types, **more)}, {"Odd": title, "Sound": "A node"})
    info = told(registry)
    assert info["Sound"]["display_name"] == "A node"
    assert await refused(registry, {"1": n("Sound", value=1)}) is None
    error = await refused(registry, {"1": n("Odd", value=literal, id=literal)})
    if "Odd" in registry.nodes:
        assert "pack: Odd" not in registry.failures
        assert isinstance(info["Odd"]["display_name"], str)
    else:
        assert error is not None
        assert registry.failures["pack: Odd"] in error.message
        assert " at 0x" not in error.message


@given(st.dictionaries(st.text(max_size=3) | st.sampled_from(KEYS), values, max_size=3), values)
async def test_odd_mappings_of_names_to_classes_leave_out_what_is_no_class(
    classes: dict[Any, Any], titles: Any
):
    registry = loaded(classes, titles if isinstance(titles, dict) else None)
    assert [*registry.nodes] == ["Sound"]
    assert await refused(registry, {"1": n("Sound", value=1)}) is None


def test_limits_are_kept_whatever_their_size():
    entry = ("INT", {"default": 2**70, "min": -0xFFFFFFFFFFFFFFFF, "max": 0xFFFFFFFFFFFFFFFFFFFF})
    registry = loaded({"Odd": a_class({"required": {"value": entry}}, OUTPUT_NODE=True)})
    (made,) = registry.nodes["Odd"].inputs
    assert made.range is not None
    assert (made.range.min, made.range.max) == (entry[1]["min"], entry[1]["max"])
    assert registry.nodes["Odd"].object_info is not None
    assert registry.nodes["Odd"].object_info["input"]["required"]["value"] == [*entry]


@pytest.mark.parametrize("value", [-(2**64), 2**80])
async def test_a_literal_beyond_a_wide_limit_is_refused_in_words(value: int):
    entry = ("INT", {"min": -0xFFFFFFFFFFFFFFFF, "max": 0xFFFFFFFFFFFFFFFFFFFF})
    registry = loaded({"Odd": a_class({"required": {"value": entry}}, OUTPUT_NODE=True)})
    error = await refused(registry, {"1": n("Odd", value=value)})
    assert error is not None
    assert "than m" in error.details


def test_numbers_of_numpy_and_members_of_enums_are_what_they_stand_for():
    entry = (Colour, {"default": Colour.RED})
    number = ("FLOAT", {"default": np.float32(0.5), "max": np.int64(7)})
    registry = loaded({"Odd": a_class({"required": {"value": entry, "number": number}})})
    value, other = registry.nodes["Odd"].inputs
    assert value.object_info == [["red", 10**40], {"default": "red"}]
    assert other.object_info == ["FLOAT", {"default": 0.5, "max": 7}]


async def test_an_input_may_have_the_name_of_a_parameter_of_ours(tmp_path: Path):
    types = {"required": {"id": ("INT",), "self": ("INT",)}}

    def check(**given: Any) -> bool | str:
        return given["id"] == 1 or "not one"

    kind = a_class(types, VALIDATE_INPUTS=staticmethod(check), OUTPUT_NODE=True)
    registry = loaded({"Odd": kind})
    assert await refused(registry, {"1": n("Odd", id=1, self=2)}) is None
    error = await refused(registry, {"1": n("Odd", id=2, self=2)})
    assert error is not None
    assert "not one" in error.details
