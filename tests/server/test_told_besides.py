"""What only Soundstage tells, to sockets that ask for it: lanes, times, sounds."""

from __future__ import annotations

import json
import struct
import time
import uuid
from typing import Any

from tests.server.conftest import Caller, Ear, Prompt, chain, node, slow


def humming(seconds: float = 0.0) -> Prompt:
    """A prompt that sounds three times."""
    hum = {"class_type": "Hum", "inputs": {"tones": 3, "seconds": seconds}}
    return {"1": hum, "2": node("Show", value=["1", 0])}


def sounds(ear: Ear) -> list[tuple[dict[str, Any], bytes]]:
    """The sounds that were heard: what is said of each, and the file."""
    found: list[tuple[dict[str, Any], bytes]] = []
    for frame in ear.frames:
        kind, length = struct.unpack_from(">II", frame)
        assert kind == 1001
        found.append((json.loads(frame[8 : 8 + length]), frame[8 + length :]))
    return found


async def test_lanes_and_times_are_told_to_those_who_ask(call: Caller):
    before = time.time() * 1000
    async with call.ear("plain") as plain, call.ear("plain", soundstage=True) as modern:
        id = await call.submit(chain(), client_id="plain")
        for ear in (plain, modern):
            await ear.over(id)
    states = [data for type, data in modern.heard if type == "progress_state"]
    assert [set(state["spans"]) for state in states] == [set(state["nodes"]) for state in states]
    assert "seconds" not in states[0]["spans"]["1"], "it runs"
    last = states[-1]["spans"]
    # Nodes that the service knows to be quick need no lane.
    assert {span["lane"].split()[0] for span in last.values()} <= {"lane", "quick"}
    began = [last[node]["began"] for node in "123"]
    assert before < began[0] <= began[1] <= began[2] < time.time() * 1000
    assert all(0 <= span["seconds"] <= time.time() - before / 1000 for span in last.values())
    assert all("spans" not in data for type, data in plain.heard if type == "progress_state")

    _, job = await call.get(f"/api/jobs/{id}")
    assert job["spans"] == last, "the history keeps what was told"
    _, page = await call.get("/api/jobs?limit=1")
    assert "spans" not in page["jobs"][0]


async def test_the_times_of_a_running_job_can_be_asked_for(call: Caller):
    async with call.ear("asks") as ear:
        id = await call.submit(slow(), client_id="asks")
        await ear.until("executing", node="2", prompt_id=id)
        _, job = await call.get(f"/api/jobs/{id}")
        assert "seconds" in job["spans"]["1"]
        assert set(job["spans"]["2"]) == {"lane", "began"}
        assert (job["cached"], job["outputs"]) == ([], {})
        await call.post("/interrupt", {"prompt_id": id})
        await ear.over(id)
    _, job = await call.get(f"/api/jobs/{id}")
    assert job["spans"]["2"]["seconds"] > 0, "until the job was interrupted"
    prompt = chain()
    async with call.ear("asks") as ear:
        await ear.over(ran := await call.submit(prompt, client_id="asks"))
        await ear.over(found := await call.submit(prompt, client_id="asks"))
    assert len((await call.get(f"/api/jobs/{ran}"))[1]["spans"]) == 3
    _, job = await call.get(f"/api/jobs/{found}")
    assert (sorted(job["cached"]), job["spans"]) == (["1", "2", "3"], {})


async def test_what_a_running_job_showed_so_far_can_be_asked_for(call: Caller):
    prompt = slow() | {"4": node("Show", value=["1", 0])}
    async with call.ear("sofar") as ear:
        id = await call.submit(prompt, client_id="sofar")
        told = await ear.until("executed", node="4", prompt_id=id)
        _, job = await call.get(f"/api/jobs/{id}")
        assert job["outputs"] == {"4": told["output"]}
        await call.post("/interrupt", {"prompt_id": id})
        await ear.over(id)


async def test_loading_weights_is_told_apart_from_running(call: Caller):
    prompt = {
        "1": {"class_type": "FindWeights", "inputs": {"name": uuid.uuid4().hex}},
        "2": {"class_type": "UseWeights", "inputs": {"weights": ["1", 0]}},
        "3": node("Show", value=["2", 0]),
    }
    async with call.ear("loads") as ear:
        id = await call.submit(prompt, client_id="loads")
        await ear.over(id)
    _, job = await call.get(f"/api/jobs/{id}")
    assert job["spans"]["2"]["loading"] >= 0.02
    assert "loading" not in job["spans"]["1"]


async def test_sounds_are_heard_before_the_node_is_done(call: Caller):
    wanted = {"preview_method": "auto"}
    async with call.ear("hums") as plain, call.ear("hums", soundstage=True) as modern:
        id = await call.submit(humming(60), client_id="hums", extra_data=wanted)
        while len(modern.frames) < 3:
            await modern.hear()
        async with call.ear("hums", soundstage=True) as late:
            while len(late.frames) < 3:
                await late.hear()
        await call.post("/interrupt", {"prompt_id": id})
        for ear in (plain, modern):
            await ear.over(id)
    assert plain.frames == []
    assert [data for _, data in sounds(modern)] == [b"tone 0", b"tone 1", b"tone 2"]
    assert [about["number"] for about, _ in sounds(modern)] == [0, 1, 2]
    about, _ = sounds(modern)[0]
    assert (about["prompt_id"], about["node_id"], about["sound_type"]) == (id, "1", "audio/wav")
    assert sounds(late) == sounds(modern), "who comes later hears it from the beginning"


async def test_nothing_sounds_where_no_previews_are_wanted(call: Caller):
    async with call.ear("quiet", soundstage=True) as ear:
        id = await call.submit(humming(), client_id="quiet")
        await ear.over(id)
    assert ear.frames == []
