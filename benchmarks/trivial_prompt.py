"""Three small nodes, from POST to the end: what the service itself costs."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
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
BURSTS = 5
BUFFER = 2**16
SUCCESS, FAILURE = b'"execution_success"', b'"execution_error"'
PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"
"""Frames of the heartbeat; without the second one the service closes the WebSocket in the end."""


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


class Bare:
    """One client as bare as can be, so that what is timed is the service: two sockets, no loop.

    It looks for the success among the bytes that come, without taking the messages apart.

    Args:
        address: of the service.
        client: its id.
    """

    def __init__(self, address: tuple[str, int], client: str) -> None:
        self._client = client
        self._posting = socket.create_connection(address)
        self._posting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._address = address
        self._hearing = self._connected()

    def listen_anew(self) -> None:
        """Open the WebSocket again: while nobody reads it, the service closes it in the end."""
        self._hearing.close()
        self._hearing = self._connected()

    def _connected(self) -> socket.socket:
        hearing = socket.create_connection(self._address)
        upgrade = (
            f"GET /ws?clientId={self._client} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        hearing.sendall(upgrade.encode())
        self._heard = hearing.recv(BUFFER)
        assert self._heard.startswith(b"HTTP/1.1 101"), self._heard
        return hearing

    def run(self, color: int) -> None:
        """Submit one prompt, wait for its success, then read the answer to the submission."""
        self._posting.sendall(request(color, self._client))
        while SUCCESS not in self._heard:
            came = self._hearing.recv(BUFFER)
            assert came, "the service has closed the WebSocket"
            if PING in came:
                self._hearing.sendall(PONG)
            self._heard += came
            assert FAILURE not in self._heard, self._heard
        self._heard = self._heard[self._heard.index(SUCCESS) + len(SUCCESS) :]
        answer = self._posting.recv(BUFFER)
        assert answer.startswith(b"HTTP/1.1 200"), answer

    def close(self) -> None:
        """Close both sockets."""
        self._posting.close()
        self._hearing.close()


def request(color: int, client: str) -> bytes:
    """POST /prompt as bytes."""
    body = json.dumps({"prompt": prompt(color), "client_id": client}).encode()
    head = f"POST /prompt HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


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
        self._writer.write(request(color, self._client))
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


def singles(address: tuple[str, int]) -> list[float]:
    """Seconds of single prompts, one after another, once the worker is warm."""
    seconds: list[float] = []
    client, colors = Bare(address, uuid.uuid4().hex), count(secrets.randbelow(2**23))
    warm = time.perf_counter() + WARM_UP_SECONDS
    while time.perf_counter() < warm or len(seconds) < RUNS:
        began = time.perf_counter()
        client.run(next(colors))
        if began > warm:
            seconds.append(time.perf_counter() - began)
    client.close()
    return seconds


async def burst(address: tuple[str, int]) -> float:
    """Prompts per second when many are posted at once, on five connections."""
    client, colors = uuid.uuid4().hex, count(secrets.randbelow(2**23))
    url = f"ws://{address[0]}:{address[1]}/ws?clientId={client}"
    callers = [Caller(*await asyncio.open_connection(*address), client) for _ in "12345"]

    async def post_some(caller: Caller) -> None:
        for _ in range(BURST // len(callers)):
            await caller.post(next(colors))

    async with connect(url, compression=None) as socket:
        began = time.perf_counter()
        await asyncio.gather(ends(socket, BURST), *map(post_some, callers))
        return BURST / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    with running() as service:
        host, port = service.url.removeprefix("http://").split(":")
        seconds = singles((host, int(port)))
        bursts = [asyncio.run(burst((host, int(port)))) for _ in range(BURSTS)]
    measures = Measures("EmptyImage, ImageInvert, PreviewImage at 64 px")
    measures.add(
        "submit to success, in sequence", [1e3 * s for s in seconds], "ms", "p50 <= 1.2 ms"
    )
    measures.add(f"{BURST} posted on five connections", bursts, "/s", ">= 1000/s")
    measures.print()


if __name__ == "__main__":
    main()
