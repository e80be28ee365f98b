"""Queue, history, interruption: the jobs of a service as its clients steer them."""

from __future__ import annotations

import uuid

from tests.server.conftest import Caller, chain, node, slow


async def test_prompt_queue_and_history_have_their_shapes(call: Caller):
    sid = uuid.uuid4().hex
    prompt = chain()
    async with call.ear(sid) as ear:
        extra = {"extra_pnginfo": {"workflow": {"id": 1}}, "api_key_comfy_org": "secret"}
        status, answer = await call.post(
            "/prompt", {"prompt": prompt, "client_id": sid, "extra_data": extra}
        )
        assert status == 200
        assert set(answer) == {"prompt_id", "number", "node_errors"}
        assert str(uuid.UUID(answer["prompt_id"])) == answer["prompt_id"]
        await ear.until("executing", node=None)
    id = answer["prompt_id"]
    _, history = await call.get(f"/history/{id}")
    entry = history[id]
    assert set(entry) == {"prompt", "outputs", "status", "meta"}
    number, same_id, same_prompt, kept, outputs = entry["prompt"]
    assert (number, same_id, same_prompt, outputs) == (answer["number"], id, prompt, ["3"])
    assert isinstance(number, int)
    assert kept["extra_pnginfo"] == extra["extra_pnginfo"]
    assert kept["client_id"] == sid
    assert "secret" not in str(history)
    assert entry["outputs"] == {"3": {"text": [str(prompt["1"]["inputs"]["value"] + 22)]}}
    assert entry["status"]["status_str"] == "success"
    assert entry["status"]["completed"] is True
    types = [type for type, _ in entry["status"]["messages"]]
    assert types == ["execution_start", "execution_cached", "execution_success"]
    assert entry["meta"]["3"] == {
        "node_id": "3",
        "display_node": "3",
        "parent_node": None,
        "real_node_id": "3",
    }


async def test_waiting_jobs_are_listed_in_order_and_can_be_deleted(call: Caller):
    async with call.ear("order") as ear:
        running = [await call.submit(slow(), client_id="order") for _ in range(4)]
        await ear.begun(*running)
        last = await call.submit(chain())
        middle = await call.submit(chain(), number=-1)
        first = await call.submit(chain(), front=True)
        _, queue = await call.get("/queue")
        assert {item[1] for item in queue["queue_running"]} == set(running)
        assert [item[1] for item in queue["queue_pending"]] == [first, middle, last]
        assert all(len(item) == 5 for item in queue["queue_pending"])
        assert await call.get("/prompt") == (200, {"exec_info": {"queue_remaining": 7}})
        assert (await call.post("/queue", {"delete": [middle, "unknown"]}))[0] == 200
        await ear.until("status", status={"exec_info": {"queue_remaining": 6}})
        assert (await call.post("/queue", {"clear": True}))[0] == 200
        _, queue = await call.get("/queue")
        assert queue["queue_pending"] == []
        assert (await call.post("/interrupt", "stop"))[0] == 200
        await ear.over(*running)


async def test_an_interrupt_with_an_id_stops_only_that_job(call: Caller):
    async with call.ear("one") as ear:
        stays = await call.submit(slow(), client_id="one")
        goes = await call.submit(slow(), client_id="one")
        await ear.until("executing", node="2", prompt_id=goes)
        assert (await call.post("/interrupt", {"prompt_id": goes}))[0] == 200
        told = await ear.until("execution_interrupted", prompt_id=goes)
        assert told["node_id"] == "2"
        await ear.until("executing", node=None, prompt_id=goes)
        _, queue = await call.get("/queue")
        assert [item[1] for item in queue["queue_running"]] == [stays]
        _, history = await call.get(f"/history/{goes}")
        assert history[goes]["status"]["messages"][-1][0] == "execution_interrupted"
        assert (await call.post("/interrupt", {"prompt_id": "unknown"}))[0] == 200
        await call.post("/interrupt", {"prompt_id": stays})
        await ear.until("executing", node=None, prompt_id=stays)


async def test_history_can_be_paged_and_forgotten(call: Caller):
    await call.post("/history", {"clear": True})
    assert await call.get("/history") == (200, {})
    ids: list[str] = []
    async with call.ear("pages") as ear:
        for _ in range(4):
            ids.append(await call.submit(chain(), client_id="pages"))
            await ear.until("executing", node=None, prompt_id=ids[-1])
    assert list((await call.get("/history"))[1]) == ids
    assert list((await call.get("/history?max_items=2"))[1]) == ids[2:]
    assert list((await call.get("/history?max_items=2&offset=1"))[1]) == ids[1:3]
    assert (await call.post("/history", {"delete": [ids[0]]}))[0] == 200
    assert list((await call.get("/api/history"))[1]) == ids[1:]


async def test_outputs_that_cannot_run_are_dropped_with_their_errors(call: Caller):
    prompt = chain()
    prompt["4"] = {"class_type": "Show", "inputs": {}}
    status, answer = await call.post("/prompt", {"prompt": prompt})
    assert status == 200
    assert {error["details"] for error in answer["node_errors"]["4"]["errors"]} == {"value", "log"}


async def test_only_the_asked_for_outputs_run(call: Caller):
    prompt = chain() | {"4": node("Show", value=["1", 0])}
    async with call.ear("targets") as ear:
        id = await call.submit(prompt, client_id="targets", partial_execution_targets=["4"])
        await ear.until("executing", node=None)
    _, history = await call.get(f"/history/{id}")
    assert list(history[id]["outputs"]) == ["4"]


async def test_memory_can_be_freed(call: Caller):
    assert (await call.post("/free", {"unload_models": True, "free_memory": True}))[0] == 200
