"""Random graphs of real nodes, and valid prompts changed at random: answered, run, survived."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Service, start_service
from tests.server.test_any_json import VALUES, answer

SMALL = {"width": 8, "height": 8, "batch_size": 2, "color": 255}
VALID: list[dict[str, Any]] = [
    {
        "1": {"class_type": "EmptyImage", "inputs": SMALL},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
        "4": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    },
    {
        "1": {"class_type": "PrimitiveInt", "inputs": {"value": 7}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        "3": {
            "class_type": "StringConcatenate",
            "inputs": {"string_a": "a", "string_b": "b", "delimiter": ","},
        },
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
    },
    {
        "1": {"class_type": "SolidMask", "inputs": {"value": 0.5, "width": 8, "height": 8}},
        "2": {"class_type": "MaskToImage", "inputs": {"mask": ["1", 0]}},
        "3": {"class_type": "ImageCrop", "inputs": {"image": ["2", 0], "width": 4, "height": 4}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    },
]
SAFE = (
    *("EmptyImage", "SolidMask", "MaskToImage", "ImageToMask", "ImageInvert", "ImageCrop"),
    *("ImageFromBatch", "ImageBatch", "PrimitiveInt", "PrimitiveFloat", "PrimitiveString"),
    *("PrimitiveBoolean", "StringConcatenate", "PreviewAny", "PreviewImage", "ComfySwitchNode"),
)
"""Nodes that need no model, and are quick at any of the values that are tried."""

ODD = st.sampled_from(
    [
        *(None, True, 0, -1, 3, "7", "x", "", [], {}, 0.5, 1e308, float("nan"), float("inf")),
        *(10**30, ["1", 0], ["1", 9], ["9", 0], ["1", -1], ["1", "0"], ["1"], [1, 0]),
        {"__value__": [1, 2]},
    ]
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = start_service(tmp_path_factory.mktemp("home"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def catalog(service: Service) -> dict[str, Any]:
    """What the service says of the safe nodes."""
    _, told = answer(service.url + "/object_info")
    every = json.loads(told)
    return {name: every[name] for name in SAFE if name in every}


def post(service: Service, prompt: Any) -> None:
    """Submit: taken or refused, and nothing else."""
    status, data = answer(service.url + "/prompt", json.dumps({"prompt": prompt}).encode())
    told = json.loads(data, parse_constant=lambda word: 1 / 0)
    assert status in (200, 400), told
    assert "prompt_id" in told or told["error"]["message"]
    assert b"Traceback" not in data


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """A valid prompt, and some random changes to it."""
    prompt = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        change(draw, prompt)
    return prompt


def change(draw: st.DrawFn, prompt: dict[str, Any]) -> None:
    """Change one thing of a prompt."""
    if not prompt:
        return
    id = draw(st.sampled_from(sorted(prompt)))
    given = inputs_of(prompt[id])
    what = draw(st.integers(0, 6))
    if given and what < 4:
        name = draw(st.sampled_from(sorted(given)))
        match what:
            case 0:
                del given[name]
            case 1:
                given[draw(st.text(max_size=8))] = given.pop(name)
            case _:
                given[name] = draw(ODD | VALUES)
    else:
        match what:
            case 4:
                del prompt[id]
            case 5:
                prompt[draw(st.text(max_size=4))] = copy.deepcopy(prompt[id])
            case _:
                prompt[id] = draw(VALUES | st.fixed_dictionaries({"class_type": VALUES}))


def inputs_of(node: Any) -> dict[str, Any]:
    """The inputs of what may be a node."""
    inputs = cast("dict[str, Any]", node).get("inputs") if isinstance(node, dict) else None
    return cast("dict[str, Any]", inputs) if isinstance(inputs, dict) else {}


@settings(max_examples=1500, deadline=None)
@given(prompt=changed())
def test_a_valid_prompt_changed_at_random_is_taken_or_refused(service: Service, prompt: Any):
    post(service, prompt)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_random_graph_is_taken_or_refused(
    service: Service, catalog: dict[str, Any], data: st.DataObject
):
    kinds = data.draw(st.lists(st.sampled_from(sorted(catalog)), min_size=1, max_size=8))
    ids = [str(number) for number in range(len(kinds))]
    prompt: dict[str, Any] = {}
    for id, kind in zip(ids, kinds, strict=True):
        told = catalog[kind]["input"]
        entries = {**told.get("required", {}), **told.get("optional", {})}
        inputs = {
            name: data.draw(fitting(entry, ids, catalog, kinds)) for name, entry in entries.items()
        }
        prompt[id] = {"class_type": kind, "inputs": inputs}
    post(service, prompt)


def fitting(
    entry: list[Any], ids: list[str], catalog: dict[str, Any], kinds: list[str]
) -> st.SearchStrategy[Any]:
    """A link to an output of the right type, or of any; or a small literal."""
    type: Any = entry[0]
    options: dict[str, Any] = entry[1] if len(entry) > 1 else {}
    links = [
        [id, slot]
        for id, kind in zip(ids, kinds, strict=True)
        for slot, output in enumerate(catalog[kind]["output"])
        if output == type or "*" in (output, type)
    ]
    literals: list[Any] = [options.get("default", 1)]
    if type in ("INT", "FLOAT"):
        literals += [options.get("min", 0), min(options.get("min", 0) + 8, options.get("max", 8))]
    elif type == "STRING":
        literals += ["", "é"]
    elif type == "BOOLEAN":
        literals += [True, False]
    elif isinstance(type, list):
        literals += cast("list[Any]", type)[:3]
    wild = st.tuples(st.sampled_from(ids), st.integers(0, 2)).map(list)
    fits = st.sampled_from([*links, *literals]) if links else st.sampled_from(literals)
    return fits | fits | wild


ENTRIES = st.fixed_dictionaries(
    {"class_type": st.sampled_from(("EmptyImage", "SaveImage", "PreviewAny", "DisableNoise"))},
    optional={
        "inputs": ODD | VALUES,
        "_meta": ODD | VALUES | st.fixed_dictionaries({"title": ODD | VALUES}),
        "is_changed": ODD | VALUES,
        "more": VALUES,
    },
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "extra_pnginfo": ODD | st.fixed_dictionaries({"workflow": ODD | VALUES}),
        "preview_method": ODD,
        "create_time": ODD,
        "client_id": ODD,
        "more": VALUES,
    },
)


@settings(max_examples=80, deadline=None)
@given(
    odd=st.dictionaries(st.text(max_size=4), ENTRIES, max_size=3),
    extra=EXTRAS | ODD,
    title=ODD | VALUES,
)
def test_whatever_is_taken_can_be_read_afterwards(
    service: Service, odd: dict[str, Any], extra: Any, title: Any
):
    sound = copy.deepcopy(VALID[0]) | {"n": {"class_type": "PreviewAny", "inputs": {"source": 1}}}
    sound["3"]["_meta"] = {"title": title}
    body = {"prompt": {**odd, **sound}, "extra_data": extra}
    body["partial_execution_targets"] = ["n", "3"]
    status, data = answer(service.url + "/prompt", json.dumps(body).encode())
    assert status in (200, 400), data
    if status == 400:
        assert b"extra_data" in data or b"no output" in data or b"half a surrogate" in data
        return
    id = json.loads(data)["prompt_id"]
    while not (entry := json.loads(answer(f"{service.url}/history/{id}")[1])):
        time.sleep(0.01)
    number, _, stored, kept, outputs = entry[id]["prompt"]
    assert isinstance(number, int)
    assert set(outputs) == {"n", "3"}
    for node in stored.values():
        assert isinstance(node["inputs"], dict)
        assert isinstance(node.get("_meta", {}), dict)
    assert isinstance(kept.get("extra_pnginfo", {}), dict)
    every_list_is_read(service)
    assert json.loads(answer(f"{service.url}/api/jobs/{id}")[1])["id"] == id


LISTS = ("/queue", "/history?max_items=3", "/api/jobs?limit=3", "/api/gallery?limit=3")


def every_list_is_read(service: Service) -> None:
    for path in LISTS:
        status, data = answer(service.url + path)
        assert status == 200, (path, data)
        json.loads(data, parse_constant=lambda word: 1 / 0)


def test_after_all_that_every_job_ends_and_the_next_one_runs(service: Service):
    while json.loads(answer(service.url + "/prompt")[1])["exec_info"]["queue_remaining"]:
        time.sleep(0.01)
    status, data = answer(service.url + "/prompt", json.dumps({"prompt": VALID[0]}).encode())
    assert status == 200
    id = json.loads(data)["prompt_id"]
    while not (history := json.loads(answer(f"{service.url}/history/{id}")[1])):
        time.sleep(0.01)
    assert history[id]["status"]["status_str"] == "success"
    _, logs = answer(service.url + "/internal/logs")
    for path in ("/history", "/api/jobs", "/api/gallery?limit=500", "/api/assets"):
        assert answer(service.url + path)[0] == 200, path
    history = json.loads(answer(service.url + "/history")[1])
    ended = [entry["status"]["status_str"] for entry in history.values()]
    assert ended.count("success") > 20, "most would be refused"
    assert b"worker process died" not in logs
    assert b"failed outside of its nodes" not in logs
    assert b"cannot be read and is left out" not in logs
    for body in ({"delete": list(history)[:3]}, {"clear": True}):
        assert answer(service.url + "/history", json.dumps(body).encode())[0] == 200
    assert json.loads(answer(service.url + "/history")[1]) == {}
    assert json.loads(answer(service.url + "/api/jobs")[1])["jobs"] == []
