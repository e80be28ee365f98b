"""The answers that ComfyUI's clients know, row by row, with the built-in nodes."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import nodes
from engine.authoring.registry import Registry
from engine.graph.errors import PromptError
from engine.graph.node_info import input_config
from engine.graph.validate import validate
from engine.server import wire
from engine.store.folders import Folders

ROWS = [
    "empty_prompt",
    "no_outputs",
    "unknown_class",
    "missing_class_type",
    "missing_inputs_key",
    "required_input_missing",
    "too_small",
    "too_big",
    "bad_type",
    "type_coerced_ok_str_int",
    "bad_link_len",
    "link_missing_node",
    "link_bad_slot",
    "type_mismatch",
    "not_in_list",
    "custom_validation",
    "one_bad_of_two_outputs",
    "extra_unknown_input_ok",
    "partial_targets_none",
]
COMPARED_FACTS = ("input_name", "received_value", "received_type", "linked_node", "exception_type")


@pytest.fixture(scope="module")
def captured(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "spec" / "captured-errors.json").read_text())


def answer(request: dict[str, Any], home: Path) -> tuple[int, dict[str, Any]]:
    """Status and body that POST /prompt would give, by validation and wire alone."""
    registry, folders = Registry(), Folders(home)
    registry.add_pack(nodes)
    folders.create()
    (home / "models" / "checkpoints" / "sd15_random.safetensors").touch()
    config = partial(input_config, files=folders.files)
    targets = request.get("partial_execution_targets")
    try:
        valid = asyncio.run(validate(request["prompt"], registry, folders, config, targets))
    except PromptError as refused:
        return 400, json.loads(wire.encoded(wire.prompt_error(refused)))
    return 200, {"node_errors": msgspec.to_builtins(valid.errors)}


def essence(node_errors: dict[str, Any]) -> dict[str, Any]:
    """What clients look at, in an order of its own."""
    return {
        id: (found["class_type"], found["dependent_outputs"], sorted(by_text(found)))
        for id, found in node_errors.items()
    }


def by_text(found: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The facts of a node's errors, by type, message and details."""
    return {(e["type"], e["message"], e["details"]): e["extra_info"] for e in found["errors"]}


def assert_alike(given: dict[str, Any], expected: dict[str, Any]):
    """The same errors with the same facts; ours may tell more."""
    assert essence(given) == essence(expected)
    for id, found in expected.items():
        ours = by_text(given[id])
        for text, facts in by_text(found).items():
            assert {name: ours[text].get(name) for name in COMPARED_FACTS if name in facts} == {
                name: facts[name] for name in COMPARED_FACTS if name in facts
            }
            if "input_config" in facts:
                assert ours[text]["input_config"][0] == facts["input_config"][0]


@pytest.mark.parametrize("row", ROWS)
def test_a_prompt_is_answered_as_clients_know_it(
    captured: dict[str, Any], row: str, tmp_path: Path
):
    request, expected = captured[row]["request"], captured[row]["response"]
    status, given = answer(request, tmp_path)
    assert status == captured[row]["status"]
    assert_alike(given["node_errors"], expected["node_errors"])
    if status == 400:
        assert given["error"] == expected["error"]


def test_a_cycle_is_named_where_it_used_to_be_silent(captured: dict[str, Any], tmp_path: Path):
    status, given = answer(captured["cycle"]["request"], tmp_path)
    assert status == 400
    assert given["error"] == captured["cycle"]["response"]["error"]
    (error,) = given["node_errors"]["1"]["errors"]
    assert error["type"] == "dependency_cycle"
    assert error["details"] == "1 (ImageInvert) -> 2 (ImageInvert) -> 1 (ImageInvert)"


def test_nan_is_an_error_beside_the_one_that_was_found_before(
    captured: dict[str, Any], tmp_path: Path
):
    row = captured["nan_float"]
    status, given = answer(json.loads(row["request"]), tmp_path)
    assert status == 400
    assert given["error"] == row["response"]["error"]
    found = essence(given["node_errors"])
    assert found["2"] == essence(row["response"]["node_errors"])["2"]
    (error,) = given["node_errors"]["1"]["errors"]
    assert (error["type"], error["extra_info"]["received_value"]) == ("invalid_input_type", "nan")


def test_no_traceback_is_sent(captured: dict[str, Any], tmp_path: Path):
    for row in ROWS:
        assert "traceback" not in json.dumps(answer(captured[row]["request"], tmp_path)[1])
