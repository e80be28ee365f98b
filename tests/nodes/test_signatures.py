"""Nodes that have ComfyUI's names have its signatures: the list it gives of itself is read here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import nodes
from engine.authoring.registry import Registry
from engine.authoring.spec import MISSING, Input, NodeSpec
from engine.graph.core_nodes import CORE_NODES

LINE = re.compile(r"- `(?P<id>[^`]+)` \((?P<inputs>.*?)\) → \((?P<outputs>.*?)\)(?P<rest>.*)")
TYPE = r"COMBO\[.*?\]|DYNCOMBO\[.*\]|AUTOGROW\[.*?\]|[\w*,]+(?:\(\w+\))?"
FLAGS = (
    r"multiline|dynamic_prompts|advanced|lazy|force_input|control|socketless"
    r"|frontend|newer"
)
INPUT = re.compile(
    r"(?P<name>[^:?]+)(?P<optional>\??): "
    rf"(?P<type>{TYPE})"
    r"(?: =(?P<default>.*?))?"
    r"(?: \[(?P<min>[^\]]*?)\.\.(?P<max>[^ \]]*)(?: step (?P<step>[^\]]+))?\])?"
    rf"(?P<flags>(?: \((?:{FLAGS}).*\))?)"
)
OPTION = re.compile(r"(?P<key>.+?)(?: \([^)]*\))? \{(?P<inputs>.*)\}")
SLOTS = re.compile(r"(?P<names>[^:]+): (?P<type>[\w*,]+); min (?P<min>\d+)")


ADDED = {
    "CFGNorm": ["pre_cfg"],
    "ImageScaleToTotalPixels": ["resolution_steps"],
    "LoraModelLoader": ["bypass"],
    "ModelSamplingAuraFlow": ["sampling"],
}
"""Inputs of newer releases on nodes of the older list; prompts may leave them out."""

OFFERED = {"DualCLIPLoader", "FluxKontextMultiReferenceLatentMethod", "SaveVideo"}
"""Nodes of the older list whose choices newer releases extend."""

PASSED = {
    "SaveImage": ["images"],
    "PreviewImage": ["images"],
    "MaskPreview": ["mask"],
    "PreviewAny": ["STRING"],
    "SaveSVGNode": ["svg"],
}
"""Outputs of newer releases on output nodes of the older list."""

CUT = 24
"""Characters that are left of longer defaults in the list."""

UNTOLD = {"CustomCombo", "MarigoldV2PostProcess"}
"""The list describes their inputs in words."""


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


def split(text: str, mark: str = "; ") -> list[str]:
    """Parts of a text, cut where no bracket is open."""
    parts, depth = [""], 0
    for piece in re.split(rf"({re.escape(mark)}|[\[\](){{}}])", text):
        if piece == mark and depth == 0:
            parts.append("")
            continue
        depth += (piece in tuple("[({")) - (piece in tuple("])}"))
        parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def read(inputs: str) -> list[re.Match[str]]:
    parts = [(part, INPUT.fullmatch(part)) for part in split(inputs)]
    assert [part for part, match in parts if match is None] == []
    return [match for _, match in parts if match is not None]


def problems(spec: NodeSpec, line: re.Match[str]) -> list[str]:
    found = [] if spec.id in UNTOLD else compared(spec.id, line["inputs"], spec.inputs)
    outputs = [output.split(":") for output in split(line["outputs"], ", ") if output]
    outputs += [[name] for name in PASSED.get(spec.id, [])]
    if [output[0] for output in outputs] != [output.name for output in spec.outputs]:
        found.append(f"{spec.id}: outputs {spec.outputs}")
    types = [output[-1].removesuffix(" list") for output in outputs]
    for said, output in zip(types, spec.outputs, strict=False):
        if spec.id not in PASSED and not said.startswith("MATCH") and said != output.type:
            found.append(f"{spec.id}: output {output}, not {said}")
    if ("**OUTPUT**" in line["rest"]) != spec.is_output:
        found.append(f"{spec.id}: shows {spec.is_output}")
    lists = "list out" in line["rest"] or " list" in line["outputs"]
    if lists != any(output.each for output in spec.outputs):
        found.append(f"{spec.id}: lists {spec.outputs}")
    return found


def compared(place: str, listed: str, inputs: tuple[Input, ...]) -> list[str]:
    """How inputs differ from those that are listed."""
    said = read(listed)
    found = [
        f"{place}.{one['name']}: {problem}"
        for one, input in zip(said, inputs, strict=False)
        for problem in differences(f"{place}.{input.name}", one, input)
    ]
    names = [one["name"] for one in said] + ADDED.get(place, [])
    if names != [input.name for input in inputs]:
        found.append(f"{place}: inputs {[input.name for input in inputs]}, not {names}")
    added = [input for input in inputs if input.name in ADDED.get(place, [])]
    if not all(input.optional for input in added):
        found.append(f"{place}: {ADDED[place]} must be optional")
    return found


def differences(place: str, said: re.Match[str], input: Input) -> list[str]:
    found: list[str] = []
    kind: str = said["type"]
    if bool(said["optional"]) != input.optional:
        found.append("optional" if input.optional else "required")
    if kind.startswith("DYNCOMBO"):
        return found + options_differ(place, kind[9:-1], input)
    if kind.startswith("AUTOGROW"):
        return found + slots_differ(kind[9:-1], input)
    if kind.startswith("MATCH") != (input.match is not None):
        found.append(f"match {input.match}")
    elif type_name(kind) != input.type and not kind.startswith("MATCH"):
        found.append(f"type {input.type}")
    may_offer_more = place.partition(".")[0] in OFFERED
    if kind.startswith("COMBO") and not same_options(kind[6:-1], input, may_offer_more):
        found.append(f"options {input.choice}")
    default: Any = None if input.default in (MISSING, "") or input.later else input.default
    if input.later and said["default"] is not None:
        default = input.default
    if len(said["default"] or "") == CUT:  # the list has the beginning alone
        default = str(default)[:CUT]
    if value(said["default"]) != default and not said["type"].startswith("IMAGECOMPARE"):
        found.append(f"default {input.default}, not {said['default']}")
    limits = [said["min"], said["max"], said["step"]]
    ours = [input.range.min, input.range.max, input.range.step] if input.range else [None] * 3
    if input.custom:
        ours = [input.custom.options.get(limit) for limit in ("min", "max", "step")]
    if said["max"] == "":
        limits[1] = ours[1] = None
    if [value(limit) for limit in limits] != ours:
        found.append(f"limits {ours}, not {limits}")
    if "advanced" in said["flags"] and not input.advanced:
        found.append("not advanced")
    if "force_input" in said["flags"] and not input.link_only:
        found.append("not force_input")
    return found


def options_differ(place: str, listed: str, input: Input) -> list[str]:
    """How a choice that brings inputs differs from the listed one."""
    said = [OPTION.fullmatch(option) for option in split(listed, " | ")]
    assert None not in said, listed
    keys = [option["key"] for option in said if option is not None]
    if keys != [variant.key for variant in input.variants]:
        return [f"options {[variant.key for variant in input.variants]}, not {keys}"]
    return [
        problem
        for option, variant in zip(said, input.variants, strict=True)
        if option is not None
        for problem in compared(f"{place}.{variant.key}", option["inputs"], variant.inputs)
    ]


def slots_differ(listed: str, input: Input) -> list[str]:
    """How growing slots differ from the listed ones."""
    said = SLOTS.fullmatch(listed)
    assert said is not None, listed
    if input.slots is None or input.slot is None:
        return ["no slots"]
    names, found = input.slots.all(), list[str]()
    if f"{names[0]}..{names[-1]}" != said["names"]:
        found.append(f"slots {names[0]}..{names[-1]}")
    if input.slots.min != int(said["min"]):
        found.append(f"at least {input.slots.min}")
    if input.slot.match is None and type_name(said["type"]) != input.slot.type:
        found.append(f"slots of {input.slot.type}")
    return found


def type_name(said: str) -> str:
    if said.startswith("COMBO"):
        return "COMBO"
    return "*" if said.startswith("MATCH") else said


def same_options(said: str, input: Input, may_offer_more: bool) -> bool:
    """Whether the options of a fixed list are those of the list; a long one ends in its length."""
    options: Any = input.choice.options if input.choice else None
    if not isinstance(options, tuple):
        return True
    ours, listed = list(map(str, options)), said.split("|")  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - a tuple of strings
    if not listed[-1].startswith("…"):
        return ours[: len(listed)] == listed and (may_offer_more or len(ours) == len(listed))
    return [o for o in ours if o in listed] == [o for o in listed if o in ours]


def value(text: str | None) -> Any:
    if not text:
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


NAMED = re.compile(r"- `(?P<id>[^`]+)` = (?P<name>.+?)(?: \(DEPRECATED\))? \| ")
TORN = re.compile(r"_|[0-9] [A-Z]\b|\bK Sampler|[a-z][A-Z]")
"""In a title: an underscore, a number parted from its letter, words that are not parted."""
ONE_WORD = {"ControlNet", "FreSca", "unCLIP", "LoRA", "YuE2", "HiDream-O1", "MiniMax", "BBoxes"}


def test_titles_are_written_for_people(ours: Registry):
    torn = {}
    for spec in ours.nodes.values():
        plain = " ".join(word for word in spec.display_name.split() if word not in ONE_WORD)
        if TORN.search(plain):
            torn[spec.id] = spec.display_name
    assert torn == {}


def test_titles_are_those_that_are_listed(ours: Registry, shared: Path):
    text = (shared / "spec" / "node-signatures-newer.md").read_text()
    listed = {match["id"]: match["name"] for match in NAMED.finditer(text)}
    assert len(listed) > 100
    ours_of = {id: spec.display_name for id, spec in ours.nodes.items() if id in listed}
    assert ours_of == {id: listed[id] for id in ours_of}


def test_every_core_node_is_known_by_its_id(ours: Registry, theirs: dict[str, re.Match[str]]):
    assert theirs.keys() <= CORE_NODES
    assert {"KokoroLoader", "KokoroSpeak"}.isdisjoint(CORE_NODES)
