"""Prompts that other people's programs send: what they say to our nodes fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodes
from engine.authoring.registry import Registry
from engine.authoring.spec import NodeSpec
from engine.graph.literals import InvalidValue, coerce
from engine.graph.prompt import as_link, literal
from engine.run.engine import plain_config
from engine.store.folders import Folders

FEWEST_NODES = 3  # less is a piece for a test of theirs, not a prompt
NOT_HERE = ("value_not_in_list", "custom_validation_failed")  # files and, so far, some samplers
BLANKS = ("PARAM_", "randomize")  # stand where a program has yet to put a number


def entries(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node of every prompt, and where it is."""
    for path in sorted(folder.glob("*.json")):
        prompt: dict[str, Any] = json.loads(path.read_text())
        if len(prompt) >= FEWEST_NODES:
            for id, entry in prompt.items():
                yield f"{path.name} {id}", entry


def complaints(spec: NodeSpec, given: dict[str, Any], folders: Folders) -> Iterator[str]:
    """What does not fit a node, apart from files and options that are not here."""
    for input in spec.inputs:
        value = given.get(input.name)
        if value is None:
            if not (input.optional or input.later):
                yield f"{spec.id}.{input.name} is missing"
        elif isinstance(value, str) and value.startswith(BLANKS):
            continue
        elif not isinstance(value, list):
            try:
                coerce(input, literal(value), folders, lambda: plain_config(input))  # noqa: B023 - used before the next turn
            except InvalidValue as unfit:
                if unfit.error.type not in NOT_HERE:
                    yield f"{spec.id}.{input.name}: {unfit}"
        elif as_link(value) is None:  # pyright: ignore[reportUnknownArgumentType] - JSON
            yield f"{spec.id}.{input.name}: {value} is no link"


def test_what_other_programs_send_fits_our_nodes(shared: Path, tmp_path: Path):
    registry = Registry()
    registry.add_pack(nodes)
    seen: set[str] = set()
    wrong: dict[str, list[str]] = {}
    for place, entry in entries(shared / "wild"):
        spec = registry.get(entry["class_type"])
        if spec is not None:
            seen.add(spec.id)
            wrong[place] = [*complaints(spec, entry["inputs"], Folders(tmp_path))]
    assert len(seen) >= 20
    assert {place: found for place, found in wrong.items() if found} == {}
