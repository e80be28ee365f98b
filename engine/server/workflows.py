"""/workflow/convert and /workflow/open: files that people bring, as prompts and for the editor."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from engine.authoring.registry import Registry
from engine.graph.errors import PromptError
from engine.graph.settling import normalize
from engine.graph.workflow import to_prompt
from engine.server.app_keys import ENGINE
from engine.server.opened import opened
from engine.server.request_parsing import json_object
from engine.server.responses import json_response


async def convert(request: web.Request) -> web.Response:
    """POST /workflow/convert: a workflow of the editor in, the prompt for POST /prompt out."""
    document = await json_object(request)
    registry = request.app[ENGINE].registry
    await registry.refresh()
    return json_response(await asyncio.to_thread(_converted, document, registry))


async def open_file(request: web.Request) -> web.Response:
    """POST /workflow/open: any file in, the workflow that it holds or describes out.

    The answer is ``{"workflow": ..., "notes": [...]}``: what the editor opens, and in sentences
    what of the file could not be taken over. A file without a graph is a 400, and with
    `absent=empty` an empty 204: a browser logs each 400 as an error.
    """
    data = await request.read()
    engine = request.app[ENGINE]
    await engine.registry.refresh()
    try:
        made = await asyncio.to_thread(opened, data, engine.registry, engine.folders)
    except PromptError:
        if request.query.get("absent") == "empty":
            return web.Response(status=204)
        raise
    return json_response(made)


def _converted(document: dict[str, Any], registry: Registry) -> dict[str, Any]:
    return normalize(to_prompt(document, registry), registry, document, choose=True)
