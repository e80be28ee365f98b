"""POST /workflow/convert: what the editor saves, as a prompt."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.server.conftest import Caller
from tests.server.test_bad_input import error_of


def canvas() -> dict[str, Any]:
    """A number, shown; the sum between them is bypassed."""

    def one(id: int, type: str, values: list[Any], **more: Any) -> dict[str, Any]:
        outputs = [{"name": "INT", "type": "INT"}]
        return {"id": id, "type": type, "widgets_values": values, "outputs": outputs, **more}

    def given(name: str, link: int) -> list[dict[str, Any]]:
        return [{"name": name, "type": "INT", "link": link}]

    value = uuid.uuid4().int % 10**9
    return {
        "nodes": [
            one(1, "Number", [value, ""]),
            one(2, "Add", [1, 2, ""], mode=4, inputs=given("a", 1)),
            one(3, "Show", [""], inputs=given("value", 2), title="The end"),
        ],
        "links": [[1, 1, 0, 2, 0, "INT"], [2, 2, 0, 3, 0, "INT"]],
    }


async def test_a_converted_workflow_runs(call: Caller):
    status, prompt = await call.post("/workflow/convert", canvas())
    assert status == 200
    assert prompt.keys() == {"1", "3"}
    assert prompt["3"]["inputs"]["value"] == ["1", 0]
    assert prompt["3"]["_meta"] == {"title": "The end"}
    assert (await call.post("/api/workflow/convert", canvas()))[0] == 200
    status, receipt = await call.post("/prompt", {"prompt": prompt})
    assert (status, receipt["node_errors"]) == (200, {})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "no list of nodes"),
        ({"1": {"class_type": "Show", "inputs": {}}}, "no list of nodes"),
        ({"nodes": [{"id": 7, "type": "Show", "inputs": "x"}]}, "node 7 (Show)"),
        ({"nodes": [], "links": [[1]]}, "link number 0"),
    ],
)
async def test_what_cannot_be_converted_is_named(call: Caller, document: Any, words: str):
    error = error_of(await call.post("/workflow/convert", document))
    assert error["type"] == "invalid_workflow"
    assert words in error["details"]
