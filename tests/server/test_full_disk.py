"""The disk is full: prompts are refused with words, jobs end once there is room, none is lost."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests import patience
from tests.conftest import Service
from tests.server.conftest import Caller, node


@pytest.fixture
async def call(own_service: Service) -> AsyncGenerator[Caller]:
    """Bare HTTP against a service whose disk may be full."""
    async with aiohttp.ClientSession() as session:
        yield Caller(own_service, session)


@contextmanager
def full_disk(service: Service) -> Generator[None]:
    """The service can write to no file beyond its first byte: not its worker, nor its sockets."""
    pid = service.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


async def running(call: Caller, job: str) -> None:
    async with asyncio.timeout(patience.SECONDS):
        while job not in str((await call.get("/queue"))[1]["queue_running"]):  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(0.02)


async def ended(call: Caller, job: str) -> dict[str, object]:
    async with asyncio.timeout(patience.SECONDS):
        while not (entry := (await call.get(f"/history/{job}"))[1]):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    return entry[job]["status"]


async def unwritten(call: Caller, jobs: int) -> dict[str, object]:
    async with asyncio.timeout(patience.SECONDS):
        while True:
            store = (await call.get("/system_stats"))[1]["store"]
            if store["unwritten_jobs"] == jobs:
                return store
            await asyncio.sleep(0.02)


def logged(log: Path, value: int, seconds: float = 0.5) -> dict[str, object]:
    """A prompt whose node takes its time and logs when it ran."""
    return {
        "1": node("Nap", value=value, seconds=seconds, log=str(log)),
        "2": node("Show", value=["1", 0]),
    }


async def test_jobs_on_a_full_disk_end_once_there_is_room_and_none_runs_twice(
    own_service: Service, call: Caller, tmp_path: Path
):
    logs = [tmp_path / f"log {number}" for number in range(6)]
    jobs = [await call.submit(logged(log, number)) for number, log in enumerate(logs)]
    await running(call, jobs[0])
    with full_disk(own_service):
        for _ in range(2):
            status, answer = await call.post("/prompt", {"prompt": logged(tmp_path / "no", 9)})
            assert status == 507, answer
            assert "cannot be written" in answer["error"]["message"]
            assert str(own_service.home) not in str(answer)
        store = await unwritten(call, 4)
        assert str(store["write_error"]).startswith("soundstage.db cannot be written")
        assert (await call.get("/prompt"))[1]["exec_info"]["queue_remaining"] == 6
        assert [len(part) for part in (await call.get("/queue"))[1].values()] == [4, 2]
    for job in jobs:
        assert (await ended(call, job))["completed"]
    assert [log.read_text().splitlines() for log in logs] == [["begin", "end"]] * 6
    assert (await unwritten(call, 0))["write_error"] is None
    assert not (tmp_path / "no").exists()
    assert (await call.get("/prompt"))[1]["exec_info"]["queue_remaining"] == 0


async def test_an_upload_on_a_full_disk_is_refused_with_words(own_service: Service, call: Caller):
    form = aiohttp.FormData()
    form.add_field("image", b"x" * 100, filename="a.png")
    with full_disk(own_service):
        async with call.session.post(f"{call.url}/upload/image", data=form) as answer:
            assert answer.status == 507
            assert "room" in (await answer.json())["error"]["message"]
