"""Patterns in the prefixes of file names."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.authoring.registry import Registry
from engine.graph.file_names import LONGEST_NAME, expanded, filled, unknown
from engine.graph.settling import normalize
from engine.graph.workflow import to_prompt
from tests.graph.editor import box, canvas

NOW = datetime.fromisoformat("2026-03-05T07:08:09+00:00")


@pytest.fixture(scope="module")
def known() -> Registry:
    return Registry.installed()


def prompt(prefix: Any = "x", **titles: str) -> dict[str, Any]:
    """An empty latent, a sampler and a writer; titles by node."""
    nodes: dict[str, Any] = {
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 48}},
        "sampler": {
            "class_type": "KSampler",
            "inputs": {"seed": 2**63, "cfg": 8.0, "denoise": 0.55, "steps": ["number", 0]},
        },
        "number": {"class_type": "PrimitiveInt", "inputs": {"value": 17}},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"text": "../a cat/\\:?"}},
        "save": {"class_type": "SaveImage", "inputs": {"filename_prefix": prefix}},
    }
    for id, title in titles.items():
        nodes[id]["_meta"] = {"title": title}
    return nodes


def name(prefix: str, known: Registry, **titles: str) -> str:
    return filled(prefix, prompt(**titles), known, NOW, {})


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%date:yyyy-MM-dd%", "2026-03-05"),
        ("%date:yy/M/d%", "26/3/5"),
        ("ed/%date:hh-mm-ss%/x", "ed/07-08-09/x"),
        ("%date:h.m.s%", "7.8.9"),
        ("%date:hhmmss%", "070809"),
        ("%date:%", ""),
        ("100%_%date:yyyy%", "100%_2026"),
        ("%KSampler.seed%", "9223372036854775808"),
        ("%KSampler.cfg%_%KSampler.denoise%", "8_0.55"),
        ("%KSampler.steps%", "17"),
        ("%Empty Latent Image.width%x%EmptyLatentImage.height%", "64x48"),
        ("%CLIPTextEncode.text%", ".._a cat____"),
        ("%KSampler.model%", "%KSampler.model%"),
        ("%Nobody.seed%", "%Nobody.seed%"),
        ("%width%_%year%", "%width%_%year%"),
        ("50% of %", "50% of %"),
    ],
)
def test_a_pattern_is_filled_in(pattern: str, expected: str, known: Registry):
    assert name(pattern, known) == expected


def test_a_node_goes_by_its_own_title(known: Registry):
    titled = {"sampler": "v1.5 first"}
    assert name("%v1.5 first.seed%", known, **titled) == str(2**63)
    assert name("%KSampler.cfg%", known, **titled) == "8"


def test_the_name_for_replacing_counts_before_titles(known: Registry):
    names = {"number": "sampler"}
    made = filled("%sampler.value%", prompt(latent="sampler"), known, NOW, names)
    assert made == "17"


@given(st.text(), st.text(max_size=300))
def test_no_value_leads_out_of_its_folder(known: Registry, value: str, more: str):
    nodes = prompt()
    nodes["text"]["inputs"]["text"] = value
    nodes["number"]["inputs"]["value"] = more
    made = filled("a/%CLIPTextEncode.text%/%PrimitiveInt.value%b/x", nodes, known, NOW, {})
    first, middle, last, end = made.split("/")
    assert (first, end) == ("a", "x")
    assert {".", ".."}.isdisjoint((middle, last))
    assert all(len(part.encode(errors="replace")) <= LONGEST_NAME for part in (middle, last))


def test_what_is_known_when_a_file_is_saved():
    made = expanded(
        "%width%x%height% %batch_num% %year%-%month%-%day% %hour%%minute%%second% %other% 100% %%",
        batch_number=3,
        width=64,
        height=128,
    )
    pattern = r"64x128 3 \d{4}-\d\d-\d\d \d{6} %other% 100% %%"
    assert re.fullmatch(pattern, made)
    assert unknown(made) == ["%other%"]


def test_a_submitted_prompt_has_names_and_the_client_keeps_its_patterns(known: Registry):
    given = prompt("%KSampler.seed%_%date:yyyy%_%width%")
    made = normalize(given, known, choose=False)
    year = datetime.now().astimezone().year
    assert made["save"]["inputs"]["filename_prefix"] == f"{2**63}_{year}_%width%"
    assert given["save"]["inputs"]["filename_prefix"] == "%KSampler.seed%_%date:yyyy%_%width%"
    assert normalize({"1": 5, "2": {"class_type": "SaveImage", "inputs": []}}, known, choose=True)


def test_a_workflow_says_what_its_nodes_are_called(known: Registry):
    document = canvas(
        [
            box(1, "KSampler", [7, "fixed", 20], properties={"Node name for S&R": "first"}),
            box(2, "KSampler", [8, "fixed", 30], title="second"),
            box(3, "SaveImage", ["%first.seed%_%second.steps%_%KSampler.seed%"]),
        ],
        [],
    )
    made = normalize(to_prompt(document, known), known, document, choose=True)
    assert made["3"]["inputs"]["filename_prefix"] == "7_30_8"
