"""/extensions: scripts that node packs bring for the browser."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from engine.authoring.errors import MissingFile
from engine.server.app_keys import ENGINE
from engine.server.responses import json_response
from engine.store.folders import safe_join


async def get_extensions(request: web.Request) -> web.Response:
    """GET /extensions: every script, as the editor asks for it."""
    webs = await _webs(request)
    return json_response(await asyncio.to_thread(_scripts, webs))


async def get_file(request: web.Request) -> web.FileResponse:
    """GET /extensions/{pack}/{path}: a file of a pack's folder, which no name leads out of.

    Raises:
        BadPath: the path leads out of the folder.
        MissingFile: there is no such pack or file.
    """
    pack, name = request.match_info["pack"], request.match_info["path"]
    root = (await _webs(request)).get(pack)
    path = safe_join(root, name) if root is not None else None
    if path is None or not path.is_file():
        raise MissingFile(f"there is no file {name[:200]!r} of a pack {pack[:100]!r}")
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})


async def _webs(request: web.Request) -> Mapping[str, Path]:
    registry = request.app[ENGINE].registry
    await registry.refresh()
    return {} if registry.custom_nodes is None else registry.custom_nodes.webs


def _scripts(webs: Mapping[str, Path]) -> list[str]:
    return [
        f"/extensions/{pack}/{path.relative_to(root).as_posix()}"
        for pack, root in sorted(webs.items())
        for path in sorted(root.rglob("*.js"))
        if path.is_file()
    ]
