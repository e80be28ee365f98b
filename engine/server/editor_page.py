"""The editor at /: its page and the files that the page loads, where the package has them.

`web/` is built into `static/` beside this file when the package is made (`hatch_build.py`); a
checkout on a machine without Node has none, and shows the plain page instead.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from aiohttp import web

from engine.authoring.errors import BadPath, MissingFile
from engine.server import system
from engine.store.folders import safe_join

STATIC = Path(__file__).parent / "static"
PAGE = STATIC / "index.html"
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
"""What the page may load: the service's own files, and pictures and sounds it got as bytes."""


async def page(request: web.Request) -> web.StreamResponse:
    """GET /: the editor; asked for again each time, for it names the files of its version."""
    if not PAGE.is_file():
        return await system.page(request)
    return web.FileResponse(
        PAGE,
        headers={
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY,
            "Referrer-Policy": "no-referrer",
        },
    )


async def icon(_request: web.Request) -> web.StreamResponse:
    """GET /icon.svg: the editor's mark."""
    return _file(STATIC, "icon.svg", "no-cache")


async def asset(request: web.Request) -> web.StreamResponse:
    """GET /editor/{name}: a file whose name changes whenever its contents do."""
    name = request.match_info["name"]
    return _file(STATIC / "editor", name, "public, max-age=31536000, immutable")


def _file(folder: Path, name: str, cached: str) -> web.FileResponse:
    with suppress(BadPath):
        path = safe_join(folder, name)
        if path.is_file():
            return web.FileResponse(path, headers={"Cache-Control": cached})
    raise MissingFile(f"there is no asset {name[:100]!r}; load the page at / again")
