"""A queue that is paused as no worker starts: clients are told why, prompts are taken."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, expect

from engine.run.engine import Engine
from engine.run.worker import WorkerState
from engine.run.worker_settings import WorkerTiming
from engine.server.app import init_app
from engine.server.editor_page import PAGE
from tests import patience
from tests.server.conftest import chain


async def status_that(socket: ClientWebSocketResponse, paused: bool) -> dict[str, Any]:
    """The next status that says so, or that says nothing of a pause."""
    while True:
        message = await socket.receive_json(timeout=patience.SECONDS)
        if message["type"] == "status" and ("worker_paused" in message["data"]["status"]) == paused:
            return message["data"]["status"]


async def test_clients_are_told_why_the_queue_is_paused_until_it_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    timing = WorkerTiming(restart=0.01)
    engine = await Engine.open(tmp_path, packs=["tests.pack"], preload=False, timing=timing)
    deaths = 0

    async with (
        TestServer(init_app(engine)) as server,
        ClientSession(server.make_url("/")) as http,
        http.ws_connect("/ws?clientId=me") as socket,
    ):
        killed: set[int | None] = {None}
        while engine.worker_status().paused is None:
            status = engine.worker_status()
            if status.pid not in killed and status.state is WorkerState.STARTING:
                os.kill(status.pid or 0, signal.SIGKILL)
                killed.add(status.pid)
                deaths += 1
            answer = await http.get("/queue")
            assert answer.status == 200
            await asyncio.sleep(0.002)
        assert deaths == 5
        told = await status_that(socket, paused=True)
        assert "did not start 5 times in a row" in told["worker_paused"]
        assert told["worker_paused"] in caplog.text
        answer = await http.post("/prompt", json={"prompt": chain(), "client_id": "me"})
        assert answer.status == 200
        await status_that(socket, paused=False)
        while (await socket.receive_json(timeout=patience.SECONDS))["type"] != (
            "execution_success"
        ):
            pass
    await engine.close()


@asynccontextmanager
async def no_worker_starts(engine: Engine) -> AsyncGenerator[None]:
    """Kill each worker process before it is ready."""

    async def kill_all() -> None:
        killed: set[int | None] = {None}
        while True:
            status = engine.worker_status()
            if status.pid not in killed and status.state is WorkerState.STARTING:
                os.kill(status.pid or 0, signal.SIGKILL)
                killed.add(status.pid)
            await asyncio.sleep(0.002)

    killing = asyncio.create_task(kill_all())
    try:
        yield
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)


@pytest.mark.skipif(
    not PAGE.is_file(), reason="the editor is not built; make web, which wants Node"
)
async def test_the_editor_says_why_the_queue_is_paused_until_it_goes_on(page: Page, tmp_path: Path):
    expect.set_options(timeout=patience.MILLISECONDS)
    timing = WorkerTiming(restart=0.01)
    engine = await Engine.open(tmp_path, packs=["tests.pack"], preload=False, timing=timing)
    async with TestServer(init_app(engine)) as server:
        notice = page.locator(".notice-error")
        await page.goto(str(server.make_url("/")), timeout=patience.MILLISECONDS)
        await page.locator(".page").wait_for(timeout=patience.MILLISECONDS)
        async with no_worker_starts(engine):
            await expect(notice).to_contain_text("The queue is paused")
            await expect(notice).to_contain_text("did not start 5 times in a row")
        await expect(notice).to_have_count(0)
        assert engine.worker_status().state is WorkerState.READY
    await engine.close()
