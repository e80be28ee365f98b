"""The client library against a real service, which also goes away in mid-run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.protocols import File
from engine.client import Blocking, Client, JobGone, Queued, Refused, Result, Unreachable, Update
from engine.run.events import (
    JobStarted,
    NodeFinished,
    NodeOutput,
    NodePreview,
    NodeProgress,
    NodeStarted,
)
from tests import patience
from tests.client.cable import cable
from tests.conftest import ServerFactory, Service, free_port
from tests.server.conftest import chain, node, slow


async def all_left(updates: AsyncIterator[Update]) -> list[Update]:
    return [update async for update in updates]


async def all_of(client: Client, prompt: dict[str, Any], **more: Any) -> list[Update]:
    return await all_left(client.run(prompt, **more))


async def test_a_run_is_told_from_queue_to_result(service: Service):
    prompt = chain(node("Sleep", value=["1", 0], steps=2, seconds=0.0))
    async with Client(service.url) as client:
        updates = await all_of(client, prompt, extra={"preview_method": "auto"})
    kinds = [type(update) for update in updates]
    assert kinds[:2] == [Queued, JobStarted]
    assert NodeProgress("2", 1, 2) in updates
    assert NodePreview("2", b"jpeg") in updates
    number = str(prompt["1"]["inputs"]["value"])
    assert NodeOutput("3", {"text": [number]}) in updates
    started = [update.node for update in updates if isinstance(update, NodeStarted)]
    finished = [update.node for update in updates if isinstance(update, NodeFinished)]
    assert started == finished == ["1", "2", "3"]
    result = updates[-1]
    assert isinstance(result, Result)
    assert (result.status, result.shown) == ("success", {"3": {"text": [number]}})


async def test_results_can_be_downloaded(service: Service, tmp_path: Path):
    prompt = {"1": {"class_type": "Save", "inputs": {"text": "hi", "filename_prefix": "a/note"}}}
    async with Client(service.url) as client:
        result = (await all_of(client, prompt))[-1]
        assert isinstance(result, Result)
        assert result.files == [File("note_00001_.txt", "a", "output")]
        assert await client.view(result.files[0]) == b"hi"
        first = await client.save(result, tmp_path / "out")
        second = await client.save(result, tmp_path / "out")
    assert first == [tmp_path / "out" / "note_00001_.txt"]
    assert second == [tmp_path / "out" / "note_00001_ (1).txt"]
    assert second[0].read_text() == "hi"


async def test_uploads_keep_their_names(service: Service, tmp_path: Path):
    path = tmp_path / "ein Bild, ä.png"
    path.write_bytes(b"bytes")
    async with Client(service.url) as client:
        stored = await client.upload(path, subfolder="mine")
        assert stored == File(path.name, "mine", "input")
        assert await client.view(stored) == b"bytes"


async def test_failures_and_refusals_say_why(service: Service):
    async with Client(service.url) as client:
        result = (await all_of(client, chain(node("Fail", value=["1", 0], text="so"))))[-1]
        assert isinstance(result, Result)
        assert result.status == "error"
        assert result.failure is not None
        assert (result.failure.node, result.failure.exception) == ("2", "ValueError")
        with pytest.raises(Refused, match="failed validation") as refused:
            await all_of(client, chain(node("Number", value="abc")))
        assert "2" in refused.value.body["node_errors"]
        with pytest.raises(Refused) as missing:
            await client.view(File("missing.png", "", "output"))
        assert missing.value.status == 404


async def test_a_run_can_be_interrupted(service: Service):
    async with Client(service.url) as client:
        result: Update | None = None
        job = ""
        async for update in client.run(slow()):
            match update:
                case Queued(id):
                    job = id
                case NodeProgress():
                    await client.interrupt(job)
                case _:
                    result = update
        assert isinstance(result, Result)
        assert result.status == "interrupted"


async def test_nothing_that_answers_is_unreachable():
    async with Client("http://127.0.0.1:9") as client:
        with pytest.raises(Unreachable, match="does not answer"):
            await client.object_info()
        with pytest.raises(Unreachable):
            await all_of(client, chain())


async def test_a_run_outlives_the_death_of_its_service(server: ServerFactory, tmp_path: Path):
    flags = ("--nodes", "tests.pack", "--port", str(free_port()))
    first = server(*flags)
    updates: list[Update] = []
    prompt = chain(node("Sleep", value=["1", 0], steps=20, seconds=1.0))
    async with Client(first.url) as client:
        async for update in client.run(prompt):
            updates.append(update)
            if isinstance(update, NodeProgress) and first.process.poll() is None:
                first.process.kill()
                first.process.wait()
                server(*flags)
    result = updates[-1]
    assert isinstance(result, Result)
    assert result.status == "success"
    assert len([update for update in updates if isinstance(update, JobStarted)]) == 2


PASSING = (NodeProgress, NodePreview)
"""What a later report says better."""


def told(updates: list[Update]) -> list[str]:
    """What happened, without what passes and how long it took."""
    return [
        f"{type(update).__name__} {getattr(update, 'node', '')}"
        for update in updates
        if not isinstance(update, PASSING)
    ]


async def test_nothing_is_lost_when_the_connection_is_cut_and_the_job_ends_meanwhile(
    service: Service,
):
    def prompt() -> dict[str, Any]:
        return chain(node("Sleep", value=["1", 0], steps=2, seconds=0.2))

    async with Client(service.url) as direct:
        whole = told(await all_of(direct, prompt()))
        updates: list[Update] = []
        async with cable(service.url) as (line, url), Client(url) as client:
            async for update in client.run(prompt()):
                updates.append(update)
                if isinstance(update, Queued):
                    line.cut()
                    while await direct.result(update.id) is None:  # noqa: ASYNC110 - it happens elsewhere
                        await asyncio.sleep(0.01)
                    line.mend()
    assert sorted(told(updates)) == sorted(whole), "only the ends of nodes are told later"
    assert isinstance(updates[-1], Result)
    assert updates[-1].status == "success"


async def test_nothing_is_told_twice_when_the_connection_is_cut_in_mid_run(service: Service):
    updates: list[Update] = []
    async with cable(service.url) as (line, url), Client(url) as client:
        cuts = 0
        async for update in client.run(slow(1)):
            updates.append(update)
            if isinstance(update, NodeProgress) and cuts < 3:
                cuts += 1
                line.cut()
                line.mend()
    assert cuts == 3
    assert sorted(told(updates)) == sorted(
        ["Queued ", "JobStarted ", "Result ", "NodeOutput 3"]
        + [f"Node{what} {node}" for what in ("Started", "Finished") for node in "123"]
    )


async def test_a_service_that_stays_away_is_unreachable(service: Service):
    async with cable(service.url) as (line, url), Client(url, patience=0.5) as client:
        updates = client.run(slow())
        while not isinstance(await anext(updates), JobStarted):
            pass
        line.take_away()
        with pytest.raises(Unreachable, match="does not answer"):
            await all_left(updates)
    async with Client(service.url) as direct:
        await direct.interrupt()


def test_the_blocking_client_does_the_same(service: Service, tmp_path: Path):
    prompt = {"1": {"class_type": "Save", "inputs": {"text": "hi", "filename_prefix": "sync"}}}
    with Blocking(service.url) as client:
        assert "Save" in client.object_info()
        updates: list[Update] = list(client.run(prompt))
        result = updates[-1]
        assert isinstance(result, Result)
        [path] = client.save(result, tmp_path)
        assert path.read_text() == "hi"
        with pytest.raises(Refused):
            client.submit({})
        with pytest.raises(AttributeError):
            client.no_such_method()


async def test_a_run_outlives_the_death_of_the_worker(service: Service, tmp_path: Path):
    log = tmp_path / "log"
    die = node("Die", value=["1", 0], marker=str(tmp_path / "deaths"), times=1, log=str(log))
    async with Client(service.url) as client:
        updates = await all_of(client, chain(die))
    result = updates[-1]
    assert isinstance(result, Result)
    assert result.status == "success"
    assert log.read_text().splitlines() == ["Die 0", "Die 1"]


async def test_a_job_that_kills_workers_ends_and_the_next_one_runs(
    service: Service, tmp_path: Path
):
    die = node("Die", value=["1", 0], marker=str(tmp_path / "deaths"), times=9)
    async with Client(service.url) as client:
        deadly = (await all_of(client, chain(die)))[-1]
        assert isinstance(deadly, Result)
        assert deadly.status == "error"
        assert deadly.failure is None or "died 2 times" in deadly.failure.message
        harmless = (await all_of(client, chain()))[-1]
        assert isinstance(harmless, Result)
        assert harmless.status == "success"


async def test_a_waiting_job_that_another_client_deletes_ends_for_the_one_who_waits(
    service: Service,
):
    async with Client(service.url) as client, Client(service.url) as other:
        running = [await other.submit(slow()) for _ in range(4)]
        updates = client.run(chain())
        queued = await anext(updates)
        assert isinstance(queued, Queued)
        await other.cancel(queued.id)
        with pytest.raises(JobGone, match="somebody deleted it"):
            await all_left(updates)
        assert len((await other.queue())[0]) == 4, "the others run on"
        for job in running:
            await other.interrupt(job)


async def test_a_job_that_is_cancelled_between_two_attempts_ends_in_the_history(
    service: Service, tmp_path: Path
):
    """Both jobs that run when their worker dies start again, one after the other."""
    deaths = tmp_path / "deaths"
    die = node("Die", value=["1", 0], marker=str(deaths), times=1)
    async with Client(service.url) as client, Client(service.url) as other:
        first = await other.submit(slow())
        updates: list[Update] = []

        async def cancel(job: str) -> None:
            while not deaths.exists() or await other.queue() != ([first], [job]):  # noqa: ASYNC110 - it happens elsewhere
                await asyncio.sleep(0.02)
            await other.cancel(job)

        async with asyncio.timeout(patience.SECONDS), asyncio.TaskGroup() as tasks:
            async for update in client.run(chain(die)):
                updates.append(update)
                if isinstance(update, Queued):
                    tasks.create_task(cancel(update.id))
        result = updates[-1]
        assert isinstance(result, Result)
        assert result.status == "interrupted"
        await other.interrupt(first)
