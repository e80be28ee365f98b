"""The thread that reads may run what it reads; it never keeps others from being heard."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.run.events import JobStarted
from engine.run.frame_reader import FrameReader
from engine.run.frames import CancelJob, Frame, encode_frame
from engine.store.history import Span
from tests import patience
from tests.run.conftest import Opener, n, value_shown


class Reader:
    """Takes frames; a job named "hold" holds up the thread, if that may take a while."""

    def __init__(self) -> None:
        self.server, self.worker = socket.socketpair()
        self.frames = self.worker.makefile("rb")
        self.heard: dict[str, threading.Thread] = {}
        self.holders: set[threading.Thread] = set()
        self.free = threading.Event()
        self.held_up = asyncio.Event()

    def take(self, frame: Frame, at_leisure: bool) -> None:
        assert isinstance(frame, CancelJob)
        if frame.job == "fail":
            raise RuntimeError("as asked")
        if frame.job == "hold" and at_leisure:
            self.holders.add(threading.current_thread())
            assert self.free.wait(patience.SECONDS)
        self.heard[frame.job] = threading.current_thread()

    def send(self, job: str) -> None:
        self.server.sendall(encode_frame(CancelJob(job)))

    async def has_heard(self, job: str) -> threading.Thread:
        async with asyncio.timeout(patience.SECONDS):
            while job not in self.heard:  # noqa: ASYNC110 - a thread hears it
                await asyncio.sleep(0.001)
        return self.heard[job]


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    for end in (reader.server, reader.frames, reader.worker):
        end.close()


async def test_a_thread_that_is_held_up_is_relieved(reader: Reader):
    serving = asyncio.create_task(
        FrameReader(reader.frames, reader.take, reader.held_up.set).serve()
    )
    async with asyncio.timeout(patience.SECONDS):
        while not reader.holders:
            reader.send("hold")
            await asyncio.sleep(0.001)
    reader.send("other")
    assert await reader.has_heard("other") not in reader.holders
    await reader.held_up.wait()
    reader.free.set()
    reader.send("last")
    assert await reader.has_heard("last") not in reader.holders, "they read no more"
    reader.server.close()
    await serving


async def test_an_error_of_a_frame_ends_the_reading(reader: Reader):
    reader.send("fail")
    with pytest.raises(RuntimeError, match="as asked"):
        await FrameReader(reader.frames, reader.take, reader.held_up.set).serve()


async def test_a_node_that_was_quick_before_holds_up_nobody(process: Opener, tmp_path: Path):
    bench = await process()

    def prompt(value: int, until: str = "") -> dict[str, Any]:
        return value_shown(n("Held", value=value, until=until))

    for value in (1, 2, 3):
        await bench.run(prompt(value))
    held = await bench.submit(prompt(4, str(tmp_path / "free")))
    await bench.until(held, JobStarted)
    for value in (5, 6, 7):
        entry = await bench.run(prompt(value))
        assert entry.outcome.shown == {"2": {"text": [str(value)]}}
    assert held in bench.engine.running()
    (tmp_path / "free").touch()
    assert (await bench.ended(held)).outcome.status == "success"


async def test_quick_nodes_run_where_they_are_read(process: Opener):
    bench = await process()
    lanes: set[str] = set()
    async with asyncio.timeout(patience.SECONDS):
        value = 0
        while "quick" not in lanes:
            entry = await bench.run(value_shown(n("Number", value=(value := value + 1), log="")))
            spans = msgspec.json.decode(entry.outcome.spans, type=dict[str, Span])
            lanes |= {span.lane for span in spans.values()}
