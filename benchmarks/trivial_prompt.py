"""Three small nodes, from POST to the end: what the service itself costs."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from itertools import count
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.service import running
from benchmarks.tables import Measures

WARM_UP_SECONDS = 12.0  # the worker imports torch and diffusers behind the first jobs
RUNS = 500
BURST = 300


def prompt(color: int) -> dict[str, Any]:
    """EmptyImage, ImageInvert, PreviewImage; another colour is another picture to make."""
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": color},
        },
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
    }


class Caller:
    """Posts prompts on a connection of its own, with as little work as a client can do."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._client = client

    async def post(self, color: int) -> None:
        """Submit one prompt and wait for the 200."""
        body = json.dumps({"prompt": prompt(color), "client_id": self._client}).encode()
        head = f"POST /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = next(line for line in answer.split(b"\r\n") if line.startswith(b"Content-Length"))
        await self._reader.readexactly(int(length.split(b":")[1]))


async def ends(socket: ClientConnection, count: int) -> None:
    """Wait for the success of as many prompts."""
    while count:
        message = await socket.recv(decode=False)
        assert b'"execution_error"' not in message, message
        count -= b'"execution_success"' in message


async def measure(url: str) -> tuple[list[float], float]:
    """Seconds of single prompts, and prompts per second of a burst."""
    client, colors = uuid.uuid4().hex, count(secrets.randbelow(2**23))
    host, port = url.removeprefix("http://").split(":")
    singles: list[float] = []
    async with connect(f"ws://{host}:{port}/ws?clientId={client}", compression=None) as socket:
        callers = [Caller(*await asyncio.open_connection(host, int(port)), client) for _ in "12345"]
        warm = time.perf_counter() + WARM_UP_SECONDS
        while time.perf_counter() < warm or len(singles) < RUNS:
            began = time.perf_counter()
            await callers[0].post(next(colors))
            await ends(socket, 1)
            if began > warm:
                singles.append(time.perf_counter() - began)

        async def post_some(caller: Caller) -> None:
            for _ in range(BURST // len(callers)):
                await caller.post(next(colors))

        began = time.perf_counter()
        await asyncio.gather(ends(socket, BURST), *map(post_some, callers))
        burst = BURST / (time.perf_counter() - began)
    return singles, burst


def main() -> None:
    """Measure and print."""
    with running() as service:
        singles, burst = asyncio.run(measure(service.url))
    measures = Measures("EmptyImage, ImageInvert, PreviewImage at 64 px")
    measures.add("submit to success, in sequence", [1e3 * s for s in singles], "ms", "p50 <= 2 ms")
    measures.add(f"{BURST} posted on five connections", [burst], "/s")
    measures.print()


if __name__ == "__main__":
    main()
