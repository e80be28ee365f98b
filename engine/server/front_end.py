"""Somebody else's browser app, from a folder that the user named.

What ComfyUI's app asks for besides ComfyUI's routes is answered here, so that its console shows no
failed request: a style sheet of the user's, lists of templates (ours come with the others at
/workflow_templates), and files and folders that somebody has who used it before.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from engine.authoring.errors import MissingFile
from engine.server.app_keys import USERDATA
from engine.server.responses import json_response
from engine.store.folders import safe_join
from engine.store.userdata import Taken, UserData

FIRST = "index.html"
STYLE = "user.css"
FOLDERS = ("workflows", "subgraphs")
CACHED = {"comfy.templates.json": b"[]", "workflows/.index.json": b"{}"}


def routes(root: Path) -> list[web.AbstractRouteDef]:
    """Its first page at /, and its other files wherever no route of ours is.

    Args:
        root: holds ``index.html``; files outside of it are not served, nor are folders listed.
    """

    async def file(request: web.Request) -> web.FileResponse:
        """GET /{path}: browsers keep it, and ask each time whether it has changed."""
        path = await asyncio.to_thread(_find, root, request.path[1:] or FIRST)
        return web.FileResponse(path, headers={"Cache-Control": "no-cache"})

    return [
        web.get(f"/{STYLE}", _style),
        web.get(f"/api/userdata/{STYLE}", _style),
        web.get("/templates/index_logo.json", _no_logos),
        web.get("/templates/{name:index.*}.json", _no_templates),
        web.get("/extensions/core/{path:.+}", file),  # among those of packs, which import them
        web.get("/{path:.*}", file),
    ]


def version(root: Path) -> str:
    """The version of an app that was installed as a Python package; "" of any other."""
    package = root.resolve().parent
    for facts in package.parent.glob(f"{package.name}-*.dist-info"):
        return facts.name.removeprefix(f"{package.name}-").removesuffix(".dist-info")
    return ""


def _find(root: Path, name: str) -> Path:
    path = safe_join(root, name)
    if not path.is_file():
        raise MissingFile(f"there is no {name[:200]!r} here")
    return path


async def prepare(app: web.Application) -> None:
    """Make the user files that the app takes to be there; a signal of aiohttp's start."""
    await asyncio.to_thread(_prepare, app[USERDATA])


def _prepare(userdata: UserData) -> None:
    for folder in FOLDERS:
        (userdata.root / folder).mkdir(parents=True, exist_ok=True)
    for name, data in CACHED.items():
        with suppress(Taken):
            userdata.write(name, data, overwrite=False)


async def _style(request: web.Request) -> web.Response:
    """The user's style sheet, an empty one where there is none."""
    try:
        path = await asyncio.to_thread(request.app[USERDATA].find, STYLE)
        text = await asyncio.to_thread(path.read_text, errors="replace")
    except MissingFile:
        text = ""
    return web.Response(text=text, content_type="text/css", headers={"Cache-Control": "no-cache"})


async def _no_templates(_request: web.Request) -> web.Response:
    return json_response([])


async def _no_logos(_request: web.Request) -> web.Response:
    return json_response({})
