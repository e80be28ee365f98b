"""Whatever is done to a workflow: it becomes a prompt, or a PromptError says why not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.graph.errors import PromptError
from engine.graph.workflow import to_prompt
from engine.server import wire
from tests.graph.conftest import Checker
from tests.graph.editor import SAMPLED, Document, box, registry
from tests.graph.test_any_json import EASY, JSON
from tests.graph.test_workflow_subgraphs import NESTING, STEPPED, group, grouped, host

KNOWN = registry()


def everything() -> Document:
    """Every kind of node in one document."""
    document = grouped(group((0.1, *SAMPLED, 8, *SAMPLED[1:])))
    document["definitions"]["subgraphs"] = [STEPPED, NESTING]
    nested = host((30,), [("count", "INT", 21, "widget")], type="nesting", title="Nested")
    shown = host((30,), properties={"proxyWidgets": [["5", "cfg"]]})
    document["nodes"] += [
        nested | {"id": 20},
        shown | {"id": 21},
        box(22, "PrimitiveNode", (3, "fixed"), outputs=["INT"]),
        box(23, "Reroute", (), [("", "*", 20)], ["INT"]),
        box(24, "Tune", (0.5,), [("model", "MODEL", 22)], ["MODEL"], mode=4),
        box(25, "Tune", {"amount": 0.5}, [("model", "MODEL", 23)], ["MODEL"], mode=2),
        box(26, "Open", ("a.png", "image", "red"), widgets_values_named={"image": "b.png"}),
        box(27, "Note", ("read me",)),
        box(28, "Odd", (1,)),
    ]
    document["links"] += [
        [20, 22, 0, 23, 0, "INT"],
        [21, 23, 0, 20, 1, "INT"],
        [22, 1, 0, 24, 0, "MODEL"],
        [23, 24, 0, 25, 0, "MODEL"],
    ]
    return copy.deepcopy(document)


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Checker:
    """One for all examples."""
    made = Checker(tmp_path_factory.mktemp("home"))
    made.registry = KNOWN
    return made


def convert(document: Any, check: Checker) -> None:
    """It may be refused, and else is JSON that validation can judge."""
    try:
        prompt = to_prompt(document, KNOWN)
        json.loads(wire.encoded(prompt))
        check(prompt)
    except PromptError as refused:
        json.loads(wire.encoded(wire.prompt_error(refused)))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    keys = list(cast("dict[str, Any]", value) if isinstance(value, dict) else range(len(value)))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@EASY
@given(st.dictionaries(st.sampled_from(["nodes", "links", "extra", "definitions"]), JSON))
def test_any_object_is_read(checker: Checker, document: Document):
    convert(document, checker)


@settings(EASY, max_examples=500)
@given(st.data())
def test_a_damaged_workflow_is_read(checker: Checker, data: st.DataObject):
    document = everything()
    for _ in range(data.draw(st.integers(1, 4))):
        found = list(places(document))
        holder, key = found[data.draw(st.integers(0, len(found) - 1))]
        match data.draw(st.sampled_from(["set", "remove", "repeat", "swap"])):
            case "set":
                holder[key] = data.draw(JSON | st.integers(-20, 30))
            case "remove":
                del holder[key]
            case "repeat" if isinstance(holder, list):
                items = cast("list[Any]", holder)
                items.append(copy.deepcopy(items[key]))
            case _:
                other, place = found[data.draw(st.integers(0, len(found) - 1))]
                holder[key] = copy.deepcopy(other[place])
    convert(document, checker)


def test_the_workflow_that_is_damaged_is_good(checker: Checker):
    prompt = to_prompt(everything(), KNOWN)
    assert {"1", "2:0", "2:1", "2:2", "20:7:5", "21:5", "26", "28"} <= prompt.keys()
    assert prompt["20:7:5"]["inputs"]["steps"] == 3
    assert prompt["21:5"]["inputs"]["cfg"] == 30


def test_nesting_without_end_is_no_crash():
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert to_prompt({"nodes": [box(1, "Find", deep)]}, KNOWN)["1"]["inputs"]["name"]
    with pytest.raises(PromptError, match="node number 0 of the workflow is no object"):
        to_prompt({"nodes": [deep]}, KNOWN)
    with pytest.raises(
        PromptError, match=r"link number 0 of the workflow \(list of great length\) is not"
    ):
        to_prompt({"nodes": [], "links": [deep]}, KNOWN)
