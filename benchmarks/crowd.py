"""Thousands of WebSockets that only listen, and what they cost the one client that works."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count

from websockets.asyncio.client import connect

from benchmarks.service import CHECKOUT, Running, running
from benchmarks.tables import Measures
from benchmarks.trivial_prompt import WARM_UP_SECONDS, Caller, ends

CROWD = 4000
AT_ONCE = 100
RUNS = 200
PAUSE_SECONDS = 0.05  # a person's pace: the crowd is being told meanwhile
HANDSHAKE = (
    "GET /ws?clientId={id} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)
READY = "listening"


class Listener(asyncio.Protocol):
    """Asks for a WebSocket, then takes in whatever comes."""

    def __init__(self, welcomed: asyncio.Queue[None]) -> None:
        self._welcomed = welcomed
        self._first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(HANDSHAKE.format(id=uuid.uuid4().hex).encode())

    def data_received(self, data: bytes) -> None:
        """The first bytes are the answer."""
        if self._first:
            assert data.startswith(b"HTTP/1.1 101"), data
            self._first = False
            self._welcomed.put_nowait(None)


async def hold(host: str, port: int) -> None:
    """Connect all of them, say so, and stay until standard input closes."""
    loop, welcomed = asyncio.get_running_loop(), asyncio.Queue[None]()
    for _ in range(CROWD // AT_ONCE):
        some = (
            loop.create_connection(lambda: Listener(welcomed), host, port) for _ in range(AT_ONCE)
        )
        await asyncio.gather(*some)
        for _ in range(AT_ONCE):
            await welcomed.get()
    print(READY, flush=True)
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def crowd(service: Running) -> Generator[float]:
    """The listeners, in a process of their own; gives the seconds it took them to connect."""
    address = service.url.removeprefix("http://").split(":")
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crowd", *address],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None, "asked for by PIPE"
        assert process.stdout.readline().strip() == READY
        yield time.perf_counter() - began
        process.kill()


async def measure(url: str, warm_up: float) -> list[float]:
    """Seconds of single prompts."""
    client, colors = uuid.uuid4().hex, count(secrets.randbelow(2**23))
    host, port = url.removeprefix("http://").split(":")
    found: list[float] = []
    async with connect(f"ws://{host}:{port}/ws?clientId={client}", compression=None) as socket:
        caller = Caller(*await asyncio.open_connection(host, int(port)), client)
        warm = time.perf_counter() + warm_up
        while len(found) < RUNS:
            began = time.perf_counter()
            await caller.post(next(colors))
            await ends(socket, 1)
            if began > warm:
                found.append(1e3 * (time.perf_counter() - began))
                await asyncio.sleep(PAUSE_SECONDS)
    return found


def main() -> None:
    """Measure and print."""
    measures = Measures(f"EmptyImage, ImageInvert, PreviewImage while {CROWD} clients listen")
    with running() as service:
        alone = asyncio.run(measure(service.url, WARM_UP_SECONDS))
        measures.add("submit to success, nobody else there", alone, "ms")
        before = service.rss_megabytes()
        with crowd(service) as seconds:
            among = asyncio.run(measure(service.url, 1.0))
            measures.add("the same among all of them", among, "ms", "<= 100 ms")
            measures.add("all of them connect", [seconds], "s")
            each = 1024 * (service.rss_megabytes() - before) / CROWD
            measures.add("memory of each", [each], "kB")
    measures.print()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(hold(sys.argv[1], int(sys.argv[2])))
    else:
        main()
