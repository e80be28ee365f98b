"""What clients hear of nodes that expand, fail while the job goes on, or block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import CHECKOUT, Service, start_service
from tests.server.conftest import Caller, node

FLAGS = ("--nodes", "tests.pack", "--custom-nodes", str(CHECKOUT / "tests" / "pack_v1"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = start_service(tmp_path_factory.mktemp("home"), *FLAGS)
    yield started
    started.stop()


def n(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


async def test_what_an_expansion_shows_is_shown_at_its_node(call: Caller):
    prompt = {"1": n("V1Countdown", number=3, said="go"), "out": n("V1Show", value=["1", 0])}
    async with call.ear("me") as ear:
        id = await call.submit(prompt, client_id="me")
        await ear.over(id)
    shown = {data["node"]: data["display_node"] for type, data in ear.heard if type == "executed"}
    inner = {name: display for name, display in shown.items() if name != "out"}
    assert inner
    assert set(inner.values()) == {"1"}
    assert shown["out"] == "out"
    states = [data["nodes"] for type, data in ear.heard if type == "progress_state"]
    for name in inner:
        told = states[-1][name]
        assert (told["node_id"], told["real_node_id"]) == (name, name)
        assert told["display_node_id"] == "1"
        assert told["parent_node_id"] in (*states[-1], "1")
    _, history = await call.get(f"/history/{id}")
    meta = history[id]["meta"]
    assert {name: meta[name]["display_node"] for name in shown} == shown


async def test_a_job_may_go_on_after_a_failure(call: Caller):
    prompt = {
        "1": node("Number", value=1),
        "2": node("Fail", value=["1", 0], text="as asked"),
        "3": node("Show", value=["2", 0]),
        "4": node("Show", value=["1", 0]),
    }
    async with call.ear("me") as ear:
        id = await call.submit(prompt, client_id="me", node_failure_policy="continue_independent")
        failed = await ear.until("execution_node_error")
        assert (failed["node_id"], failed["exception_message"]) == ("2", "as asked")
        assert failed["traceback"] == []
        ended = await ear.until("execution_success")
        await ear.over(id)
    assert {key: ended[key] for key in ended if key not in ("prompt_id", "timestamp")} == {
        "completion_status": "partial_success",
        "has_errors": True,
        "execution_error_count": 1,
        "blocked_output_node_ids": ["3"],
        "blocked_node_ids": ["3"],
        "successful_output_node_ids": ["4"],
    }
    _, history = await call.get(f"/history/{id}")
    assert history[id]["outputs"] == {"4": {"text": ["1"]}}
    assert history[id]["status"]["messages"][-1][1]["completion_status"] == "partial_success"
    status, refused = await call.post("/prompt", {"prompt": prompt, "node_failure_policy": 5})
    assert (status, refused["error"]["type"]) == (400, "invalid_node_failure_policy")


async def test_a_long_job_tells_its_progress_now_and_then(call: Caller):
    length = 600
    prompt = {str(i): node("Add", a=[str(i - 1), 0], b=1) for i in range(1, length)}
    prompt["0"] = node("Number", value=0)
    prompt["out"] = node("Show", value=[str(length - 1), 0])
    async with call.ear("me") as ear:
        id = await call.submit(prompt, client_id="me")
        await ear.over(id)
    states = [data["nodes"] for type, data in ear.heard if type == "progress_state"]
    assert len(states) < 1.5 * length, "a state for each change would be twice as many"
    assert len(states[-1]) == length + 1
    assert {told["state"] for told in states[-1].values()} == {"finished"}
    begun = [data["node"] for type, data in ear.heard if type == "executing"]
    assert len(begun) == length + 2


async def test_a_blocked_node_is_told_and_the_job_succeeds(call: Caller):
    prompt = {
        "1": n("V1Block", value=5, limit=3, why="too much"),
        "out": n("V1Show", value=["1", 0]),
        "free": n("V1Show", value="here"),
    }
    async with call.ear("me") as ear:
        id = await call.submit(prompt, client_id="me")
        told = await ear.until("execution_error")
        assert told["exception_type"] == "ExecutionBlocked"
        assert "too much" in told["exception_message"]
        ended = await ear.until("execution_success")
        assert set(ended) == {"prompt_id", "timestamp"}
        await ear.over(id)
