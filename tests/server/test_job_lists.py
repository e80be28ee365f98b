"""/jobs: every job in pages, by state, age, duration and document; cancelled one by one or many."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from tests.conftest import ServerFactory, Service
from tests.server.conftest import Caller, chain, node, slow

BASES = ("/api/jobs", "/jobs")
SMALL = {"width": 8, "height": 8, "batch_size": 1, "color": 0}
DOCUMENT: dict[str, Any] = {"extra_pnginfo": {"workflow": {"id": "document-1", "nodes": []}}}


async def run(call: Caller, prompt: dict[str, Any], **more: Any) -> str:
    """The id of a job that has ended."""
    async with call.ear("me") as ear:
        id = await call.submit(prompt, client_id="me", **more)
        await ear.over(id)
    return id


async def listed(call: Caller, query: str = "") -> list[str]:
    status, answer = await call.get(f"/api/jobs?{query}")
    assert status == 200, answer
    return [job["id"] for job in answer["jobs"]]


@pytest.mark.parametrize("base", BASES)
async def test_a_job_that_succeeded_is_listed_and_told_in_full(call: Caller, base: str):
    id = await run(call, chain(), extra_data=DOCUMENT)
    status, answer = await call.get(f"{base}?status=completed&limit=1")
    assert status == 200
    (job,) = answer["jobs"]
    assert {name: job[name] for name in ("id", "status", "workflow_id")} == {
        "id": id,
        "status": "completed",
        "workflow_id": "document-1",
    }
    assert job["create_time"] <= job["execution_start_time"] <= job["execution_end_time"]
    assert (job["outputs_count"], job["previewable_outputs_count"]) == (1, 0)
    assert "execution_error" not in job
    assert "preview_output" not in job
    assert None not in job.values()
    assert answer["pagination"]["limit"] == 1

    status, detail = await call.get(f"{base}/{id}")
    assert status == 200
    assert {name: detail[name] for name in job} == job
    assert list(detail["outputs"]) == ["3"]
    assert detail["execution_status"]["status_str"] == "success"
    assert set(detail["workflow"]["prompt"]) == {"1", "2", "3"}
    assert detail["workflow"]["extra_data"]["extra_pnginfo"] == DOCUMENT["extra_pnginfo"]


async def test_where_a_job_came_from_is_kept(call: Caller):
    source = {"Comfy-Usage-Source": "a program"}
    _, answer = await call.post("/prompt", {"prompt": chain()}, headers=source)
    _, detail = await call.get(f"/api/jobs/{answer['prompt_id']}")
    assert detail["workflow"]["extra_data"]["comfy_usage_source"] == "a program"


async def test_a_picture_is_what_the_list_shows_of_a_job(call: Caller):
    picture = {"class_type": "EmptyImage", "inputs": SMALL}
    kept = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "listed"}}
    passing = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    id = await run(call, {"1": picture, "2": passing, "3": kept})
    _, job = await call.get(f"/api/jobs/{id}")
    assert (job["outputs_count"], job["previewable_outputs_count"]) == (2, 2)
    assert job["preview_output"] == {
        "filename": "listed_00001_.png",
        "subfolder": "",
        "type": "output",
        "nodeId": "3",
        "mediaType": "images",
    }


async def test_a_job_that_failed_says_why_without_a_traceback(call: Caller):
    id = await run(call, chain(node("Divide", a=["1", 0], b=0)))
    _, job = await call.get(f"/api/jobs/{id}")
    assert job["status"] == "failed"
    assert job["execution_error"]["exception_type"] == "ZeroDivisionError"
    assert job["execution_error"]["traceback"] == []
    assert id in await listed(call, "status=failed")
    assert id not in await listed(call, "status=completed")


async def test_pages_follow_each_other(call: Caller):
    ids = [await run(call, chain()) for _ in range(5)]
    assert (await listed(call, "limit=2")) == [ids[4], ids[3]]
    assert (await listed(call, "limit=2&offset=3")) == [ids[1], ids[0]]
    _, answer = await call.get("/api/jobs?limit=2&offset=1")
    total = answer["pagination"].pop("total")
    assert answer["pagination"] == {"offset": 1, "limit": 2, "has_more": True}
    _, answer = await call.get("/api/jobs?limit=5000")
    assert answer["pagination"]["limit"] == 1000
    everything = await listed(call)
    assert len(everything) == total
    assert await listed(call, "sort_order=asc") == everything[::-1]
    _, answer = await call.get(f"/api/jobs?offset={total - 1}")
    assert (len(answer["jobs"]), answer["pagination"]["has_more"]) == (1, False)
    _, answer = await call.get(f"/api/jobs?offset={total + 5}&limit=3")
    assert (answer["jobs"], answer["pagination"]["has_more"]) == ([], False)


async def test_jobs_are_sorted_by_the_time_they_took(call: Caller):
    long = await run(call, slow(0.5), extra_data=DOCUMENT)
    short = await run(call, chain(), extra_data=DOCUMENT)
    of_document = "workflow_id=document-1&sort_by=execution_duration"
    found = await listed(call, of_document)
    assert found.index(long) < found.index(short)
    assert await listed(call, of_document + "&sort_order=asc") == found[::-1]
    assert await listed(call, "workflow_id=unknown") == []


async def test_what_runs_and_what_waits_is_cancelled(server: ServerFactory, call: Caller):
    call.url = server("--nodes", "tests.pack").url
    async with call.ear("me") as ear:
        running = [await call.submit(slow(), client_id="me") for _ in range(4)]
        while len(await listed(call, "status=in_progress")) < len(running):  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(0.01)
        waiting = [await call.submit(slow(), client_id="me") for _ in range(3)]
        assert await listed(call, "status=in_progress&sort_order=asc") == running
        assert await listed(call, "status=pending&sort_order=asc") == waiting
        assert await listed(call, "sort_order=asc") == running + waiting
        assert len(await listed(call, "sort_by=execution_duration")) == 7
        _, page = await call.get("/api/jobs?status=in_progress")
        for job in page["jobs"]:
            assert job["create_time"] <= job["execution_start_time"]
            assert "execution_end_time" not in job
            assert (await call.get(f"/api/jobs/{job['id']}"))[1]["execution_start_time"]
        _, job = await call.get(f"/api/jobs/{waiting[0]}")
        assert job["status"] == "pending"
        assert "execution_start_time" not in job

        assert await call.post(f"/api/jobs/{waiting[0]}/cancel", "") == (200, {"cancelled": True})
        assert await call.post(f"/jobs/{waiting[0]}/cancel", "") == (200, {"cancelled": False})
        assert (await call.get(f"/api/jobs/{waiting[0]}"))[0] == 404
        assert await call.post(f"/jobs/{running[0]}/cancel", "") == (200, {"cancelled": True})
        rest = [*running[1:], *waiting[1:], str(uuid.uuid4())]
        assert await call.post("/api/jobs/cancel", {"job_ids": rest}) == (200, {"cancelled": True})
        await ear.over(*running)
    assert set(await listed(call, "status=cancelled")) >= set(running)
    assert await listed(call, "status=pending,in_progress") == []
    assert await call.post("/jobs/cancel", {"job_ids": rest}) == (200, {"cancelled": False})


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=0", "limit must be a positive integer"),
        ("limit=-1", "limit must be a positive integer"),
        ("limit=ten", "limit must be a positive integer"),
        ("limit=" + "9" * 40, "limit must be a positive integer"),
        ("offset=-1", "offset must be a non-negative integer"),
        ("offset=%C2%B2", "offset must be a non-negative integer"),
        ("status=done", "'done'"),
        ("status=failed,nope", "'nope'"),
        ("sort_by=name", "sort_by must be one of: created_at, execution_duration, queue"),
        ("sort_order=up", "sort_order must be one of: asc, desc"),
    ],
)
async def test_bad_parameters_are_named(call: Caller, base: str, query: str, text: str):
    status, answer = await call.get(f"{base}?{query}")
    assert status == 400
    assert set(answer) == {"error"}
    assert text in answer["error"]


@pytest.mark.parametrize("base", BASES)
async def test_ids_that_are_none_are_refused(call: Caller, base: str):
    good = str(uuid.uuid4())
    body = {"job_ids": [good, "x", 5, "", "a\nb"]}
    assert await call.post(f"{base}/cancel", body) == (
        400,
        {"error": "job_ids contains invalid id(s)", "invalid_ids": [5, "", "a\nb"]},
    )
    bodies: tuple[Any, ...] = (
        {"job_ids": [good] * 10_001},
        {},
        {"job_ids": []},
        {"job_ids": "x"},
        [],
        "{bad",
    )
    for wrong in bodies:
        status, answer = await call.post(f"{base}/cancel", wrong)
        assert (status, type(answer["error"])) == (400, str)
    assert await call.get(f"{base}/{good}") == (404, {"error": "Job not found"})
    assert await call.post(f"{base}/{good}/cancel", "") == (200, {"cancelled": False})


async def test_the_jobs_are_there_again_after_a_restart(server: ServerFactory, call: Caller):
    first: Service = server("--nodes", "tests.pack")
    call.url = first.url
    id = await run(call, chain(), extra_data=DOCUMENT)
    first.stop()
    call.url = server("--nodes", "tests.pack", home=first.home).url
    assert await listed(call, "workflow_id=document-1") == [id]
