"""Bad input is answered with a JSON 4xx that says what is wrong; the service lives on."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from tests.conftest import ServerFactory
from tests.server.conftest import Caller, chain, node


def error_of(answer: tuple[int, Any], status: int = 400) -> dict[str, Any]:
    """The error of an answer of that status and shape."""
    assert answer[0] == status, answer
    assert set(answer[1]) == {"error", "node_errors"}
    assert set(answer[1]["error"]) == {"type", "message", "details", "extra_info"}
    assert "Traceback" not in json.dumps(answer[1])
    return answer[1]["error"]


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("{bad", "JSON"),
        ("", "JSON"),
        ("[1]", "list"),
        ('"text"', "string"),
        (b"\xff\xfe{}", "UTF-8"),
        ('{"prompt": ' + nested(500) + "}", "nested"),
        ('{"prompt": ' + nested(100_000) + "}", "nested"),
        ('{"prompt": {"1": "\\ud800"}}', "surrogate"),
    ],
)
@pytest.mark.parametrize("path", ["/prompt", "/queue", "/history", "/free", "/workflow/convert"])
async def test_a_body_that_is_no_json_object(call: Caller, path: str, body: str | bytes, word: str):
    if body == "" and path == "/free":
        return
    error = error_of(await call.post(path, body))
    assert error["type"] == "invalid_json"
    assert word in error["message"]


@pytest.mark.parametrize(
    ("more", "type"),
    [
        ({"client_id": True}, "invalid_client_id"),
        ({"client_id": ["a"]}, "invalid_client_id"),
        ({"prompt_id": 5}, "invalid_prompt_id"),
        ({"prompt_id": ""}, "invalid_prompt_id"),
        ({"prompt_id": "x" * 129}, "invalid_prompt_id"),
        ({"prompt_id": "two\nlines"}, "invalid_prompt_id"),
        ({"prompt_id": ".."}, "invalid_prompt_id"),
        ({"number": "first"}, "invalid_number"),
        ({"number": float("nan")}, "invalid_number"),
        ({"number": float("inf")}, "invalid_number"),
        ({"number": []}, "invalid_number"),
        ({"extra_data": {"deadline_s": "5"}}, "invalid_deadline"),
        ({"extra_data": []}, "invalid_extra_data"),
        ({"partial_execution_targets": "3"}, "invalid_partial_execution_targets"),
        ({"partial_execution_targets": [3]}, "invalid_partial_execution_targets"),
        ({"partial_execution_targets": []}, "prompt_no_outputs"),
        ({"prompt": [1]}, "invalid_prompt"),
        ({"prompt": "text"}, "invalid_prompt"),
        ({"prompt": None}, "no_prompt"),
        ({"prompt": {"1": 5}}, "invalid_prompt"),
        ({"prompt": {"1": {"class_type": 5, "inputs": {}}}}, "invalid_prompt"),
        ({"prompt": {"1": {"class_type": ["Show"], "inputs": {}}}}, "invalid_prompt"),
    ],
)
async def test_a_prompt_request_with_a_wrong_member(call: Caller, more: dict[str, Any], type: str):
    assert error_of(await call.post("/prompt", {"prompt": chain(), **more}))["type"] == type


@pytest.mark.parametrize(
    ("wrong", "kind", "input"),
    [
        (node("Number", value="NaN"), "invalid_input_type", "value"),
        (node("Number", value=float("nan")), "invalid_input_type", "value"),
        (node("Number", value=float("inf")), "invalid_input_type", "value"),
        (node("Number", value=10**30), "value_bigger_than_max", "value"),
        (node("Number", value=-(10**30)), "value_smaller_than_min", "value"),
        (node("Number", value="abc"), "invalid_input_type", "value"),
        (node("Number", value=None), "invalid_input_type", "value"),
        (node("Number", value=[1, 2, 3]), "bad_linked_input", "value"),
        (node("Number", value=["77", 0]), "exception_during_validation", None),
        (node("Number", value=["3", 9]), "exception_during_validation", None),
        (node("Number"), "required_input_missing", "value"),
    ],
)
async def test_a_wrong_input_names_node_and_input(
    call: Caller, wrong: dict[str, Any], kind: str, input: str | None
):
    prompt = chain()
    prompt["1"] = wrong
    answer = await call.post("/prompt", {"prompt": prompt})
    assert error_of(answer)["type"] == "prompt_outputs_failed_validation"
    [told] = answer[1]["node_errors"]["1"]["errors"]
    assert told["type"] == kind
    assert input is None or told["extra_info"]["input_name"] == input
    assert answer[1]["node_errors"]["1"]["dependent_outputs"] == ["3"]


async def test_an_integer_of_five_thousand_digits_names_node_and_input(call: Caller):
    body = json.dumps({"prompt": chain()}).replace('"b": 22', '"b": ' + "9" * 5000)
    answer = await call.post("/prompt", body)
    assert error_of(answer)["type"] == "prompt_outputs_failed_validation"
    assert answer[1]["node_errors"]["2"]["errors"][0]["extra_info"]["input_name"] == "b"


async def test_a_body_of_over_a_million_parts_is_refused_at_once(call: Caller):
    error = error_of(await call.post("/prompt", "[" * 1_000_001))
    assert "limit" in error["message"]


async def test_a_cycle_is_refused(call: Caller):
    prompt = chain()
    prompt["1"] = node("Add", a=["2", 0], b=1)
    answer = await call.post("/prompt", {"prompt": prompt})
    assert error_of(answer)["type"] == "prompt_outputs_failed_validation"


async def test_a_node_without_inputs_is_refused_or_left_out(call: Caller):
    prompt = chain()
    prompt["2"] = {"class_type": "Add"}
    answer = await call.post("/prompt", {"prompt": prompt})
    assert error_of(answer)["type"] == "prompt_outputs_failed_validation"
    assert "2" in answer[1]["node_errors"]
    unreached = chain() | {"9": {"class_type": "Number"}}
    await call.submit(unreached)


async def test_an_id_may_be_used_once(call: Caller):
    id = await call.submit(chain(), number=3)
    again = await call.post("/prompt", {"prompt": chain(), "prompt_id": id, "number": 3})
    assert error_of(again)["type"] == "invalid_prompt_id"


@pytest.mark.parametrize(
    ("path", "body", "type"),
    [
        ("/queue", {"delete": "all"}, "invalid_delete"),
        ("/queue", {"delete": [1]}, "invalid_delete"),
        ("/queue", {"delete": ["x"] * 100_001}, "invalid_delete"),
        ("/queue", {"clear": "yes"}, "invalid_clear"),
        ("/history", {"delete": {}}, "invalid_delete"),
        ("/history", {"clear": 1}, "invalid_clear"),
        ("/interrupt", {"prompt_id": 5}, "invalid_prompt_id"),
        ("/free", {"unload_models": "yes"}, "invalid_unload_models"),
    ],
)
async def test_other_requests_with_a_wrong_member(call: Caller, path: str, body: Any, type: str):
    assert error_of(await call.post(path, body))["type"] == type


@pytest.mark.parametrize("query", ["max_items=abc", "max_items=-1", "offset=1.5", "max_items="])
async def test_a_history_query_that_is_no_number(call: Caller, query: str):
    error_of(await call.get(f"/history?{query}"))


async def test_unknown_routes_and_methods_answer_in_json(call: Caller):
    error_of(await call.get("/no/such/route"), 404)
    error_of(await call.post("/system_stats", {}), 405)
    assert await call.get("/object_info/NoSuchNode") == (200, {})
    assert await call.get("/history/no-such-job") == (200, {})


async def test_a_queue_that_cannot_be_read_is_told_without_its_path(
    server: ServerFactory, call: Caller
):
    service = server("--nodes", "tests.pack")
    call.url = service.url
    await call.submit(chain())
    with sqlite3.connect(service.home / "soundstage.db") as file:
        file.execute("DROP TABLE jobs")
    file.close()
    error = error_of(await call.get("/history"), 503)
    assert "soundstage.db cannot be used" in error["message"]
    assert str(service.home) not in error["message"]
