"""Each way to be refused by POST /prompt, in the shape and words that clients know."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.conftest import Service, start_service
from tests.server.conftest import Caller

FAILED = "prompt_outputs_failed_validation"
TOLD = "Prompt outputs failed validation"
NO_OUTPUTS = ("prompt_no_outputs", "Prompt has no outputs", "")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = start_service(tmp_path_factory.mktemp("home"))
    yield started
    started.stop()


@pytest.fixture
async def call(service: Service) -> AsyncGenerator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(service, session)


def n(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def blank(**changes: Any) -> dict[str, Any]:
    return n("EmptyImage", **{"width": 64, "height": 64, "batch_size": 1, "color": 0} | changes)


def shown(source: dict[str, Any], slot: Any = 0) -> dict[str, Any]:
    return {"1": source, "2": n("PreviewImage", images=["1", slot])}


class Refusal(NamedTuple):
    """A prompt and what is said of it.

    Attributes:
        error: type, message and details of the whole.
        node: whose errors are told, if any are.
        of_node: its error's type, message and details.
        facts: members of the error's extra_info, beside their values some that are there.
    """

    prompt: dict[str, Any]
    error: tuple[str, str, str]
    node: str = ""
    of_node: tuple[str, str, str] = ("", "", "")
    facts: dict[str, Any] | None = None


INVERTED = {"1": n("ImageInvert", image=["2", 0]), "2": n("ImageInvert", image=["1", 0])}
CYCLE = "1 (ImageInvert) -> 2 (ImageInvert) -> 1 (ImageInvert)"
BROKEN_LINK = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
MISMATCH = "Return type mismatch between linked nodes"
KINDS = "images, received_type(LATENT) mismatch input_type(IMAGE)"
NO_INT = "invalid literal for int() with base 10: 'abc'"

REFUSALS = {
    "no node at all": Refusal({}, NO_OUTPUTS),
    "no output node": Refusal({"1": blank()}, NO_OUTPUTS),
    "an unknown node": Refusal(
        shown(n("Nope")),
        ("invalid_prompt", "Cannot execute because node Nope does not exist.", "Node ID '#1'"),
    ),
    "a node of no kind": Refusal(
        {"1": {"inputs": {}}, "2": n("PreviewImage", images=["1", 0])},
        (
            "invalid_prompt",
            "Cannot execute because a node is missing the class_type property.",
            "Node ID '#1'",
        ),
    ),
    "a node without inputs": Refusal(
        shown({"class_type": "EmptyImage"}),
        (FAILED, TOLD, ""),
        "1",
        (
            "exception_during_inner_validation",
            "Exception when validating inner node",
            "'inputs'",
        ),
        {"linked_node": ["1", 0], "input_name": "images", "exception_type": "KeyError"},
    ),
    "too small a number": Refusal(
        shown(blank(width=0)),
        (FAILED, TOLD, ""),
        "1",
        ("value_smaller_than_min", "Value 0 smaller than min of 1", "width"),
        {"input_name": "width", "received_value": 0},
    ),
    "too big a number": Refusal(
        shown(blank(width=99999)),
        (FAILED, TOLD, ""),
        "1",
        ("value_bigger_than_max", "Value 99999 bigger than max of 16384", "width"),
        {"input_name": "width", "received_value": 99999},
    ),
    "no number": Refusal(
        shown(blank(width="abc")),
        (FAILED, TOLD, ""),
        "1",
        (
            "invalid_input_type",
            "Failed to convert an input value to a INT value",
            f"width, abc, {NO_INT}",
        ),
        {"input_name": "width", "received_value": "abc", "exception_message": NO_INT},
    ),
    "half a link": Refusal(
        {"1": blank(), "2": n("PreviewImage", images=["1"])},
        (FAILED, TOLD, f"{BROKEN_LINK}: images"),
        "2",
        ("bad_linked_input", BROKEN_LINK, "images"),
        {"input_name": "images", "received_value": ["1"]},
    ),
    "a link to nobody": Refusal(
        {"1": blank(), "2": n("PreviewImage", images=["77", 0])},
        (FAILED, TOLD, "Exception when validating node: '77'"),
        "2",
        ("exception_during_validation", "Exception when validating node", "'77'"),
        {"exception_type": "KeyError"},
    ),
    "a link to no output": Refusal(
        shown(blank(), 5),
        (FAILED, TOLD, "Exception when validating node: tuple index out of range"),
        "2",
        (
            "exception_during_validation",
            "Exception when validating node",
            "tuple index out of range",
        ),
        {"exception_type": "IndexError"},
    ),
    "a link of the wrong type": Refusal(
        shown(n("EmptyLatentImage", width=64, height=64, batch_size=1)),
        (FAILED, TOLD, f"{MISMATCH}: {KINDS}"),
        "2",
        ("return_type_mismatch", MISMATCH, KINDS),
        {"input_name": "images", "received_type": "LATENT", "linked_node": ["1", 0]},
    ),
    "a file that is not there": Refusal(
        shown(n("LoadImage", image="nofile.png")),
        (FAILED, TOLD, ""),
        "1",
        (
            "custom_validation_failed",
            "Custom validation failed for node",
            "image - Invalid image file: nofile.png",
        ),
        {"input_name": "image"},
    ),
    "a cycle": Refusal(
        {**INVERTED, "3": n("PreviewImage", images=["1", 0])},
        (FAILED, TOLD, ""),
        "1",
        ("dependency_cycle", "Dependency cycle detected", CYCLE),
        {"node_id": "1"},
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_prompt_is_refused_as_clients_know_it(call: Caller, name: str):
    refusal = REFUSALS[name]
    status, answer = await call.post("/prompt", {"prompt": refusal.prompt})
    assert status == 400
    assert set(answer) == {"error", "node_errors"}
    assert set(answer["error"]) == {"type", "message", "details", "extra_info"}
    assert tuple(answer["error"][key] for key in ("type", "message", "details")) == refusal.error
    assert set(answer["node_errors"]) == ({refusal.node} if refusal.node else set())
    assert "raceback" not in json.dumps(answer)
    for told in answer["node_errors"].values():
        assert set(told) == {"errors", "dependent_outputs", "class_type"}
        (error,) = told["errors"]
        assert tuple(error[key] for key in ("type", "message", "details")) == refusal.of_node
        facts = refusal.facts or {}
        assert {key: error["extra_info"].get(key) for key in facts} == facts


async def test_every_missing_input_is_told(call: Caller):
    _, answer = await call.post("/prompt", {"prompt": shown(n("EmptyImage", width=64))})
    told = answer["node_errors"]["1"]
    assert told["dependent_outputs"] == ["2"]
    assert {error["type"] for error in told["errors"]} == {"required_input_missing"}
    assert {error["message"] for error in told["errors"]} == {"Required input is missing"}
    assert {error["details"] for error in told["errors"]} == {"height", "batch_size", "color"}


async def test_a_choice_that_there_is_not_lists_those_there_are(call: Caller):
    prompt = {
        "1": n("CheckpointLoaderSimple", ckpt_name="zz.safetensors"),
        "2": n("CLIPTextEncode", text="x", clip=["1", 1]),
        "3": n("PreviewAny", source=["2", 0]),
    }
    _, answer = await call.post("/prompt", {"prompt": prompt})
    (error,) = answer["node_errors"]["1"]["errors"]
    assert (error["type"], error["message"]) == ("value_not_in_list", "Value not in list")
    assert error["details"].startswith("ckpt_name: 'zz.safetensors' not in ['")
    assert error["extra_info"]["received_value"] == "zz.safetensors"
    assert isinstance(error["extra_info"]["input_config"][0], list)


@pytest.mark.parametrize(
    ("body", "type", "message"),
    [
        ({}, "no_prompt", "No prompt provided"),
        ("{bad", "invalid_json", None),
        ({"prompt": [1]}, "invalid_prompt", None),
        ([], "invalid_json", None),
        (b"\xff", "invalid_json", None),
        ({"prompt": shown(blank()), "partial_execution_targets": []}, *NO_OUTPUTS[:2]),
        ({"prompt": shown(blank()), "prompt_id": "x" * 129}, "invalid_prompt_id", None),
        ({"prompt": shown(blank()), "number": "x"}, "invalid_number", None),
    ],
)
async def test_a_body_that_is_no_prompt_is_refused(
    call: Caller, body: Any, type: str, message: str | None
):
    status, answer = await call.post("/prompt", body)
    assert (status, answer["error"]["type"]) == (400, type)
    assert answer["node_errors"] == {}
    assert answer["error"]["message"] == (message or answer["error"]["message"])


async def test_what_is_wrong_with_one_output_keeps_no_other_from_running(call: Caller):
    prompt = {**shown(blank()), "3": n("PreviewImage")}
    async with call.ear("me") as ear:
        status, answer = await call.post("/prompt", {"prompt": prompt, "client_id": "me"})
        assert status == 200
        (error,) = answer["node_errors"]["3"]["errors"]
        assert (error["type"], error["details"]) == ("required_input_missing", "images")
        assert answer["node_errors"]["3"]["dependent_outputs"] == ["3"]
        await ear.over(answer["prompt_id"])
    _, history = await call.get(f"/history/{answer['prompt_id']}")
    assert list(history[answer["prompt_id"]]["outputs"]) == ["2"]


async def test_what_can_be_converted_or_is_not_asked_for_is_taken(call: Caller):
    for changes in ({"width": "64", "height": 64.9, "batch_size": True}, {"zzz": 5}):
        status, answer = await call.post("/prompt", {"prompt": shown(blank(**changes))})
        assert (status, answer["node_errors"]) == (200, {})
        assert set(answer) == {"prompt_id", "number", "node_errors"}


@pytest.mark.parametrize("inputs", [[], None, "absent"])
async def test_a_node_that_needs_no_inputs_runs_however_it_says_so(call: Caller, inputs: Any):
    entry: dict[str, Any] = {"class_type": "DisableNoise", "inputs": inputs}
    if inputs == "absent":
        del entry["inputs"]
    prompt = {"1": entry, "2": n("PreviewAny", source=["1", 0])}
    async with call.ear("empty") as ear:
        status, answer = await call.post("/prompt", {"prompt": prompt, "client_id": "empty"})
        assert (status, answer["node_errors"]) == (200, {})
        await ear.over(id := answer["prompt_id"])
    _, history = await call.get(f"/history/{id}")
    assert history[id]["status"]["status_str"] == "success"
    assert history[id]["prompt"][2]["1"]["inputs"] == {}


@pytest.mark.parametrize("inputs", ["x", 0, "", False, [1], ["1", 0]])
async def test_inputs_that_are_no_object_are_refused_where_they_are_needed(
    call: Caller, inputs: Any
):
    entry = {"class_type": "DisableNoise", "inputs": inputs}
    prompt = {"1": entry, "2": n("PreviewAny", source=["1", 0])}
    status, answer = await call.post("/prompt", {"prompt": prompt})
    assert status == 400
    (error,) = answer["node_errors"]["1"]["errors"]
    assert "has no 'inputs' object" in error["extra_info"]["exception_message"]
