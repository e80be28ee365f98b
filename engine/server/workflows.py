"""/workflow/convert: the editor's files for clients that send prompts."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from engine.authoring.registry import Registry
from engine.graph.settling import settled
from engine.graph.workflow import to_prompt
from engine.server.answers import json_response
from engine.server.bodies import json_object
from engine.server.keys import ENGINE


async def convert(request: web.Request) -> web.Response:
    """POST /workflow/convert: a workflow of the editor in, the prompt for POST /prompt out."""
    document = await json_object(request)
    registry = request.app[ENGINE].registry
    await registry.renew()
    return json_response(await asyncio.to_thread(_converted, document, registry))


def _converted(document: dict[str, Any], registry: Registry) -> dict[str, Any]:
    return settled(to_prompt(document, registry), registry, document, choose=True)
