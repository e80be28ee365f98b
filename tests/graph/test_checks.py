"""Nodes that judge their own literals, undeclared links, and errors that many outputs share."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.errors import SoundstageError
from engine.authoring.registry import Registry
from engine.authoring.spec import NodeSpec
from engine.graph.errors import InputError, PromptError
from engine.graph.prompt import Graph, Link
from tests import pack
from tests.graph.conftest import Checker, Prompt, n


@pytest.fixture
def judging(tmp_path: Path) -> Checker:
    """Validation of the nodes of the test pack, some of which judge for themselves."""
    checker = Checker(tmp_path)
    checker.registry = Registry()
    checker.registry.add_pack(pack)
    return checker


def change(checker: Checker, id: str, **fields: Any) -> NodeSpec:
    """Change a node of the registry."""
    made = replace(checker.registry[id], **fields)
    checker.registry.nodes = {**checker.registry.nodes, id: made}
    return made


def even(value: Any, text: str = "") -> Prompt:
    return {
        "0": n("Number", value=3, log=""),
        "1": n("Even", value=value, text=text),
        "2": n("Show", value=["1", 0], log=""),
    }


def problems(check: Checker, prompt: Prompt, node: str = "1") -> list[InputError]:
    return check.refused(prompt).node_errors[node].errors


def test_a_node_accepts_its_literals(judging: Checker):
    assert judging(even(4)).outputs == ["2"]


@pytest.mark.parametrize(("text", "details"), [("", "value"), ("3 is odd", "value - 3 is odd")])
def test_a_node_refuses_its_literals_with_or_without_a_reason(
    judging: Checker, text: str, details: str
):
    (error,) = problems(judging, even(3, text))
    assert (error.type, error.message, error.details) == (
        "custom_validation_failed",
        "Custom validation failed for node",
        details,
    )
    assert error.extra_info == {"input_name": "value"}


def test_a_node_judges_what_it_will_get(judging: Checker):
    assert judging(even("4")).prompt["1"]["inputs"]["value"] == 4
    (error,) = problems(judging, even("5", "odd"))
    assert error.details == "value - odd"


def test_a_linked_input_is_none_for_the_judge(judging: Checker):
    assert judging(even(["0", 0])).outputs == ["2"]


def test_a_judge_that_fails_is_an_error_of_the_node(judging: Checker):
    (error,) = problems(judging, even(13))
    assert error.type == "exception_during_validation"
    assert error.extra_info["exception_type"] == "ValueError"
    assert error.extra_info["exception_message"] == "superstition"


def test_a_judge_is_not_asked_about_what_is_wrong_already(judging: Checker):
    (error,) = problems(judging, even("thirteen"))
    assert error.type == "invalid_input_type"
    prompt = even(13)
    del prompt["1"]["inputs"]["text"]
    (error,) = problems(judging, prompt)
    assert error.type == "required_input_missing"


def test_a_judge_whose_service_is_away_is_an_error_of_the_service(judging: Checker):
    def away(**_: Any) -> bool:
        raise SoundstageError("the worker is away")

    change(judging, "Even", validate_inputs=away)
    with pytest.raises(SoundstageError, match="the worker is away"):
        judging(even(4))


@pytest.mark.parametrize("judged", [True, False])
def test_range_and_choice_are_left_to_the_judge(check: Checker, judged: bool):
    def anything(**_: Any) -> bool:
        return True

    judges = frozenset({"i", "c"}) if judged else frozenset[str]()
    change(check, "Everything", validate_inputs=anything, validated_inputs=judges)
    inputs = {"i": -1000, "f": 0.5, "free": 0, "s": "", "b": False, "c": "whatever"}
    prompt = {"1": n("Everything", **inputs), "2": n("Save", images=["1", 0], prefix="x")}
    if judged:
        assert check(prompt).prompt["1"]["inputs"]["c"] == "whatever"
        inputs["i"] = "many"
        (error,) = problems(check, {**prompt, "1": n("Everything", **inputs)})
        assert error.type == "invalid_input_type", "types are looked at all the same"
    else:
        assert len(problems(check, prompt)) == 2


def test_a_judge_of_types_is_told_what_comes_in(judging: Checker):
    def prompt(source: Prompt) -> Prompt:
        return {
            "0": source,
            "1": n("OnlyText", value=["0", 0]),
            "2": n("Show", value=["1", 0], log=""),
        }

    assert judging(prompt(n("Upper", text="x", log=""))).outputs == ["2"]
    (error,) = problems(judging, prompt(n("Number", value=1, log="")))
    assert error.details == "value - got {'value': 'INT'}"


def test_judges_are_asked_side_by_side(judging: Checker):
    all_asked = asyncio.Barrier(5)

    async def slow(**_: Any) -> bool:
        await all_asked.wait()
        return True

    change(judging, "Even", validate_inputs=slow)
    prompt: Prompt = {}
    for i in range(5):
        prompt[str(i)] = n("Even", value=i, text="")
        prompt[f"s{i}"] = n("Show", value=[str(i), 0], log="")
    assert len(judging(prompt).outputs) == 5


def test_undeclared_links_are_checked_where_a_node_takes_them(judging: Checker):
    prompt = {
        "0": n("Number", value="5", log=""),
        "1": n("Gather", first=1, more=["0", 0], literal=7, odd=[1, 2, 3]),
        "2": n("Show", value=["1", 0], log=""),
    }
    valid = judging(prompt)
    assert valid.prompt["0"]["inputs"]["value"] == 5, "what is linked is examined too"
    node = Graph.of(valid.prompt, judging.registry).nodes["1"]
    assert (node.links, node.literals) == ({"more": Link("0", 0)}, {"first": 1})
    prompt["1"]["inputs"]["more"] = ["0", 7]
    (error,) = problems(judging, prompt)
    assert "links to output 7" in error.extra_info["exception_message"]
    prompt["1"]["inputs"]["more"] = ["nowhere", 0]
    (error,) = problems(judging, prompt)
    assert error.details == "'nowhere'"


def test_a_cycle_through_an_undeclared_link_is_told(judging: Checker):
    prompt = {
        "1": n("Gather", first=0, more=["1", 0]),
        "2": n("Show", value=["1", 0], log=""),
    }
    (error,) = problems(judging, prompt)
    assert error.type == "dependency_cycle"


def test_a_link_of_one_of_several_types_enters(judging: Checker):
    for accepts, given, good in (
        ("INT,FLOAT", "FLOAT", True),
        ("INT,FLOAT", "FLOAT,STRING", True),
        ("INT,FLOAT", "STRING", False),
        ("*", "IMAGE", True),
        ("IMAGE", "*", True),
    ):
        (output,) = judging.registry["Number"].outputs
        change(judging, "Number", outputs=(replace(output, type=given),))
        (value, log) = judging.registry["Sleep"].inputs[:1] + judging.registry["Show"].inputs[1:]
        change(judging, "Show", inputs=(replace(value, type=accepts), log))
        prompt = {"0": n("Number", value=1, log=""), "1": n("Show", value=["0", 0], log="")}
        if good:
            assert judging(prompt).outputs == ["1"]
        else:
            (error,) = problems(judging, prompt)
            assert error.type == "return_type_mismatch"


def shared_errors(depth: int, outputs: int) -> Prompt:
    """A chain of wrong nodes that many outputs need."""
    prompt = {"0": n("Add", a="wrong", b=1)}
    prompt |= {str(i): n("Add", a=[str(i - 1), 0], b="wrong") for i in range(1, depth)}
    prompt |= {f"s{i}": n("Show", value=[str(depth - 1), 0]) for i in range(outputs)}
    return prompt


def test_each_output_that_hangs_on_an_error_is_dropped(check: Checker):
    found = check.refused(shared_errors(3, 2)).node_errors
    assert {id: made.dependent_outputs for id, made in found.items()} == {
        str(i): ["s0", "s1"] for i in range(3)
    }


def test_errors_that_very_many_outputs_share_are_told_of_a_hundred(check: Checker):
    refused = check.refused(shared_errors(3000, 3000))
    assert len(refused.node_errors) == 3000
    assert {len(made.dependent_outputs) for made in refused.node_errors.values()} == {100}


def test_an_output_that_reaches_a_cycle_by_its_middle_is_dropped_too(check: Checker):
    prompt = {
        "a": n("Add", a=["b", 0], b=1),
        "b": n("Add", a=["c", 0], b=1),
        "c": n("Add", a=["a", 0], b=1),
        "side": n("Add", a=["b", 0], b=1),
        "1": n("Show", value=["a", 0]),
        "2": n("Show", value=["c", 0]),
        "3": n("Show", value=["side", 0]),
        "4": n("Show", value=1),
    }
    valid = check(prompt)
    assert valid.outputs == ["4"]
    assert valid.errors["a"].dependent_outputs == ["1", "2", "3"]


def test_a_refused_prompt_names_what_was_wrong_with_its_outputs(check: Checker):
    with pytest.raises(PromptError) as caught:
        check({"1": n("Save", images=["1"], prefix="x")})
    assert "Bad linked input" in caught.value.details
