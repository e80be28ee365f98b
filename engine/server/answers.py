"""JSON answers."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from engine.server import wire


def json_response(value: Any, *, status: int = 200) -> web.Response:
    """A strict JSON answer; also msgspec Structs, by their field names."""
    return web.Response(
        body=wire.encoded(value), status=status, content_type="application/json", charset="utf-8"
    )
