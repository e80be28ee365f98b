"""A client whose machine is asleep is let go; all others go on."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from engine.run.engine import Engine
from engine.server.app import init_app
from engine.server.app_keys import SOCKETS
from engine.server.sockets import Sockets
from tests import patience
from tests.conftest import CHECKOUT
from tests.server.conftest import Ear

HEARTBEAT = 4.0  # half of it is time enough to answer, on a busy machine too
MANY = 200  # messages, more than the sockets' buffers hold


@dataclass
class Beating:
    """A service in this process, whose heart beats fast."""

    address: str
    sockets: Sockets

    async def without(self, sid: str) -> None:
        """Wait until no client of this id is connected."""
        async with asyncio.timeout(patience.SECONDS):
            while self.sockets.is_connected(sid):  # noqa: ASYNC110 - a test may look again
                await asyncio.sleep(0.01)


@pytest.fixture
async def beating(tmp_path: Path) -> AsyncGenerator[Beating]:
    engine = await Engine.open(tmp_path, preload=False)
    app = init_app(engine, heartbeat=HEARTBEAT)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield Beating(f"ws://127.0.0.1:{port}/ws", app[SOCKETS])
    await runner.cleanup()
    await engine.close()


async def test_a_client_that_no_longer_answers_is_let_go_and_the_others_stay(beating: Beating):
    sleeper = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.server.listener",
        f"{beating.address}?clientId=sleeper",
        cwd=CHECKOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert sleeper.stdout is not None
        assert b'"sid":"sleeper"' in await sleeper.stdout.readline()
        async with connect(f"{beating.address}?clientId=awake", proxy=None) as socket:
            sleeper.send_signal(signal.SIGSTOP)
            assert beating.sockets.is_connected("sleeper")
            await beating.without("sleeper")
            await Ear(socket).nothing_more()
            assert beating.sockets.is_connected("awake")
        sleeper.send_signal(signal.SIGCONT)
        assert await sleeper.stdout.readline() == b"closed\n"
        assert await sleeper.wait() == 0
    finally:
        if sleeper.returncode is None:
            sleeper.kill()
            await sleeper.wait()


async def test_what_a_client_did_not_read_goes_with_its_connection(beating: Beating):
    async with connect(f"{beating.address}?clientId=full", proxy=None, ping_interval=None) as full:
        await full.recv()
        full.transport.pause_reading()
        for _ in range(MANY):
            beating.sockets.send("full", ("note", {"text": "x" * 100_000}))
        await beating.without("full")
        full.transport.resume_reading()
        read = 0
        async with asyncio.timeout(patience.SECONDS):
            with suppress(ConnectionClosed):
                while await full.recv():
                    read += 1
    assert read < MANY
