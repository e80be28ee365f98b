"""Whatever JSON comes as a prompt: it is valid, or a PromptError says why not."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.graph.errors import PromptError
from engine.graph.keys import CacheKeys
from engine.graph.prompt import Graph
from engine.server import wire
from tests.graph.conftest import Checker, Prompt, n, nodes_here

EASY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, -(10**400), 2**63, 2**64])
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["1", "2", "../x", "a\0b", "x" * 5000, "true", "nan", "1e999", "one"])
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.just("__value__"), inner, max_size=3)
    ),
    max_leaves=8,
)
IDS = st.sampled_from(["1", "2", "3", "4", "end", ""])
LINKS = st.tuples(IDS | st.integers(0, 5), st.integers(-1, 2)).map(list)
NAMES = st.sampled_from(
    ["i", "f", "free", "s", "b", "c", "maybe", "image", "any", "value", "a", "one", "two",
     "images", "prefix", "name", "file", "many", "when", "sides", "width", "strength"]
)  # fmt: skip

CLASSES = st.sampled_from(sorted(nodes_here().nodes)) | JSON
NODES = st.fixed_dictionaries(
    {"class_type": CLASSES, "inputs": st.dictionaries(NAMES, LINKS | JSON) | JSON}
)

VALID: Prompt = {
    "1": n("Number", value=3),
    "2": n("Blank", width=["1", 0]),
    "3": n(
        "Everything", i=1, f=["1", 0], free=2, s="text", b=True, c="two", image=["2", 0], any="x"
    ),
    "4": n("Blend", one=["2", 0], two=["3", 0], strength=0.5),
    "5": n("Later", when=True, image=["4", 0], many=["3", 0]),
    "6": n("Save", images=["5", 0], prefix="p"),
    "7": n("Show", value=["1", 0]),
}


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Checker:
    """One for all examples."""
    return Checker(tmp_path_factory.mktemp("home"))


def examine(check: Checker, prompt: Prompt, targets: list[str] | None = None) -> None:
    """It may be refused, and else has an order and keys; both answers are JSON."""
    try:
        valid = check(prompt, targets)
    except PromptError as refused:
        json.loads(wire.encoded(wire.prompt_error(refused)))
        return
    assert valid.outputs
    graph = Graph.of(valid.prompt, check.registry)
    keys = CacheKeys("job", check.folders)
    keys.add(graph.ordered(valid.outputs), {})
    assert set(valid.outputs) <= keys.made.keys()
    again = check(valid.prompt, targets)
    assert repr(again.prompt) == repr(valid.prompt), "coerced once and for all"
    assert again.outputs == valid.outputs


@EASY
@given(st.dictionaries(IDS | st.text(max_size=3), JSON, max_size=4))
def test_any_object_is_examined(checker: Checker, prompt: Prompt):
    examine(checker, prompt)


@EASY
@given(st.dictionaries(IDS, NODES, max_size=6), st.none() | st.lists(IDS))
def test_any_graph_is_examined(checker: Checker, prompt: Prompt, targets: list[str] | None):
    examine(checker, prompt, targets)


@settings(EASY, max_examples=300)
@given(st.data())
def test_a_valid_prompt_with_any_change_is_examined(checker: Checker, data: st.DataObject):
    prompt = copy.deepcopy(VALID)
    for _ in range(data.draw(st.integers(0, 3))):
        entry = prompt[data.draw(st.sampled_from(sorted(prompt)))]
        place = data.draw(st.sampled_from(["class_type", "inputs", "one input", "no input"]))
        inputs: Any = entry.get("inputs")
        if place == "one input" and isinstance(inputs, dict):
            inputs[data.draw(NAMES)] = data.draw(LINKS | JSON)
        elif place == "no input" and isinstance(inputs, dict) and inputs:
            names: list[str] = sorted(inputs)  # pyright: ignore[reportUnknownArgumentType] - JSON
            del inputs[data.draw(st.sampled_from(names))]
        elif place in entry:
            entry[place] = data.draw(CLASSES if place == "class_type" else JSON)
    examine(checker, prompt)


def test_the_prompt_that_the_changes_start_from_is_valid(check: Checker):
    valid = check(VALID)
    assert valid.outputs == ["6", "7"]
    assert valid.errors == {}
