"""Ids of jobs and clients: any short text, kept as it was given, by every route that takes one."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from engine.client import Client
from tests.conftest import Service
from tests.server.conftest import Caller, chain, node, slow
from tests.server.test_any_json import answer

IDS = (
    *("my-job-1", "1", "a/b", "a/cancel", "cancel", "a b", "ä世\U0001f600", "50%", "%2F", "a?b#c"),
    *("..x", "a/../b", "{id}", "'; --", '"', "\\", "&=+", " ", "null", "x" * 128),
)
REFUSED: tuple[Any, ...] = ("", ".", "..", "\0", "a\x7f", "a\u2028b", 5, 1.5, True, [], {})
WHOLE = "5375b4dd-405f-4d10-9933-54d2e1174aef"
SHOWN = {"1": node("Number", value=1), "2": node("Show", value=["1", 0])}


def quoted(id: str) -> str:
    return urllib.parse.quote(id, safe="")


async def got(call: Caller, path: str) -> tuple[int, Any]:
    async with call.session.get(URL(call.url + path, encoded=True)) as told:
        return told.status, await told.json()


async def sent(call: Caller, path: str, body: Any = None) -> Any:
    async with call.session.post(
        URL(call.url + path, encoded=True), data=json.dumps(body or {})
    ) as told:
        assert told.status == 200, path
        return json.loads(await told.read() or b"null")


@pytest.mark.parametrize("id", [*IDS, WHOLE.upper(), WHOLE.replace("-", ""), f"{{{WHOLE}}}"])
async def test_an_id_of_the_clients_own_is_kept_and_found(call: Caller, id: str):
    async with call.ear("named") as ear:
        assert await call.submit(chain(), client_id="named", prompt_id=id) == id
        await ear.until("executing", node=None, prompt_id=id)
    status, history = await got(call, f"/history/{quoted(id)}")
    assert (status, list(history)) == (200, [id])
    status, job = await got(call, f"/api/jobs/{quoted(id)}")
    assert (status, job["id"], job["status"]) == (200, id, "completed")
    refused = await call.post("/prompt", {"prompt": chain(), "prompt_id": id})
    assert refused[0] == 400
    assert refused[1]["error"]["type"] == "invalid_prompt_id"
    assert "is taken" in refused[1]["error"]["message"]
    assert (await got(call, f"/history/{quoted(id)}"))[1] == history
    await sent(call, "/history", {"delete": [id]})
    assert await got(call, f"/history/{quoted(id)}") == (200, {})


async def test_jobs_of_such_ids_are_moved_stopped_and_taken_out(call: Caller):
    async with call.ear("stops") as ear:
        running = [f"runs/{number}" for number in range(4)]
        for id in running:
            await call.submit(slow(), client_id="stops", prompt_id=id)
        await ear.begun(*running)
        for id in ("waits/a", "waits/b", "waits/c"):
            await call.submit(slow(), client_id="stops", prompt_id=id)
        refused = await call.post("/prompt", {"prompt": chain(), "prompt_id": "runs/0"})
        assert refused[0] == 400
        assert await sent(call, f"/jobs/{quoted('waits/c')}/front") == {"moved": True}
        _, queue = await call.get("/queue")
        assert [item[1] for item in queue["queue_pending"]] == ["waits/c", "waits/a", "waits/b"]
        assert await sent(call, f"/jobs/{quoted('waits/a')}/cancel") == {"cancelled": True}
        assert await sent(call, "/jobs/cancel", {"job_ids": ["waits/b"]}) == {"cancelled": True}
        await sent(call, "/queue", {"delete": ["waits/c"]})
        await sent(call, "/interrupt", {"prompt_id": "runs/0"})
        await ear.until("execution_interrupted", prompt_id="runs/0")
        for id in running[1:]:
            await sent(call, f"/jobs/{quoted(id)}/cancel")
        await ear.over(*running)


async def test_a_client_that_comes_back_hears_again_of_such_a_job(call: Caller):
    async with call.ear("back/again") as ear:
        await call.submit(chain(), client_id="back/again", prompt_id="again/1")
        await ear.over("again/1")
    async with call.ear("back/again", since=0) as ear:
        await ear.until("executing", node=None, prompt_id="again/1")


@pytest.mark.parametrize("id", [5, 0, -3, 2**70, 1.5])
async def test_a_client_id_may_be_a_number(call: Caller, id: float):
    async with call.ear(str(id)) as ear:
        await ear.over(job := await call.submit(chain(), client_id=id))
    _, history = await call.get(f"/history/{job}")
    assert history[job]["prompt"][3]["client_id"] == str(id)


async def test_an_id_that_is_used_again_gets_results_of_its_own(call: Caller):
    """What is made anew in each job is so in one that has the id of a job that was deleted."""
    prompt = {"1": node("Dice"), "2": node("Show", value=["1", 0])}
    seen: set[str] = set()
    for _ in range(4):
        async with call.ear("anew") as ear:
            await ear.over(await call.submit(prompt, client_id="anew", prompt_id="anew"))
        _, history = await call.get("/history/anew")
        seen.add(json.dumps(history["anew"]["outputs"]))
        await sent(call, "/history", {"delete": ["anew"]})
    assert len(seen) > 1


async def test_the_client_takes_such_ids(service: Service):
    async with Client(service.url) as client:
        for id in ("by the client/1", "50%25?#"):
            assert await client.submit(chain(), id=id) == id
            while (result := await client.result(id)) is None:  # noqa: ASYNC110 - it happens elsewhere
                await asyncio.sleep(0.01)
            assert (result.id, result.status) == (id, "success")


@settings(max_examples=150, deadline=None)
@given(id=st.text(min_size=1, max_size=130) | st.sampled_from(REFUSED))
def test_an_id_is_taken_as_it_is_or_refused(service: Service, id: Any):
    body = {"prompt": SHOWN, "prompt_id": id, "client_id": id}
    status, data = answer(service.url + "/prompt", json.dumps(body).encode())
    if status == 200:
        assert json.loads(data)["prompt_id"] == id
        assert len(id) <= 128
        status, data = answer(f"{service.url}/api/jobs/{quoted(id)}")
        assert (status, json.loads(data)["id"]) == (200, id)
    else:
        assert status == 400, data
        assert json.loads(data)["error"]["message"]
