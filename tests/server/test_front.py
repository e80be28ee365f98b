"""Waiting jobs that are moved to the front of the queue."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.conftest import ServerFactory, Service
from tests.server.conftest import Caller, chain, slow


async def waiting(call: Caller) -> list[str]:
    _, page = await call.get("/api/jobs?status=pending&sort_by=queue&sort_order=asc")
    _, queue = await call.get("/queue")
    ids = [job["id"] for job in page["jobs"]]
    assert [item[1] for item in queue["queue_pending"]] == ids
    return ids


async def at_work(call: Caller) -> set[str]:
    _, queue = await call.get("/queue")
    return {item[1] for item in queue["queue_running"]}


async def test_a_moved_job_stays_in_front_when_the_service_is_killed(server: ServerFactory):
    async with aiohttp.ClientSession() as session:

        def begun() -> Service:
            return server("--nodes", "tests.pack")

        service = begun()
        call = Caller(service, session)
        async with call.ear("front") as ear:
            running = [await call.submit(slow(), client_id="front") for _ in range(4)]
            await ear.begun(*running)
            a, b, c = [await call.submit(chain()) for _ in range(3)]
            async with call.ear() as other:
                assert await call.post(f"/api/jobs/{c}/front", {}) == (200, {"moved": True})
                await other.until("status")
            assert await waiting(call) == [c, a, b]
            for id in (running[0], "unknown"):
                assert await call.post(f"/api/jobs/{id}/front", {}) == (200, {"moved": False})
        service.process.kill()
        service.process.wait()

        call = Caller(begun(), session)
        while await at_work(call) != {running[0]}:  # noqa: ASYNC110 - a test may look again
            await asyncio.sleep(0.05)
        # One at a time, as one of them may be what killed the service.
        assert await waiting(call) == [*running[1:], a, b], "what ran goes on first"
        _, job = await call.get(f"/api/jobs/{c}")
        assert job["status"] == "completed", "it was before those that ran"
        await call.post("/queue", {"clear": True})
        await call.post("/interrupt", {})
