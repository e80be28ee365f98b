"""Three small nodes, from POST to the end: what the service itself costs."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from itertools import count
from typing import Any

import aiohttp

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
    """Posts prompts and hears of their end."""

    def __init__(self, url: str, session: aiohttp.ClientSession, client: str) -> None:
        self._url = url
        self._session = session
        self._client = client

    async def post(self, color: int) -> None:
        """Submit one prompt."""
        body = {"prompt": prompt(color), "client_id": self._client}
        async with self._session.post(f"{self._url}/prompt", json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def ends(self, socket: aiohttp.ClientWebSocketResponse, count: int) -> None:
        """Wait for the success of as many prompts."""
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                kind = json.loads(message.data)["type"]
                assert kind != "execution_error", message.data
                count -= kind == "execution_success"
                if count == 0:
                    return


async def measure(url: str) -> tuple[list[float], float]:
    """Seconds of single prompts, and prompts per second of a burst."""
    client = uuid.uuid4().hex
    singles: list[float] = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/ws?clientId={client}") as socket,
    ):
        caller, colors = Caller(url, session, client), count(secrets.randbelow(2**23))
        warm = time.perf_counter() + WARM_UP_SECONDS
        while time.perf_counter() < warm or len(singles) < RUNS:
            began = time.perf_counter()
            await caller.post(next(colors))
            await caller.ends(socket, 1)
            if began > warm:
                singles.append(time.perf_counter() - began)
        began = time.perf_counter()
        posts = [caller.post(next(colors)) for _ in range(BURST)]
        await asyncio.gather(caller.ends(socket, BURST), *posts)
        burst = BURST / (time.perf_counter() - began)
    return singles, burst


def main() -> None:
    """Measure and print."""
    with running() as service:
        singles, burst = asyncio.run(measure(service.url))
    measures = Measures("EmptyImage, ImageInvert, PreviewImage at 64 px")
    measures.add("submit to success, in sequence", [1e3 * s for s in singles], "ms", "p50 <= 2 ms")
    measures.add(f"{BURST} posted at once", [burst], "/s")
    measures.print()


if __name__ == "__main__":
    main()
