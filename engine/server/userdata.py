"""/users, /settings, /userdata, /v2/userdata: what the user's editor keeps here.

There is one user: who may call the service is decided by where it listens, and a header that
names another user is not heeded.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import posixpath

from aiohttp import web

from engine.server import wire_files
from engine.server.app_keys import SETTINGS, USERDATA
from engine.server.files import file_headers
from engine.server.request_parsing import BadInput, json_object, json_value, says_yes
from engine.server.responses import json_response


async def get_users(request: web.Request) -> web.Response:
    """GET /users: that there is one, and whether anything is kept of them yet."""
    kept = await asyncio.to_thread(request.app[USERDATA].root.is_dir)
    return json_response({"storage": "server", "migrated": kept})


async def post_users(_request: web.Request) -> web.Response:
    """POST /users: nobody can be added."""
    raise BadInput("single_user", "This service keeps the data of one user; none can be added.")


async def get_settings(request: web.Request) -> web.Response:
    """GET /settings: all of them."""
    return json_response(await asyncio.to_thread(request.app[SETTINGS].read))


async def get_setting(request: web.Request) -> web.Response:
    """GET /settings/{id}: one of them; null when it is not set."""
    settings = await asyncio.to_thread(request.app[SETTINGS].read)
    return json_response(settings.get(request.match_info["id"]))


async def post_settings(request: web.Request) -> web.Response:
    """POST /settings: set those that the body names."""
    changes = await json_object(request)
    await asyncio.to_thread(request.app[SETTINGS].merge, changes)
    return web.Response()


async def post_setting(request: web.Request) -> web.Response:
    """POST /settings/{id}: set one to the body, whatever JSON that is."""
    changes = {request.match_info["id"]: await json_value(request)}
    await asyncio.to_thread(request.app[SETTINGS].merge, changes)
    return web.Response()


async def get_listing(request: web.Request) -> web.Response:
    """GET /userdata?dir=: the files of a folder: names, name and parts, or all that is known."""
    folder = request.query.get("dir")
    if not folder:
        raise BadInput("invalid_dir", "dir is missing; it names the folder.", input_name="dir")
    found = await asyncio.to_thread(
        request.app[USERDATA].files, folder, recurse=says_yes(request.query, "recurse")
    )
    if says_yes(request.query, "full_info"):
        return json_response([wire_files.user_file(name, stat) for name, stat in found])
    if says_yes(request.query, "split"):
        return json_response([[name, *name.split("/")] for name, _ in found])
    return json_response([name for name, _ in found])


async def get_entries(request: web.Request) -> web.Response:
    """GET /v2/userdata?path=: files and folders in a folder, by default the topmost."""
    userdata = request.app[USERDATA]
    folder = request.query.get("path", "")
    if not folder and not userdata.root.is_dir():
        return json_response([])
    entries = await asyncio.to_thread(userdata.entries, folder)
    return json_response([wire_files.user_entry(name, stat) for name, stat in entries])


async def get_file(request: web.Request) -> web.StreamResponse:
    """GET /userdata/{file}: its bytes; never as something that a browser would run."""
    path = await asyncio.to_thread(request.app[USERDATA].find, request.match_info["file"])
    kind, encoding = mimetypes.guess_type(path.name)
    return web.FileResponse(path, headers=file_headers(None if encoding else kind, path.name))


async def post_file(request: web.Request) -> web.Response:
    """POST /userdata/{file}: keep the body; 409 if there is one and overwrite=false."""
    name, data = request.match_info["file"], await request.read()
    stat = await asyncio.to_thread(
        request.app[USERDATA].write, name, data, overwrite=_overwrites(request)
    )
    return _describe(request, name, stat)


async def delete_file(request: web.Request) -> web.Response:
    """DELETE /userdata/{file}: forget it."""
    await asyncio.to_thread(request.app[USERDATA].delete, request.match_info["file"])
    return web.Response(status=204)


async def move_file(request: web.Request) -> web.Response:
    """POST /userdata/{file}/move/{dest}: rename it; 409 if dest is there and overwrite=false."""
    name, target = request.match_info["file"], request.match_info["dest"]
    stat = await asyncio.to_thread(
        request.app[USERDATA].move, name, target, overwrite=_overwrites(request)
    )
    return _describe(request, target, stat)


def _describe(request: web.Request, name: str, stat: os.stat_result) -> web.Response:
    plain = posixpath.normpath(name)
    payload = wire_files.user_file(plain, stat) if says_yes(request.query, "full_info") else plain
    return json_response(payload)


def _overwrites(request: web.Request) -> bool:
    return request.query.get("overwrite", "").lower() != "false"
