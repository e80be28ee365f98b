"""Prompts become workflows that the editor opens, and the same prompts again from there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.registry import Registry
from engine.graph.canvas import to_workflow
from engine.graph.workflow import to_prompt
from tests.conftest import CHECKOUT
from tests.graph.editor import registry

BUNDLED = sorted((CHECKOUT / "workflows").glob("*.json"))


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_the_prompt_of_a_bundled_workflow_comes_back_as_it_was(path: Path):
    known = Registry.installed()
    prompt = to_prompt(json.loads(path.read_text()), known)
    again = to_prompt(to_workflow(prompt, known), known)
    assert told(again) == told(prompt) != []
    if all(id.isdecimal() for id in prompt):  # those of nodes in subgraphs are given anew
        assert again == prompt


def told(prompt: dict[str, Any]) -> list[str]:
    """Every node without ids: its class and the values of its widgets, in any order."""
    return sorted(
        f"{node['class_type']} {sorted(values.items())}"
        for node in prompt.values()
        for values in [{k: v for k, v in node["inputs"].items() if not isinstance(v, list)}]
    )


def test_values_stand_in_widget_order_with_the_editors_companions():
    prompt: dict[str, Any] = {
        "4": {"class_type": "Find", "inputs": {"name": "a.safetensors"}},
        "7": {
            "class_type": "Sample",
            "inputs": {"model": ["4", 0], "seed": 5, "method": "heun", "text": "a cat"},
            "_meta": {"title": "Draw"},
        },
        "8": {"class_type": "Open", "inputs": {"image": "in.png"}},
        "9": {"class_type": "Keep", "inputs": {"images": ["7", 0], "prefix": ["8", 0]}},
    }
    document = to_workflow(prompt, registry())
    boxes = {box["id"]: box for box in document["nodes"]}
    assert boxes[7]["title"] == "Draw"
    assert boxes[7]["widgets_values"] == [5, "fixed", 20, 8.0, "heun", "a cat", 1.0]
    assert boxes[8]["widgets_values"] == ["in.png", "image", "red"]
    assert [socket["name"] for socket in boxes[7]["inputs"]] == ["model", "hint"]
    assert boxes[9]["inputs"][1] == {
        "name": "prefix",
        "type": "STRING",
        "link": 3,
        "widget": {"name": "prefix"},
    }
    assert document["links"] == [
        [1, 4, 0, 7, 0, "MODEL"],
        [2, 7, 0, 9, 0, "IMAGE"],
        [3, 8, 0, 9, 1, "IMAGE"],
    ]
    assert boxes[7]["outputs"][0]["links"] == [2]
    assert boxes[4]["pos"][0] < boxes[7]["pos"][0] < boxes[9]["pos"][0]
    assert boxes[4]["pos"][1] < boxes[8]["pos"][1]


def test_unknown_nodes_keep_their_values_and_sockets():
    prompt: dict[str, Any] = {
        "a:1": {"class_type": "Foreign", "inputs": {"x": 1, "list": {"__value__": [1, 2]}}},
        "5": {"class_type": "Foreign", "inputs": {"y": ["a:1", 2], "lost": ["77", 0]}},
    }
    document = to_workflow(prompt, registry())
    first, second = document["nodes"]
    assert (first["id"], second["id"], document["last_node_id"]) == (6, 5, 6)
    assert first["widgets_values"] == {"x": 1, "list": [1, 2]}
    assert [output["links"] for output in first["outputs"]] == [[], [], [1]]
    assert [(socket["name"], socket["link"]) for socket in second["inputs"]] == [
        ("y", 1),
        ("lost", None),
    ]
    back = to_prompt(document, registry())
    assert back["6"]["inputs"] == prompt["a:1"]["inputs"]
    assert back["5"]["inputs"] == {"y": ["6", 2]}


def test_a_circle_of_links_is_laid_out_too():
    prompt: dict[str, Any] = {
        "1": {"class_type": "Tune", "inputs": {"model": ["2", 0]}},
        "2": {"class_type": "Tune", "inputs": {"model": ["1", 0]}},
    }
    assert all("pos" in box for box in to_workflow(prompt, registry())["nodes"])
    assert to_workflow({}, registry())["nodes"] == []
