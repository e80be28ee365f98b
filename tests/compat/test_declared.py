"""What classes say of themselves, right or wrong: plain data, or one clear error."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compat.declared import Misdeclared, Source, declared
from engine.compat.plain import plain
from engine.run.remote_nodes import InputDescription, NodeDescription, spec_of

SOURCE = Source("Node", "A node", "custom_nodes.pack", "1")

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.sampled_from([int, object(), Enum, {1, 2}, "INT", "STRING", "IMAGE", "COMBO", "*"])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
sections = st.dictionaries(st.text(max_size=5), values, max_size=3)
types = st.fixed_dictionaries(
    {}, optional={"required": sections | values, "optional": sections, "hidden": sections}
)


class AnyType(str):
    """Says that it is equal to every type."""

    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def a_class(input_types: Any, **attributes: Any) -> Any:
    """A V1 class."""

    def of_class(_: type) -> Any:
        return input_types

    def run(self: Any) -> None: ...

    members: dict[str, Any] = {
        "FUNCTION": "run",
        "RETURN_TYPES": (),
        "INPUT_TYPES": classmethod(of_class),
    }
    return type("Made", (), {"run": run, **members, **attributes})


def read(input_types: Any, **attributes: Any) -> NodeDescription:
    return declared(a_class(input_types, **attributes), SOURCE)[0]


def input_of(*entry: Any) -> InputDescription:
    return read({"required": {"value": entry}}).inputs[0]


@given(types | values, values, values)
def test_whatever_a_class_declares_is_data_or_one_clear_error(
    input_types: Any, outputs: Any, names: Any
):
    try:
        node = read(input_types, RETURN_TYPES=outputs, RETURN_NAMES=names)
    except Misdeclared:
        return
    sent = msgspec.json.decode(msgspec.json.encode(node), type=NodeDescription)
    order: dict[str, list[str]] = node.object_info["input_order"]
    shown = {*order["required"], *order.get("optional", [])}
    taken = {input.name for input in spec_of(sent, print).inputs}
    assert shown <= taken <= shown | set(order.get("hidden", []))


@given(values)
def test_whatever_a_pack_says_can_be_sent(value: Any):
    msgspec.msgpack.decode(msgspec.msgpack.encode(plain(value)))
    msgspec.json.decode(msgspec.json.encode(plain(value)))


def test_a_string_that_equals_every_type_fits_every_type():
    made = input_of(AnyType("anything"))
    assert (made.type, made.object_info) == ("*", ["anything"])


def test_choices_are_literals_of_any_kind():
    made = input_of([1, 2.5, "three", None], {"default": 1})
    assert (made.type, made.options) == ("COMBO", [1, 2.5, "three", None])
    newer = input_of("COMBO", {"options": ["a", "b"]})
    assert (newer.type, newer.options) == ("COMBO", ["a", "b"])


def test_a_choice_of_several_is_not_held_against_its_list():
    assert input_of("COMBO", {"options": ["a"], "multiselect": True}).options is None


def test_endless_limits_are_no_limits_and_large_ones_stay():
    made = input_of("INT", {"min": -float("inf"), "max": 2**64 - 1})
    assert (made.min, made.max) == (None, 2**64 - 1)
    assert made.object_info == ["INT", {"max": 2**64 - 1}]


def test_the_last_output_names_may_be_left_out():
    node = read({}, RETURN_TYPES=("INT", ["a", "b"], "IMAGE"), RETURN_NAMES=("number",))
    assert node.outputs == [
        ("number", "INT", False),
        ("COMBO", "COMBO", False),
        ("IMAGE", "IMAGE", False),
    ]
    assert node.object_info["output"] == ["INT", ["a", "b"], "IMAGE"]


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"FUNCTION": None}, "has no FUNCTION"),
        ({"FUNCTION": "walk"}, "no such method"),
        ({"RETURN_TYPES": "IMAGE"}, 'write a tuple: ("IMAGE",)'),
        ({"RETURN_TYPES": None}, "has RETURN_TYPES = None"),
        ({"RETURN_TYPES": (5,)}, "has an output of the type 5"),
        ({"INPUT_TYPES": None}, "has no INPUT_TYPES"),
    ],
)
def test_a_wrong_attribute_is_named_with_its_remedy(attributes: dict[str, Any], told: str):
    with pytest.raises(Misdeclared, match=re.escape(told)):
        read({}, **attributes)


@pytest.mark.parametrize("wrong", [None, 5, {"required": 5}, {"required": {"value": ()}}])
def test_wrong_input_types_are_told(wrong: Any):
    with pytest.raises(Misdeclared):
        read(wrong)
