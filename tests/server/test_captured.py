"""Every captured request of a ComfyUI service gets the captured answer, with the real nodes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Service, start_service
from tests.server.conftest import Caller

OURS_IS_BETTER = {
    "not_json": "answers 400 instead of 500",
    "prompt_list": "answers 400 instead of 500",
    "cycle": "names the nodes of the cycle",
    "nan_float": "names the input that is NaN",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = start_service(tmp_path_factory.mktemp("home"))
    yield started
    started.stop()


@pytest.fixture
async def call(service: Service) -> AsyncGenerator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(service, session)


@pytest.fixture(scope="module")
def captured(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "spec" / "captured-errors.json").read_text())


async def test_captured_requests_get_the_captured_answers(call: Caller, captured: dict[str, Any]):
    for name, exchange in captured.items():
        if name in OURS_IS_BETTER:
            continue
        status, answer = await call.post("/prompt", exchange["request"])
        assert status == exchange["status"], (name, answer)
        assert set(answer) == set(exchange["response"]), name
        assert set(answer["node_errors"]) == set(exchange["response"]["node_errors"]), name
        if status == 400:
            ours, theirs = answer["error"], exchange["response"]["error"]
            assert (ours["type"], ours["message"]) == (theirs["type"], theirs["message"]), name
        for id, told in exchange["response"]["node_errors"].items():
            same_errors(name, answer["node_errors"][id], told)


def same_errors(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours["dependent_outputs"] == theirs["dependent_outputs"], name
    assert ours["class_type"] == theirs["class_type"], name
    by_input = {error["details"]: error for error in ours["errors"]}
    assert len(ours["errors"]) == len(theirs["errors"]), name
    for error in theirs["errors"]:
        mine = by_input.get(error["details"], ours["errors"][0])
        assert (mine["type"], mine["message"]) == (error["type"], error["message"]), name
        missing = set(error["extra_info"]) - set(mine["extra_info"]) - {"traceback"}
        assert not missing, (name, missing)
        assert "traceback" not in mine["extra_info"]


@pytest.mark.parametrize("name", OURS_IS_BETTER)
async def test_where_ours_is_better(call: Caller, captured: dict[str, Any], name: str):
    status, answer = await call.post("/prompt", captured[name]["request"])
    assert status == 400
    assert answer["error"]["message"]
    if name == "cycle":
        assert "1" in json.dumps(answer)
        assert "2" in json.dumps(answer)
