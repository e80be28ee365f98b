"""Talking to a service as a foreign client would: bare HTTP and bare WebSocket."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests import patience
from tests.conftest import Service

Prompt = dict[str, Any]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """A node of the test pack; most of them want to know where to log."""
    return {"class_type": class_type, "inputs": {"log": "", **inputs}}


def chain(middle: dict[str, Any] | None = None) -> Prompt:
    """Three nodes in a row that no cache knows; the one in the middle may be another."""
    return {
        "1": node("Number", value=uuid.uuid4().int % 10**9),
        "2": middle or node("Add", a=["1", 0], b=22),
        "3": node("Show", value=["2", 0]),
    }


def slow(seconds: float = 600.0) -> Prompt:
    """A prompt that runs for a while."""
    return chain(node("Sleep", value=["1", 0], steps=int(seconds * 20), seconds=seconds))


class Ear:
    """A WebSocket client that keeps what it hears."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.frames: list[bytes] = []

    async def hear(self) -> tuple[str, dict[str, Any]] | bytes:
        """The next frame."""
        frame = await asyncio.wait_for(self.socket.recv(), patience.SECONDS)
        if isinstance(frame, bytes):
            self.frames.append(frame)
            return frame
        message = json.loads(frame)
        self.heard.append((message["type"], message["data"]))
        return message["type"], message["data"]

    async def until(self, type: str, **wanted: Any) -> dict[str, Any]:
        """Listen until a message of this type whose data has these members."""
        while True:
            match await self.hear():
                case (str() as heard, dict() as data) if heard == type:
                    if all(data.get(name) == value for name, value in wanted.items()):
                        return data
                case _:
                    pass

    async def begun(self, *ids: str) -> None:
        """Listen until each of these jobs has begun, in whatever order."""
        waiting = set(ids)
        while waiting := waiting - {
            data["prompt_id"] for type, data in self.heard if type == "execution_start"
        }:
            await self.hear()

    async def over(self, *ids: str) -> None:
        """Listen until each of these jobs is over, in whatever order."""
        waiting = set(ids)
        while waiting := waiting - {
            data["prompt_id"]
            for type, data in self.heard
            if type == "executing" and data["node"] is None
        }:
            await self.hear()

    async def nothing_more(self) -> None:
        """Take in whatever is on its way: the service answers feature_flags in order."""
        await self.socket.send(json.dumps({"type": "feature_flags", "data": {}}))
        await self.until("feature_flags")


class Caller:
    """Bare HTTP against one service."""

    def __init__(self, service: Service, session: aiohttp.ClientSession) -> None:
        self.url = service.url
        self.session = session

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        """Status and JSON (or text) of a GET."""
        async with self.session.get(self.url + path, **options) as answer:
            return answer.status, _body(await answer.read())

    async def post(self, path: str, body: Any, **options: Any) -> tuple[int, Any]:
        """Status and JSON (or text) of a POST; a str or bytes body goes as it is."""
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        async with self.session.post(self.url + path, data=data, **options) as answer:
            return answer.status, _body(await answer.read())

    async def submit(self, prompt: Prompt, **more: Any) -> str:
        """Submit a prompt, return its id."""
        status, answer = await self.post("/prompt", {"prompt": prompt, **more})
        assert status == 200, answer
        return answer["prompt_id"]

    @asynccontextmanager
    async def ear(
        self, sid: str | None = None, *, since: int | None = None, **flags: Any
    ) -> AsyncGenerator[Ear]:
        """A WebSocket that already heard its first status."""
        query = "" if sid is None else f"?clientId={sid}"
        query += "" if since is None else f"&since={since}"
        address = self.url.replace("http", "ws") + "/ws" + query
        async with connect(address, max_size=None, proxy=None) as socket:
            ear = Ear(socket)
            await ear.hear()
            if flags:
                await socket.send(json.dumps({"type": "feature_flags", "data": flags}))
                await ear.until("feature_flags")
            yield ear


def _body(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


@pytest.fixture
async def call(service: Service) -> AsyncGenerator[Caller]:
    """Bare HTTP against the module's service."""
    async with aiohttp.ClientSession() as session:
        yield Caller(service, session)
