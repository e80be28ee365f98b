"""The order of WebSocket messages, which ComfyUI's clients rely on."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from tests.server.conftest import Caller, Ear, Prompt, chain, node


async def run(call: Caller, prompt: Prompt) -> tuple[str, Ear]:
    sid = uuid.uuid4().hex
    async with call.ear(sid) as ear:
        id = await call.submit(prompt, client_id=sid)
        await ear.until("executing", node=None)
        await ear.nothing_more()
        return id, ear


def summary(heard: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Types, with what matters of their data."""
    told: list[Any] = []
    for type, data in heard:
        match type:
            case "status":
                told.append((type, data["status"]["exec_info"]["queue_remaining"]))
            case "executing" | "executed":
                told.append((type, data["node"]))
            case "progress_state":
                states = {id: node["state"] for id, node in data["nodes"].items()}
                told.append((type, states))
            case "execution_cached":
                told.append((type, sorted(data["nodes"])))
            case "feature_flags":
                pass
            case _:
                told.append(type)
    return told


async def test_an_uncached_prompt_is_told_in_twelve_steps(call: Caller):
    _, ear = await run(call, chain())
    assert summary(ear.heard) == [
        ("status", 0),
        ("status", 1),
        ("status", 1),
        "execution_start",
        ("execution_cached", []),
        ("progress_state", {"1": "running"}),
        ("executing", "1"),
        ("progress_state", {"1": "finished"}),
        ("progress_state", {"1": "finished", "2": "running"}),
        ("executing", "2"),
        ("progress_state", {"1": "finished", "2": "finished"}),
        ("progress_state", {"1": "finished", "2": "finished", "3": "running"}),
        ("executing", "3"),
        ("executed", "3"),
        ("progress_state", {"1": "finished", "2": "finished", "3": "finished"}),
        "execution_success",
        ("status", 0),
        ("executing", None),
    ]


async def test_a_cached_prompt_shows_its_outputs_again(call: Caller):
    prompt = chain()
    await run(call, prompt)
    _, ear = await run(call, prompt)
    assert summary(ear.heard) == [
        ("status", 0),
        ("status", 1),
        ("status", 1),
        "execution_start",
        ("execution_cached", ["1", "2", "3"]),
        ("executed", "3"),
        ("progress_state", {"3": "finished"}),
        "execution_success",
        ("status", 0),
        ("executing", None),
    ]


def comparable(heard: list[tuple[str, dict[str, Any]]], id: str) -> list[Any]:
    """Messages of one job without what differs from run to run."""
    text = json.dumps([message for message in heard if message[1].get("prompt_id") == id])
    messages = json.loads(text.replace(id, "ID"))
    for _, data in messages:
        data.pop("timestamp", None)
        data.pop("output", None)
        if "nodes" in data and isinstance(data["nodes"], list):
            data["nodes"].sort()
    return messages


async def test_both_orders_are_those_that_were_captured(call: Caller, shared: Path):
    prompt = chain()
    for name in ("uncached", "cached"):
        captured = json.loads((shared / "spec" / f"ws_sequence_{name}.json").read_text())
        captured_id = captured[-1][1]["prompt_id"]
        id, ear = await run(call, prompt)
        ours = comparable(ear.heard, id)
        assert ours.pop() == ["executing", {"node": None, "prompt_id": "ID"}]
        assert ours == comparable(captured, captured_id)


async def test_steps_are_told_by_progress_and_progress_state(call: Caller):
    id, ear = await run(call, chain(node("Sleep", value=["1", 0], steps=3, seconds=0.0)))
    steps = [data for type, data in ear.heard if type == "progress"]
    assert steps[-1] == {"value": 3, "max": 3, "prompt_id": id, "node": "2"}
    state = [data for type, data in ear.heard if type == "progress_state"][-1]["nodes"]["2"]
    assert (state["value"], state["max"], state["state"]) == (3, 3, "finished")


async def test_history_is_there_when_the_end_is_told(call: Caller):
    sid = uuid.uuid4().hex
    async with call.ear(sid) as ear:
        for _ in range(20):
            id = await call.submit(chain(), client_id=sid)
            await ear.until("execution_success", prompt_id=id)
            _, history = await call.get(f"/history/{id}")
            assert history[id]["status"]["status_str"] == "success"


async def test_a_failure_names_the_node_and_tells_no_traceback(call: Caller):
    id, ear = await run(call, chain(node("Fail", value=["1", 0], text="as asked")))
    failure = next(data for type, data in ear.heard if type == "execution_error")
    assert failure["node_id"] == "2"
    assert failure["node_type"] == "Fail"
    assert failure["exception_type"] == "ValueError"
    assert "as asked" in failure["exception_message"]
    assert failure["traceback"] == []
    assert failure["executed"] == ["1"]
    _, history = await call.get(f"/history/{id}")
    status = history[id]["status"]
    assert (status["status_str"], status["completed"]) == ("error", False)
    assert status["messages"][-1][0] == "execution_error"
    assert "/engine/" not in json.dumps([failure, history])
