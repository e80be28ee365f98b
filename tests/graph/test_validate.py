"""May a prompt run? Coercions, errors, cycles, outputs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from engine.graph.errors import PromptError
from engine.graph.prompt import Graph, Link
from tests.graph.conftest import Checker, n

NAN, INF = math.nan, math.inf
BLANK = n("Blank", width=8)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"i": 64.9}, 64),
        ({"i": True}, 1),
        ({"i": " 64 "}, 64),
        ({"i": 2**64 - 1}, 2**64 - 1),
        ({"free": 10**30}, 10**30),
        ({"free": 1e20}, 10**20),
        ({"f": 3}, 3.0),
        ({"f": "1e1"}, 10.0),
        ({"f": False}, 0.0),
        ({"s": 3.5}, "3.5"),
        ({"s": True}, "True"),
        ({"s": NAN}, "nan"),
        ({"b": "false"}, False),
        ({"b": "ON"}, True),
        ({"b": ""}, False),
        ({"b": 0.0}, False),
        ({"b": 7}, True),
        ({"c": "two"}, "two"),
        ({"maybe": "4"}, 4),
        ({"maybe": None}, None),
        ({"image": None}, None),
        ({"any": {"a": 1}}, {"a": 1}),
        ({"s": {"__value__": "wrapped"}}, "wrapped"),
        ({"i": {"__value__": "7"}}, 7),
        ({"undeclared": [1, 2, 3]}, [1, 2, 3]),
    ],
)
def test_a_literal_is_coerced(check: Checker, given: dict[str, Any], taken: object):
    (name,) = given
    value = check.coerced(**given)[name]
    assert value == taken
    assert type(value) is type(taken)


@pytest.mark.parametrize(
    ("given", "type", "details"),
    [
        ({"i": "abc"}, "invalid_input_type", "i, abc, invalid literal for int() with base 10"),
        ({"i": NAN}, "invalid_input_type", "i, nan, cannot convert float NaN to integer"),
        ({"i": INF}, "invalid_input_type", "i, inf, cannot convert float infinity to integer"),
        ({"i": None}, "invalid_input_type", "i, None, null is not one"),
        ({"i": {"a": 1}}, "invalid_input_type", "i, {'a': 1}, an object is not one"),
        ({"i": {"__value__": [1]}}, "invalid_input_type", "i, [1], a list is not one"),
        ({"i": "9" * 5000}, "invalid_input_type", "Exceeds the limit"),
        ({"i": 2**64}, "value_bigger_than_max", "i"),
        ({"i": 10**4000}, "value_bigger_than_max", "i"),
        ({"i": 10**5000}, "value_bigger_than_max", "i"),
        ({"i": -6}, "value_smaller_than_min", "i"),
        ({"f": NAN}, "invalid_input_type", "f, nan, nan is no finite number"),
        ({"f": "inf"}, "invalid_input_type", "f, inf, inf is no finite number"),
        ({"f": 10**400}, "invalid_input_type", "int too large to convert to float"),
        ({"f": -1.51}, "value_smaller_than_min", "f"),
        ({"s": None}, "invalid_input_type", "s, None, null is not one"),
        ({"s": {}}, "invalid_input_type", "s, {}, an object is not one"),
        ({"s": "\ud800"}, "invalid_input_type", "surrogates not allowed"),
        ({"b": "maybe"}, "invalid_input_type", "b, maybe, neither true nor false"),
        ({"b": None}, "invalid_input_type", "b, None, null is not one"),
        ({"c": "three"}, "value_not_in_list", "c: 'three' not in ['one', 'two']"),
        ({"c": None}, "value_not_in_list", "c: None not in ['one', 'two']"),
        ({"c": {"one": 1}}, "value_not_in_list", "c: {'one': 1} not in"),
        ({"c": "x" * 9999}, "value_not_in_list", "... not in ['one', 'two']"),
        ({"image": 5}, "bad_linked_input", "image"),
        ({"image": "name"}, "bad_linked_input", "image"),
        ({"image": {"__value__": ["2", 0]}}, "bad_linked_input", "image"),
        ({"i": []}, "bad_linked_input", "i"),
        ({"i": [NAN, INF]}, "bad_linked_input", "i"),
        ({"i": ["1"] * 9999}, "bad_linked_input", "i"),
        ({"i": ["9", "0"]}, "bad_linked_input", "i"),
        ({"i": ["9", True]}, "bad_linked_input", "i"),
        ({"i": ["9", 0]}, "exception_during_validation", "'9'"),
        ({"i": ["2", 0]}, "exception_during_validation", "tuple index out of range"),
        ({"i": ["1", -1]}, "exception_during_validation", "tuple index out of range"),
        ({"i": ["1", 10**30]}, "exception_during_validation", "tuple index out of range"),
    ],
)
def test_a_literal_that_does_not_fit_is_named(
    check: Checker, given: dict[str, Any], type: str, details: str
):
    error = check.problem(**given)
    assert error.type == type
    assert details in error.details
    strict = json.dumps(error.extra_info, allow_nan=False)
    assert len(strict) < 1000, "a long value is cut"


def test_every_error_of_every_node_is_told_at_once(check: Checker):
    prompt = {
        "1": n("Everything", i="abc", f=1e9, c="nine", b="maybe", free=1, s=""),
        "2": n("Blend", one=["1", 0], two=["3", 0], strength=None),
        "3": n("Blank", width=0),
        "4": n("Save", images=["2", 0]),
        "5": n("Save", images=["6", 0], prefix="x"),
        "6": n("Number", value=1),
        "7": n("Blank", width="not needed by any output"),
    }
    found = check.refused(prompt).node_errors
    assert {id: sorted(e.type for e in made.errors) for id, made in found.items()} == {
        "1": [
            "invalid_input_type",
            "invalid_input_type",
            "value_bigger_than_max",
            "value_not_in_list",
        ],
        "2": ["invalid_input_type"],
        "3": ["value_smaller_than_min"],
        "4": ["required_input_missing"],
        "5": ["return_type_mismatch"],
    }
    assert found["1"].dependent_outputs == ["4"]
    assert found["5"].dependent_outputs == ["5"]


def test_only_outputs_with_sound_ancestors_run(check: Checker):
    prompt = {
        "good": n("Save", images=["a", 0], prefix="x"),
        "a": BLANK,
        "bad": n("Save", images=["b", 0], prefix="x"),
        "also bad": n("Save", images=["b", 0], prefix="x"),
        "b": n("Blank", width=65),
    }
    valid = check(prompt)
    assert valid.outputs == ["good"]
    assert list(valid.errors) == ["b"]
    assert valid.errors["b"].dependent_outputs == ["bad", "also bad"]
    assert valid.errors["b"].class_type == "Blank"


def test_only_targets_run(check: Checker):
    prompt = {"1": BLANK, "2": n("Save", images=["1", 0], prefix=""), "3": n("Show", value=7)}
    assert check(prompt).outputs == ["2", "3"]
    assert check(prompt, targets=["3"]).outputs == ["3"]
    assert check({**prompt, "4": n("Save")}, targets=["3"]).errors == {}
    for targets in ([], ["1"], ["nowhere"]):
        assert check.refused(prompt, targets).type == "prompt_no_outputs"


def test_links_enter_where_their_type_fits(check: Checker):
    def refused(source: dict[str, Any], sink: dict[str, Any]) -> list[str]:
        prompt = {"1": source, "2": sink, "3": n("Show", value=["2", 0])}
        try:
            check(prompt)
        except PromptError as error:
            return [e.details for made in error.node_errors.values() for e in made.errors]
        return []

    whole = n("Number", value=1)
    assert refused(whole, n("Add", a=1, b=["1", 0])) == []
    assert refused(whole, n("Everything", i=0, f=0, free=0, s="", b=False, c=["1", 0])) == [
        "c, received_type(INT) mismatch input_type(COMBO)"
    ]
    assert refused(BLANK, n("Add", a=["1", 0], b=1)) == [
        "a, received_type(IMAGE) mismatch input_type(INT)"
    ]


@pytest.mark.parametrize("id", [1, "1"])
def test_a_link_may_spell_its_node_as_a_number(check: Checker, id: object):
    assert check({"1": BLANK, "2": n("Show", value=[id, 0])}).outputs == ["2"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (None, "Cannot execute because a node is missing the class_type property."),
        ([], "Cannot execute because a node is missing the class_type property."),
        ("Blank", "Cannot execute because a node is missing the class_type property."),
        ({}, "Cannot execute because a node is missing the class_type property."),
        ({"class_type": ["Blank"]}, "Cannot execute because node ['Blank'] does not exist."),
        ({"class_type": 10**5000}, "Cannot execute because node int of great length does not"),
        ({"class_type": "N" * 9999}, "N... does not exist."),
        (
            {"class_type": "ControlNetLoader"},
            "Cannot execute because node ControlNetLoader does not exist: it is a node of ComfyUI "
            "that is not supported yet.",
        ),
    ],
)
def test_an_unknown_node_is_refused_wherever_it_is(check: Checker, entry: Any, message: str):
    refused = check.refused({"1": n("Show", value=1), "lost": entry, "lost too": entry})
    assert refused.type == "invalid_prompt"
    assert message in refused.message
    assert refused.details == "Node ID '#lost', Node ID '#lost too'"


@pytest.mark.parametrize("inputs", [None, [], "x", 3, "absent"])
def test_a_node_without_inputs_is_an_error_only_where_it_is_needed(check: Checker, inputs: Any):
    entry = {"class_type": "Blank", "inputs": inputs}
    if inputs == "absent":
        del entry["inputs"]
    shown = n("Show", value=1)
    assert check({"1": shown, "2": entry}).outputs == ["1"]
    (error,) = check.refused({"1": n("Show", value=["2", 0]), "2": entry}).node_errors["2"].errors
    assert error.type == "exception_during_inner_validation"
    assert "has no 'inputs' object" in error.extra_info["exception_message"]
    (error,) = check.refused({"1": {"class_type": "Show"}}).node_errors["1"].errors
    assert error.type == "exception_during_validation"


def test_a_wrapped_list_reaches_the_node_as_a_list(check: Checker):
    prompt = {"1": BLANK, "2": n("Show", value={"__value__": ["1", 0]})}
    once = check(prompt).prompt
    assert check(once).prompt == once, "a prompt that was coerced can be coerced again"
    node = Graph.of(once, check.registry).nodes["2"]
    assert (node.literals, node.links) == ({"value": ["1", 0]}, {})


def test_a_graph_knows_links_from_literals(check: Checker):
    valid = check(
        {
            "1": n("Number", value="5", unknown=["1", 0]),
            "2": n("Add", a=["1", 0], b=2),
            "3": n("Show", value=["2", 0]),
            "4": {"class_type": "Show"},
        },
        targets=["3"],
    )
    graph = Graph.of(valid.prompt, check.registry)
    assert list(graph.nodes) == ["1", "2", "3", "4"]
    assert not graph.nodes["4"].literals
    assert graph.nodes["1"].literals == {"value": 5}
    assert graph.nodes["2"].links == {"a": Link("1", 0)}
    assert graph.nodes["2"].literals == {"b": 2.0}
    assert [node.id for node in graph.ordered(["3"])] == ["1", "2", "3"]


def test_lazy_links_are_ordered_but_not_strong(check: Checker):
    prompt = {
        "1": BLANK,
        "2": BLANK,
        "3": n("Later", when=True, image=["1", 0], many=["2", 0]),
        "4": n("Show", value=["3", 0]),
    }
    graph = Graph.of(check(prompt).prompt, check.registry)
    assert graph.nodes["3"].strong_links() == {"many": Link("2", 0)}
    assert [node.id for node in graph.ordered(["4"])] == ["1", "2", "3", "4"]


def cycles(check: Checker, prompt: dict[str, Any]) -> dict[str, list[str]]:
    found = check.refused(prompt).node_errors
    return {
        id: [e.details for e in made.errors if e.type == "dependency_cycle"]
        for id, made in found.items()
    }


def test_every_cycle_is_told(check: Checker):
    prompt = {
        "a": n("Add", a=["b", 0], b=1),
        "b": n("Add", a=["a", 0], b=1),
        "self": n("Add", a=["self", 0], b=["a", 0]),
        "c": n("Add", a=["d", 0], b=1),
        "d": n("Add", a=["c", 0], b=1),
        "1": n("Show", value=["self", 0]),
        "2": n("Show", value=["c", 0]),
        "3": n("Show", value=1),
    }
    valid = check(prompt)
    assert valid.outputs == ["3"]
    assert {id: made.errors[0].details for id, made in valid.errors.items()} == {
        "self": "self (Add) -> self (Add)",
        "a": "a (Add) -> b (Add) -> a (Add)",
        "c": "c (Add) -> d (Add) -> c (Add)",
    }
    assert valid.errors["a"].dependent_outputs == ["1"]


def test_two_cycles_through_one_node_are_both_told(check: Checker):
    prompt = {
        "hub": n("Blend", one=["x", 0], two=["y", 0], strength=1),
        "x": n("Blend", one=["hub", 0], two=["hub", 0], strength=1),
        "y": n("Blend", one=["y", 0], two=["hub", 0], strength=1),
        "1": n("Save", images=["hub", 0], prefix=""),
    }
    assert cycles(check, prompt) == {
        "hub": ["hub (Blend) -> x (Blend) -> hub (Blend)"],
        "y": ["y (Blend) -> y (Blend)"],
    }


def test_a_long_cycle_is_told_in_short(check: Checker):
    prompt = {str(i): n("Add", a=[str((i + 1) % 5000), 0], b=1) for i in range(5000)}
    (details,) = cycles(check, {**prompt, "end": n("Show", value=["0", 0])})["0"]
    assert details.endswith(" -> 99 (Add) -> ...")


def test_of_a_further_long_cycle_the_beginning_is_told(check: Checker):
    prompt = {str(i): n("Add", a=[str((i + 1) % 100), 0], b=1) for i in range(100)}
    prompt["50"] = n("Add", a=["51", 0], b=["20", 0])
    told = cycles(check, {**prompt, "end": n("Show", value=["0", 0])})
    assert told["0"][0].endswith(" -> 99 (Add) -> ...")
    assert told["20"][0].startswith("20 (Add) -> 21 (Add) -> ")
    assert told["20"][0].endswith(" -> 29 (Add) -> ...")


def test_many_nested_cycles_are_told_in_short(check: Checker):
    prompt = {str(i): n("Add", a=[str(i + 1), 0], b=["0", 0]) for i in range(3000)}
    prompt["3000"] = n("Number", value=["0", 0])
    assert len(cycles(check, {**prompt, "end": n("Show", value=["0", 0])})["0"]) == 1


def test_a_chain_of_ten_thousand_nodes_is_checked(check: Checker):
    prompt = {str(i): n("Add", a=[str(i + 1), 0], b=0) for i in range(10_000)}
    prompt["10000"] = n("Number", value=1)
    prompt["end"] = n("Show", value=["0", 0])
    valid = check(prompt)
    assert len(Graph.of(valid.prompt, check.registry).ordered(["end"])) == 10_002
    prompt["10000"] = n("Number", value="wrong")
    assert list(check.refused(prompt).node_errors) == ["10000"]


def test_of_very_many_wrong_nodes_some_are_told(check: Checker):
    wrong = {str(i): n("Show") for i in range(6000)}
    valid = check({**wrong, "1": n("Number", value=1), "end": n("Show", value=["1", 0])})
    assert valid.outputs == ["end"]
    assert len(valid.errors) == 5000
    assert (
        check.refused(dict.fromkeys(map(str, range(100_001)), n("Show"))).type == "invalid_prompt"
    )


def test_a_choice_over_files_is_what_is_there_now(check: Checker, tmp_path: Path):
    folder = tmp_path / "models" / "checkpoints"
    (folder / "sub").mkdir()
    (folder / "sub" / "a.safetensors").touch()
    (folder / "whole").mkdir()
    (folder / "whole" / "model_index.json").touch()
    (folder / "whole" / "part.safetensors").touch()

    def prompt(name: Any) -> dict[str, Any]:
        return {"1": n("Checkpoint", name=name, kind="big"), "2": n("Show", value=["1", 0])}

    assert check(prompt("sub/a.safetensors"))
    assert check(prompt("whole"))
    for wrong in ("whole/part.safetensors", "a.safetensors", "../x", "", None, 3):
        (error,) = check.refused(prompt(wrong)).node_errors["1"].errors
        assert error.type == "value_not_in_list"
        assert "not in ['sub/a.safetensors', 'whole']" in error.details
    for i in range(30):
        (folder / f"{i}.ckpt").touch()
    (error,) = check.refused(prompt("nope")).node_errors["1"].errors
    assert error.details == "name: 'nope' not in (list of length 32)"
    assert error.extra_info["input_config"] is None


def test_an_uploaded_file_must_be_there(check: Checker, tmp_path: Path):
    (tmp_path / "input" / "a.png").touch()
    (tmp_path / "output" / "b.png").touch()

    def prompt(file: Any) -> dict[str, Any]:
        return {"1": n("Load", file=file), "2": n("Show", value=["1", 0])}

    for there in ("a.png", "a.png [input]", "b.png [output]"):
        assert check(prompt(there))
    wrong = ["b.png", "a.png [temp]", "../output/b.png", "/etc/passwd", "a\0.png", "x" * 5000, ""]
    for missing in [*wrong, None, 3, {"a": 1}, "\ud800", "a.png [nowhere]"]:
        (error,) = check.refused(prompt(missing)).node_errors["1"].errors
        assert error.type == "custom_validation_failed"
        assert error.details.startswith("file - Invalid image file: ")
