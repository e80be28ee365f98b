"""Somebody else's browser app, from a folder that the user named."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

FIRST = "index.html"


def routes(root: Path) -> list[web.AbstractRouteDef]:
    """Its first page at /, and its other files wherever no route of ours is.

    Args:
        root: holds ``index.html``; files outside of it are not served, nor are folders listed.
    """

    async def first(_request: web.Request) -> web.FileResponse:
        """GET /: asked for again each time, for it names the files of its version."""
        return web.FileResponse(root / FIRST, headers={"Cache-Control": "no-cache"})

    return [web.get("/", first), web.static("/", root)]
