"""`{a|b}` in prompts: chosen by the seed, as the editor chooses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.authoring.registry import Registry
from engine.graph.dynamic_prompts import chosen, numbers, seed_of
from engine.graph.settling import normalize
from tests.conftest import CHECKOUT

DATA = CHECKOUT / "tests/graph/data/dynamic_prompts.json"
CASES: list[dict[str, Any]] = json.loads(DATA.read_bytes())


@pytest.mark.parametrize("case", CASES, ids=[case["text"][:30] for case in CASES])
def test_a_text_makes_the_choices_that_the_editor_makes(case: dict[str, Any]):
    draw = numbers(int(case["seed"]), case["node"], case["input"])
    assert chosen(case["text"], draw) == case["chosen"]


@given(st.text(alphabet="ab{}|\\/*:\n "), st.integers(0, 2**64 - 1))
def test_a_text_without_choices_has_no_other_letters(text: str, seed: int):
    made = chosen(text, numbers(seed, "1", "text"))
    if not set(text) & set("{}\\/"):
        assert made == text
    letters = iter(text)
    assert all(letter in letters for letter in made), "some of its letters, in their order"


def test_deep_and_endless_braces_are_read_in_one_go():
    many = 100_000
    assert chosen("{" * many, numbers(1, "1", "t")) == "{" * many
    assert chosen("{a|" * many + "}" * many, numbers(1, "1", "t")) in ("a", "")


@pytest.mark.parametrize("text", ['{"say": "a // b", "or": "{x|y}"}', ' [{"a": "{b|c}"}, 1e5]\n'])
def test_json_is_left_as_it_is(text: str):
    assert chosen(text, numbers(1, "1", "t")) == text


def test_every_option_is_taken():
    made = {chosen("{a|b|c}", numbers(seed, "1", "text")) for seed in range(50)}
    assert made == {"a", "b", "c"}


def prompt(text: str, seed: Any = 5) -> dict[str, Any]:
    return {
        "1": {"class_type": "CLIPTextEncode", "inputs": {"text": text}},
        "2": {"class_type": "KSampler", "inputs": {"seed": seed}},
        "3": {"class_type": "PrimitiveInt", "inputs": {"value": 5}},
        "4": {"class_type": "SaveText", "inputs": {"text": text}},
    }


def test_the_seed_of_a_prompt_is_that_of_all_its_nodes():
    assert seed_of(prompt("")) == seed_of(prompt("", ["3", 0])) == 5
    assert seed_of(prompt("", 2**64 - 1) | {"9": {"inputs": {"noise_seed": 2}}}) == 1
    assert len({seed_of(prompt("", None)) for _ in range(5)}) > 1


def test_a_submitted_prompt_makes_choices_in_dynamic_widgets_alone():
    known = Registry.installed()
    text = "{day|night} // hidden"
    made = normalize(prompt(text), known, choose=True)
    assert made["1"]["inputs"]["text"] in ("day ", "night ")
    assert made == normalize(prompt(text), known, choose=True), "the same seed, the same text"
    assert made["4"]["inputs"]["text"] == text
    assert normalize(prompt(text), known, choose=False)["1"]["inputs"]["text"] == text
    assert normalize(prompt('{"a": 1}'), known, choose=True)["1"]["inputs"]["text"] == '{"a": 1}'


def test_old_names_of_options_are_those_of_today():
    known = Registry.installed()
    node = {"class_type": "KSampler", "inputs": {"sampler_name": "sample_euler"}}
    made = normalize({"1": node}, known, choose=True)
    assert made["1"]["inputs"]["sampler_name"] == "euler"
