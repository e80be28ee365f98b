"""Nodes that have ComfyUI's names have its signatures: the list it gives of itself is read here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import nodes
from engine.authoring.registry import Registry
from engine.authoring.spec import MISSING, Input, NodeSpec

LINE = re.compile(r"- `(?P<id>[^`]+)` \((?P<inputs>.*)\) → \((?P<outputs>.*?)\)(?P<rest>.*)")
INPUT = re.compile(
    r"(?P<name>[^:?]+)(?P<optional>\??): "
    r"(?P<type>COMBO\[.*\]|[\w*,]+)"
    r"(?: =(?P<default>[^\[(]*?))?"
    r"(?: \[(?P<min>[^\]]*?)\.\.(?P<max>[^ \]]*)(?: step (?P<step>[^\]]+))?\])?"
    r"(?: \(.*\))?"
)

ADDED = {"ImageScaleToTotalPixels": ["resolution_steps"]}
"""Inputs of newer releases on nodes of the older list; prompts may leave them out."""


@pytest.fixture(scope="module")
def ours() -> Registry:
    registry = Registry()
    registry.add_pack(nodes)
    return registry


@pytest.fixture(scope="module")
def theirs(shared: Path) -> dict[str, re.Match[str]]:
    """The lines of both lists, by node; the older one rules."""
    found: dict[str, re.Match[str]] = {}
    for name in ("node-signatures.md", "node-signatures-newer.md"):
        for line in (shared / "spec" / name).read_text().splitlines():
            if match := LINE.match(line):
                found.setdefault(match["id"], match)
    return found


def split(inputs: str) -> list[re.Match[str]]:
    parts = [INPUT.fullmatch(part) for part in inputs.split("; ")] if inputs else []
    assert None not in parts, inputs
    return [part for part in parts if part is not None]


def problems(spec: NodeSpec, line: re.Match[str]) -> list[str]:
    inputs = split(line["inputs"])
    found = [
        f"{spec.id}.{said['name']}: {problem}"
        for said, input in zip(inputs, spec.inputs, strict=False)
        for problem in differences(said, input)
    ]
    names = [said["name"] for said in inputs] + ADDED.get(spec.id, [])
    if names != [input.name for input in spec.inputs]:
        found.append(f"{spec.id}: inputs {[input.name for input in spec.inputs]}")
    if not all(spec.by_name[name].optional for name in ADDED.get(spec.id, [])):
        found.append(f"{spec.id}: {ADDED[spec.id]} must be optional")
    outputs = [output.split(":") for output in line["outputs"].split(", ") if output]
    if [output[0] for output in outputs] != [output.name for output in spec.outputs]:
        found.append(f"{spec.id}: outputs {spec.outputs}")
    if [type_name(output[-1]) for output in outputs] != [output.type for output in spec.outputs]:
        found.append(f"{spec.id}: outputs {spec.outputs}")
    if ("**OUTPUT**" in line["rest"]) != spec.shows:
        found.append(f"{spec.id}: shows {spec.shows}")
    if ("list out" in line["rest"]) != any(output.each for output in spec.outputs):
        found.append(f"{spec.id}: lists {spec.outputs}")
    return found


def differences(said: re.Match[str], input: Input) -> list[str]:
    found: list[str] = []
    if type_name(said["type"]) != input.type:
        found.append(f"type {input.type}")
    if bool(said["optional"]) != input.optional:
        found.append("optional" if input.optional else "required")
    if said["type"].startswith("COMBO") and not same_options(said["type"][6:-1], input):
        found.append(f"options {input.choice}")
    default = None if input.default in (MISSING, "") else input.default
    if value(said["default"]) != default:
        found.append(f"default {input.default}, not {said['default']}")
    limits = [said["min"], said["max"], said["step"]]
    ours = [input.range.min, input.range.max, input.range.step] if input.range else [None] * 3
    if said["max"] == "":
        limits[1] = ours[1] = None
    if [value(limit) for limit in limits] != ours:
        found.append(f"limits {ours}, not {limits}")
    return found


def type_name(said: str) -> str:
    if said.startswith("COMBO"):
        return "COMBO"
    return "*" if said == "MATCH" else said


def same_options(said: str, input: Input) -> bool:
    """Whether the options of a fixed list are those of the list; a long one ends in its length."""
    options: Any = input.choice.options if input.choice else None
    if not isinstance(options, tuple):
        return True
    ours, listed = list(map(str, options)), said.split("|")  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - a tuple of strings
    if not listed[-1].startswith("…"):
        return ours == listed
    return [o for o in ours if o in listed] == [o for o in listed if o in ours]


def value(text: str | None) -> Any:
    if text is None:
        return None
    if text in ("True", "False"):
        return text == "True"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def test_every_node_that_has_a_known_name_has_the_known_signature(
    ours: Registry, theirs: dict[str, re.Match[str]]
):
    known = ours.nodes.keys() & theirs.keys()
    assert len(known) > 80
    found = [problem for id in sorted(known) for problem in problems(ours[id], theirs[id])]
    assert found == []
