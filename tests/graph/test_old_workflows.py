"""Files of earlier years, and files that contradict themselves, become the prompt they mean.

The editor's tests read the same cases (`web/tests/old_workflows.test.ts`).
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.authoring.registry import Registry
from engine.graph.errors import PromptError
from engine.graph.prompt import as_link
from engine.graph.settling import normalize
from engine.graph.workflow import to_prompt
from tests.conftest import CHECKOUT

SAMPLERS = ["euler", "dpmpp_2m", "heun", "lcm"]

CASES: list[dict[str, Any]] = json.loads(
    (CHECKOUT / "tests/graph/data/old_workflows.json").read_bytes()
)


@pytest.fixture(scope="module")
def known() -> Registry:
    return Registry.installed()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_an_old_file_becomes_the_prompt_that_it_means(case: dict[str, Any], known: Registry):
    if "error" in case:
        with pytest.raises(PromptError) as caught:
            to_prompt(case["workflow"], known)
        assert all(word in caught.value.details for word in case["error"])
        return
    prompt = to_prompt(case["workflow"], known)
    for id, expected in case["expects"].items():
        inputs = prompt[id]["inputs"]
        assert {name: inputs.get(name) for name in expected} == expected
        links = {name for name, value in inputs.items() if isinstance(value, list)}
        assert links == {name for name, value in expected.items() if isinstance(value, list)}
    for id, type in case.get("types", {}).items():
        assert prompt[id]["class_type"] == type


BUNDLED = sorted((CHECKOUT / "workflows").glob("*.json"))
OLD_CONTROLS = {"fixed": [False, None, 0, "Fixed"], "randomize": [True, 1, "Random"]}


def sheets(document: Any) -> list[Any]:
    """The document and its subgraphs."""
    return [document, *document.get("definitions", {}).get("subgraphs", [])]


def wire_ends(wire: Any) -> tuple[int, Any]:
    """The id of a link, and the node that it ends at."""
    try:
        return wire["id"], wire["target_id"]
    except TypeError:
        return wire[0], wire[3]


def sockets(sheet: dict[str, Any], side: str) -> list[Any]:
    """All sockets of a sheet's nodes on one side."""
    found: list[Any] = []
    for node in sheet["nodes"]:
        found.extend(node.get(side) or [])
    return found


def made_old(node: Any, random: Random) -> None:
    """Controls and names of samplers as they once were; `widgets_values_named` was not yet."""
    node.pop("widgets_values_named", None)
    saved: Any = node.get("widgets_values")
    values = cast("list[Any]", saved if isinstance(saved, list) else [])
    for place, value in enumerate(values):
        if place > 0 and type(values[place - 1]) is int and value in OLD_CONTROLS:
            values[place] = random.choice(OLD_CONTROLS[value])
        elif value in ("euler", "dpmpp_2m", "heun"):
            values[place] = f"sample_{value}"


def made_uneven(sheet: Any, random: Random) -> None:
    """Each link is forgotten in one of the three places where it stands, or in none."""
    inputs, outputs = sockets(sheet, "inputs"), sockets(sheet, "outputs")
    by_link: dict[int, Any] = {s["link"]: s for s in inputs if s.get("link") is not None}
    listed: set[int] = {link for socket in outputs for link in socket["links"] or ()}
    wires: list[Any] = [*sheet["links"]]
    for wire in wires:
        link, target = wire_ends(wire)
        if link not in listed or link not in by_link or target in (-20, "-20"):
            continue
        match random.randrange(4):
            case 0:
                sheet["links"].remove(wire)
            case 1:
                by_link[link]["link"] = None
            case 2:
                by_link[link]["link"] = 10_000 + link
            case _:
                pass


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
@given(number=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_a_file_of_today_made_old_means_the_same(known: Registry, path: Path, number: int):
    document = json.loads(path.read_bytes())
    expected = to_prompt(document, known)
    random = Random(number)
    for sheet in sheets(document):
        made_uneven(sheet, random)
        for node in sheet["nodes"]:
            made_old(node, random)
    assert to_prompt(document, known) == expected


@given(
    st.integers(0, 2**64 - 1),
    st.integers(1, 10_000),
    st.floats(0, 100),
    st.sampled_from(SAMPLERS),
    st.floats(0, 1),
    st.sampled_from(
        ["fixed", "increment", "randomize", True, False, None, 0, 1, 2, "odd", "FIXED"]
    ),
    st.integers(0, 2),
)
def test_whatever_stands_behind_a_seed_no_other_value_moves(
    known: Registry,
    seed: int,
    steps: int,
    cfg: float,
    sampler: str,
    denoise: float,
    control: Any,
    missing: int,
):
    values = [seed, steps, cfg, sampler, "normal", denoise]
    names = ["seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"]
    named: dict[str, Any] = dict(zip(names, values, strict=True))
    for behind in ([], [control]):
        saved = [seed, *behind, *values[1:]]
        cut = saved[: len(saved) - missing]
        document = {"nodes": [{"id": 1, "type": "KSampler", "widgets_values": cut}], "links": []}
        inputs = to_prompt(document, known)["1"]["inputs"]
        kept = [*named][: len(named) - missing]
        assert {name: inputs[name] for name in kept} == {name: named[name] for name in kept}


def without_ids(prompt: dict[str, Any]) -> list[Any]:
    """Nodes in an order of their own, linked nodes by what they are instead of their ids."""

    def told(id: str) -> Any:
        inputs: dict[str, Any] = {}
        for name, value in sorted(prompt[id]["inputs"].items()):
            link = as_link(value)
            inputs[name] = value if link is None else [told(link.node), link.slot]
        return [prompt[id]["class_type"], inputs]

    return sorted((told(id) for id in prompt), key=json.dumps)


def test_what_another_editor_sends_of_the_same_file(shared: Path, known: Registry):
    for path in sorted((shared / "review" / "cases").glob("F[12578]_*.json")):
        case = json.loads(path.read_bytes())
        made = to_prompt(case["workflow"], known)
        made = normalize(made, known, case["workflow"], choose=True)
        assert without_ids(made) == without_ids(case["frontend_1.58.1_prompt"]), path.name
