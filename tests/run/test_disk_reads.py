"""A disk that is slow to read keeps nobody waiting but who needs what is on it."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import node
from engine.run.engine import Engine
from engine.run.local import LocalWorker
from engine.store.cache import MIN_SAVE_SECONDS
from engine.store.folders import Folders
from tests import patience
from tests.run.conftest import Bench, n, registry


@dataclass(frozen=True)
class Stored:
    """What only a codec can read from the disk."""

    value: int


@node("MakeStored", category="test")
def make_stored(*, value: int) -> Any:
    """Something that takes long enough to be kept on the disk."""
    time.sleep(2 * MIN_SAVE_SECONDS)
    return Stored(value)


class SlowCodec:
    """Reads when it is let."""

    type_name = f"{Stored.__module__}.{Stored.__qualname__}"

    def __init__(self) -> None:
        self.reads = threading.Event()
        self.may_read = threading.Event()

    def dump(self, value: Any) -> bytes:
        return str(value.value).encode()

    def load(self, data: bytes) -> Any:
        self.reads.set()
        assert self.may_read.wait(patience.SECONDS)
        return Stored(int(data))


async def opened(home: Path, codec: SlowCodec) -> Bench:
    nodes = registry()
    nodes.add_nodes([getattr(make_stored, "spec")])  # noqa: B009 - functions have no declared attribute
    nodes.codecs[codec.type_name] = codec
    return Bench(await Engine.open(home, registry=nodes, worker=LocalWorker(nodes, Folders(home))))


async def test_a_slow_read_delays_neither_other_jobs_nor_an_interrupt(tmp_path: Path):
    codec, made = SlowCodec(), {"1": n("MakeStored", value=7)}
    first = await opened(tmp_path, codec)
    await first.run({**made, "2": n("Show", value=["1", 0], log="")})
    await first.engine.close()
    bench = await opened(tmp_path, codec)
    try:
        waiting, other = [
            await bench.submit({**made, "3": n("Show", value=["1", 0], log=log)})
            for log in (str(tmp_path / "a"), str(tmp_path / "b"))
        ]
        async with asyncio.timeout(patience.SECONDS):
            while not codec.reads.is_set():  # noqa: ASYNC110 - a thread sets it
                await asyncio.sleep(0.001)
        assert (await bench.run({"1": n("Show", value=1, log="")})).outcome.status == "success"
        assert await bench.engine.interrupt(waiting)
        assert (await bench.ended(waiting)).outcome.status == "interrupted"
        assert not codec.may_read.is_set()
        codec.may_read.set()
        entry = await bench.ended(other)
        assert entry.outcome.shown == {"3": {"text": [str(Stored(7))]}}
    finally:
        codec.may_read.set()
        await bench.engine.close()
