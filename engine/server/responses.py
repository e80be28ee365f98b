"""JSON answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from engine.server import wire


def json_response(value: Any, *, status: int = 200) -> web.Response:
    """A strict JSON answer; also msgspec Structs, by their field names."""
    return web.Response(
        body=wire.encoded(value), status=status, content_type="application/json", charset="utf-8"
    )


async def long_response(make: Callable[[], Any]) -> web.Response:
    """The same for what may be megabytes long: put together and encoded in a thread."""
    body = await asyncio.to_thread(lambda: wire.encoded(make()))
    return web.Response(body=body, content_type="application/json", charset="utf-8")
