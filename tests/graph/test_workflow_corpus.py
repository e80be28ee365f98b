"""The workflows that ComfyUI offers its users as templates, where their package is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.registry import Registry
from engine.authoring.spec import NodeSpec
from engine.graph.canvas import to_workflow
from engine.graph.literals import InvalidValue, coerce
from engine.graph.prompt import as_link, literal
from engine.graph.workflow import is_workflow, to_prompt
from engine.store.folders import Folders

PACKAGE = "comfyui_workflow_templates_json"
ABSENT = {"value_not_in_list", "custom_validation_failed"}
WIDER_LATER = {("ImageFromBatch", "batch_index")}  # may count from the end in later versions


def templates() -> list[Path]:
    """Their files; the package is found, not imported."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec is not None else None
    return sorted(path for folder in folders or [] for path in Path(folder).rglob("*.json"))


@pytest.fixture(scope="module")
def known() -> Registry:
    return Registry.installed()


@pytest.fixture(scope="module")
def prompts(known: Registry) -> dict[str, dict[str, Any]]:
    """Every template as a prompt."""
    documents = {path.name: json.loads(path.read_bytes()) for path in templates()}
    workflows = {name: found for name, found in documents.items() if is_workflow(found)}
    if not workflows:
        pytest.skip(f"{PACKAGE} is not installed")
    return {name: to_prompt(found, known) for name, found in workflows.items()}


def test_every_link_leads_to_a_node(prompts: dict[str, dict[str, Any]]):
    assert len(prompts) > 500
    lost = [
        (name, id, input)
        for name, prompt in prompts.items()
        for id, node in prompt.items()
        for input, value in node["inputs"].items()
        if (link := as_link(value)) is not None and link.node not in prompt
    ]
    assert lost == []


def test_no_subgraph_is_left(prompts: dict[str, dict[str, Any]]):
    types = {node["class_type"] for prompt in prompts.values() for node in prompt.values()}
    assert [type for type in types if len(type) == 36 and type.count("-") == 4] == []
    assert types & {"Reroute", "PrimitiveNode", "Note", "MarkdownNote"} == set()


def test_known_nodes_lack_nothing_but_files_and_options(
    prompts: dict[str, dict[str, Any]], known: Registry, tmp_path: Path
):
    folders = Folders(tmp_path)
    folders.create()
    complaints = [
        (name, id, *complaint)
        for name, prompt in prompts.items()
        for id, node in prompt.items()
        if (spec := known.get(node["class_type"])) is not None
        for complaint in problems(spec, node["inputs"], folders)
    ]
    assert complaints == []


def test_every_prompt_comes_back_from_the_editors_format(
    prompts: dict[str, dict[str, Any]], known: Registry
):
    for name, prompt in prompts.items():
        back = to_prompt(to_workflow(prompt, known), known)
        ids = dict(zip(prompt, back, strict=True))
        assert {id: read(node, {}) for id, node in back.items()} == {
            ids[id]: read(node, ids) for id, node in prompt.items()
        }, name


def read(node: dict[str, Any], ids: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Type and inputs of a node, with other ids in its links."""
    inputs = {
        name: [ids.get(link.node, link.node), link.slot] if (link := as_link(value)) else value
        for name, value in node["inputs"].items()
    }
    return node["class_type"], inputs


def problems(spec: NodeSpec, inputs: dict[str, Any], folders: Folders) -> list[tuple[str, str]]:
    """What is wrong with the widgets of one node besides what this machine does not have."""
    found: list[tuple[str, str]] = []
    for input in spec.inputs:
        if not input.is_widget or (input.optional and input.name not in inputs):
            continue
        if (spec.id, input.name) in WIDER_LATER:
            continue
        value = inputs.get(input.name)
        if as_link(value) is not None:
            continue
        try:
            coerce(input, literal(value), folders, list)
        except InvalidValue as unfit:
            if unfit.error.type not in ABSENT or not isinstance(value, str):
                found.append((input.name, unfit.error.message))
    return found
