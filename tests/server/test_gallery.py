"""/gallery: the files that jobs made, found by words, and deleted for good."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ServerFactory, Service
from tests.server.conftest import Caller
from tests.server.test_any_json import answer

Prompt = dict[str, Any]


def made(prefix: str, *, color: int = 0, node: str = "SaveImage", count: int = 1) -> Prompt:
    """A prompt that saves pictures under a name."""
    size = {"width": 8, "height": 8, "batch_size": count, "color": color}
    inputs: dict[str, Any] = {"images": ["1", 0]}
    if node == "SaveImage":
        inputs["filename_prefix"] = prefix
    return {
        "1": {"class_type": "EmptyImage", "inputs": size},
        "2": {"class_type": node, "inputs": inputs},
    }


async def run(call: Caller, prompt: Prompt, **more: Any) -> str:
    async with call.ear("me") as ear:
        id = await call.submit(prompt, client_id="me", **more)
        await ear.over(id)
    return id


async def listed(call: Caller, **query: Any) -> list[dict[str, Any]]:
    status, told = await call.get("/api/gallery?" + urllib.parse.urlencode(query))
    assert status == 200, told
    return told["files"]


def names(files: list[dict[str, Any]]) -> list[str]:
    return [one["file"]["filename"] for one in files]


async def test_what_a_job_made_is_told_in_full(call: Caller, service: Service):
    document: dict[str, Any] = {"extra_pnginfo": {"workflow": {"id": "document-7", "nodes": []}}}
    id = await run(call, made("sub/told", color=1), extra_data=document)
    (one,) = await listed(call, workflow="document-7", node="2")
    file = service.home / "output" / "sub" / "told_00001_.png"
    assert one["id"] > 0
    assert one["made"] > 1.6e12
    assert one["took"] >= 0
    assert {name: one[name] for name in set(one) - {"id", "made", "took"}} == {
        "job": id,
        "node": "2",
        "workflow": "document-7",
        "kind": "picture",
        "file": {"filename": file.name, "subfolder": "sub", "type": "output"},
        "size": file.stat().st_size,
    }
    assert await listed(call, workflow="document-7", node="1") == []
    (same,) = await listed(call, filename=file.name, subfolder="sub", type="output")
    assert same == one
    assert await listed(call, filename=file.name) == []


async def test_the_newest_is_first_and_pages_follow_each_other(call: Caller):
    for color in range(3):
        await run(call, made(f"page{color}", color=color, count=2))
    whole = names(await listed(call, query="page"))
    assert whole == [f"page{color}_0000{n}_.png" for color in (2, 1, 0) for n in (1, 2)]
    found: list[str] = []
    query = "/api/gallery?query=page&limit=4"
    _, told = await call.get(query)
    while told["next"] is not None:
        found += names(told["files"])
        _, told = await call.get(f"{query}&before={told['next']}")
    assert found + names(told["files"]) == whole


async def test_words_are_those_of_the_nodes_that_lead_to_a_file(call: Caller):
    prompt = made("Grüne ÄPFEL")
    prompt["3"] = {
        "class_type": "EmptyAudio",
        "inputs": {"duration": 0.1, "sample_rate": 8000, "channels": 1},
    }
    prompt["4"] = {
        "class_type": "SaveAudioWAV",
        "inputs": {"audio": ["3", 0], "filename_prefix": "pears"},
    }
    await run(call, prompt)
    assert names(await listed(call, query="äpfel grüne")) == ["Grüne ÄPFEL_00001_.png"]
    assert names(await listed(call, query="PEARS")) == ["pears_00001_.wav"]
    assert await listed(call, query="pears äpfel") == []
    assert await listed(call, query="pears", kind="picture") == []
    assert len(await listed(call, query="pears", kind="sound")) == 1


async def test_a_file_that_is_only_found_again_stays_with_the_job_that_made_it(call: Caller):
    first = await run(call, made("again", color=5))
    await run(call, made("again", color=5))
    await run(call, made("later", color=6))
    (one,) = await listed(call, query="again")
    assert one["job"] == first
    assert names(await listed(call, limit=1)) == ["later_00001_.png"]


async def test_a_file_is_not_taken_for_one_of_a_later_job_of_the_same_id(call: Caller):
    await run(call, made("older", color=10), prompt_id="named twice")
    await call.post("/history", {"delete": ["named twice"]})
    await run(call, made("younger", color=11), prompt_id="named twice")
    (older,) = await listed(call, query="older")
    (younger,) = await listed(call, query="younger")
    assert (older["job"], younger["job"]) == (None, "named twice")


async def test_a_deleted_file_is_gone_and_made_again_when_asked_for(call: Caller, service: Service):
    await run(call, made("gone", color=9))
    (one,) = await listed(call, query="gone")
    file = service.home / "output" / "gone_00001_.png"
    assert file.is_file()
    async with call.session.delete(f"{call.url}/api/gallery/{one['id']}") as answer:
        assert answer.status == 204
    assert not file.exists()
    assert await listed(call, query="gone") == []
    async with call.session.delete(f"{call.url}/api/gallery/{one['id']}") as answer:
        assert answer.status == 404
    await run(call, made("gone", color=9))
    assert len(await listed(call, query="gone")) == 1


async def test_a_file_that_somebody_removed_is_left_out(call: Caller, service: Service):
    await run(call, made("", color=11, node="PreviewImage"))
    newest, *_ = await listed(call)
    assert newest["file"]["type"] == "temp"
    (service.home / "temp" / newest["file"]["filename"]).unlink()
    assert newest["id"] not in [one["id"] for one in await listed(call)]


async def test_the_files_of_a_forgotten_job_stay(call: Caller):
    ids = [await run(call, made(f"forgotten{color}", color=color)) for color in (12, 13)]
    before = await listed(call, query="forgotten1")
    assert [one["job"] for one in before] == ids[::-1]
    last = await run(call, made("forgotten", color=14))
    await call.post("/history", {"delete": [*ids, last]})
    newest, *others = await listed(call, query="forgotten")
    assert (newest["job"], newest["file"]["filename"]) == (None, "forgotten_00001_.png")
    assert others == [one | {"job": None} for one in before]


@pytest.mark.parametrize("forgotten", [False, True])
async def test_what_was_made_before_a_restart_is_there(server: ServerFactory, forgotten: bool):
    for last in (False, True):
        service = server()
        async with aiohttp.ClientSession() as session:
            call = Caller(service, session)
            if not last:
                for color in range(3):
                    await run(call, made(f"kept{color}", color=color))
            kept = [f"kept{color}_00001_.png" for color in (2, 1, 0)]
            assert names(await listed(call)) == kept
            if forgotten:
                await call.post("/history", {"clear": True})
            if last:
                await run(call, made("newer", color=3))
                assert names(await listed(call)) == ["newer_00001_.png", *kept]
        service.stop()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=x", "limit"),
        ("before=-1", "before"),
        ("kind=smell", "kind"),
        ("limit=", "limit"),
        ("limit=0", "limit"),
    ],
)
async def test_a_wrong_question_is_refused_by_name(call: Caller, query: str, named: str):
    status, told = await call.get(f"/api/gallery?{query}")
    assert status == 400
    assert named in told["error"]["message"]


@pytest.mark.parametrize(("id", "status"), [("999999", 404), ("x", 400), ("-1", 400)])
async def test_only_what_is_listed_can_be_deleted(call: Caller, id: str, status: int):
    async with call.session.delete(f"{call.url}/gallery/{id}") as answer:
        assert answer.status == status


NAMES = ("query", "kind", "limit", "before", "workflow", "node", "filename", "subfolder", "type")
WORDS = st.text(max_size=12) | st.sampled_from(["0", "1", "picture", "%", "..", "../x", "output"])


@settings(max_examples=150, deadline=None)
@given(query=st.dictionaries(st.sampled_from(NAMES), WORDS))
def test_any_question_is_answered(service: Service, query: dict[str, str]):
    encoded = urllib.parse.urlencode(query, errors="replace")
    status, data = answer(f"{service.url}/gallery?{encoded}")
    assert status in (200, 400), data
    json.loads(data)
