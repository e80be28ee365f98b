"""How late the event loop comes is measured, and shown."""

from __future__ import annotations

import asyncio
import time

from engine.server.loop_lag import LoopLag
from tests import patience
from tests.server.conftest import Caller


async def test_what_holds_up_the_loop_is_noticed():
    lag = LoopLag()
    lag.start()
    time.sleep(0.6)  # noqa: ASYNC251 - this is what shall be noticed
    async with asyncio.timeout(patience.SECONDS):
        while lag.facts()["longest_lag_ms"] < 300:  # noqa: ASYNC110 - a timer will find it
            await asyncio.sleep(0.01)
    lag.stop()


async def test_the_lag_is_in_the_stats(call: Caller):
    loop = (await call.get("/system_stats"))[1]["loop"]
    assert loop["lag_ms"] >= 0
    assert loop["longest_lag_ms"] >= loop["lag_ms"]
