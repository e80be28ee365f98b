"""Prompts of other people's programs, posted whole: only what is not on this machine is missed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.registry import Registry
from engine.graph.prompt import as_link
from tests.server.conftest import Caller

NOT_HERE = {"value_not_in_list", "custom_validation_failed"}
FEWEST = 12
FAULTY = {
    "animede-simple_video__workflows_flux_kontext_dev_basic2_api.json": [
        ("31", "invalid_input_type", "seed"),
    ]
}
"""Prompts that are wrong themselves, with the node, the error and the input."""

Prompt = dict[str, Any]


@pytest.fixture(scope="module")
def known() -> Registry:
    return Registry.installed()


@pytest.fixture(scope="module")
def prompts(shared: Path, known: Registry) -> dict[str, Prompt]:
    """Those that are whole, and whose nodes are all here."""
    found = {path.name: json.loads(path.read_text()) for path in (shared / "wild").glob("*.json")}
    return {name: prompt for name, prompt in found.items() if is_whole(prompt, known)}


def is_whole(prompt: Prompt, known: Registry) -> bool:
    """Not a piece for a unit test: links lead to its own nodes, some node shows what it made."""
    specs = [known.get(node.get("class_type")) for node in prompt.values()]
    sources = [as_link(value) for node in prompt.values() for value in node["inputs"].values()]
    return (
        all(specs)
        and any(spec is not None and spec.is_output for spec in specs)
        and all(node["inputs"] for node in prompt.values())
        and all(link.node in prompt for link in sources if link is not None)
    )


def complaints(answer: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Node, type and details of what is wrong but for files and options that are not here."""
    return [
        (id, error["type"], error["details"])
        for id, node in answer["node_errors"].items()
        for error in node["errors"]
        if error["type"] not in NOT_HERE
    ]


async def test_nothing_is_missed_but_files_and_options(prompts: dict[str, Prompt], call: Caller):
    assert len(prompts) >= FEWEST
    told = {
        name: complaints((await call.post("/prompt", {"prompt": prompt}))[1])
        for name, prompt in prompts.items()
    }
    wrong = {name: found for name, found in told.items() if found}
    assert {
        name: [(id, type, details.split(",")[0]) for id, type, details in found]
        for name, found in wrong.items()
    } == {name: found for name, found in FAULTY.items() if name in prompts}
