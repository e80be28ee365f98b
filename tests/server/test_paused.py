"""A queue that is paused as no worker starts: clients are told why, prompts are taken."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse
from aiohttp.test_utils import TestServer

from engine.run.engine import Engine
from engine.run.worker import WorkerState
from engine.run.worker_settings import WorkerTiming
from engine.server.app import init_app
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
