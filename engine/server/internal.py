"""/internal: the log and the folders, as the editor's console and pickers ask for them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from engine.server import wire, wire_files
from engine.server.app_keys import ENGINE, LOGS, SOCKETS
from engine.server.files import folder_kind
from engine.server.request_parsing import BadInput, flag, json_object, string
from engine.server.responses import json_response


async def get_text(request: web.Request) -> web.Response:
    """GET /internal/logs: the last lines as one text."""
    return json_response(
        "".join(f"{line['t']} - {line['m']}" for line in list(request.app[LOGS].lines))
    )


async def get_lines(request: web.Request) -> web.Response:
    """GET /internal/logs/raw: the last lines, each with its time."""
    return json_response(wire.logs(list(request.app[LOGS].lines))[1])


async def subscribe(request: web.Request) -> web.Response:
    """PATCH /internal/logs/subscribe: send new lines to a client's WebSocket, or no more."""
    body = await json_object(request)
    sid, enabled = string(body, "clientId"), flag(body, "enabled")
    if not sid:
        raise BadInput("invalid_clientId", "clientId is missing; it names your WebSocket.")
    if not enabled:
        request.app[LOGS].unsubscribe(sid)
    elif request.app[SOCKETS].is_connected(sid):
        request.app[LOGS].subscribe(sid)
    else:
        raise BadInput("invalid_clientId", "No WebSocket of that clientId is open; connect first.")
    return web.Response()


async def get_folder_paths(request: web.Request) -> web.Response:
    """GET /internal/folder_paths: folders of models, relative to the home."""
    folders = request.app[ENGINE].folders
    return json_response(
        {kind: wire_files.model_roots(folders, kind) for kind in folders.model_kinds()}
    )


async def get_files(request: web.Request) -> web.Response:
    """GET /internal/files/{kind}: names in the input, output or temp folder, newest first."""
    root = request.app[ENGINE].folders.root(folder_kind(request.match_info["kind"]))
    return json_response(await asyncio.to_thread(_newest_first, root))


def _newest_first(root: Path) -> list[str]:
    found = [path for path in root.iterdir() if path.is_file() and not path.name.startswith(".")]
    found.sort(key=lambda path: path.lstat().st_mtime_ns, reverse=True)
    return [path.name for path in found if path.name.isprintable()]
