"""/view and /upload/image: files of the home's input, output and temp folders."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import posixpath
from pathlib import Path
from typing import get_args
from urllib.parse import quote

from aiohttp import ETag, web

from engine.authoring.errors import MissingFile
from engine.authoring.names import has_parent_part, to_posix
from engine.authoring.protocols import FolderKind
from engine.server import wire, wire_assets
from engine.server.app_keys import ENGINE
from engine.server.multipart import read_form
from engine.server.pictures import CHANNELS, rendered
from engine.server.request_parsing import BadInput, says_yes, whole
from engine.server.responses import json_response
from engine.server.uploads import Upload, store
from engine.store.content_hash import PATTERN
from engine.store.folders import ANNOTATED

SHOWN_INLINE = ("image/", "audio/", "video/", "text/plain", "application/json")
NEVER_INLINE = ("image/svg+xml",)
LARGEST_SIDE = 99_999


async def view(request: web.Request) -> web.StreamResponse:
    """GET /view: a file, with ranges and validators; or a preview, or channels of it.

    A file that is gone is a 404, and with `absent=empty` an empty 204: a page may have many small
    pictures of what was deleted since, and a browser logs each 404.
    """
    query = request.query
    try:
        path, name = await _viewed(request)
    except MissingFile:
        if query.get("absent") != "empty":
            raise
        return web.Response(status=204)
    channel = query.get("channel", "rgba")
    if channel not in CHANNELS:
        raise BadInput("invalid_channel", f"channel must be one of {', '.join(CHANNELS)}.")
    if "preview" in query or channel != "rgba":
        preview, size = query.get("preview"), _size(query.get("size"))
        stat = await asyncio.to_thread(path.stat)
        mark = _mark(stat.st_mtime_ns, stat.st_size, preview, channel, size)
        if mark in (request.if_none_match or ()):
            return web.Response(status=304, headers={"ETag": f'"{mark.value}"'})
        data, kind = await asyncio.to_thread(rendered, path, preview, channel, size)
        answer = web.Response(body=data, headers=file_headers(kind, name))
        answer.etag = mark
        return answer
    kind, encoding = mimetypes.guess_type(name)
    return web.FileResponse(path, headers=file_headers(None if encoding else kind, name))


def _mark(*facts: object) -> ETag:
    return ETag(hashlib.blake2b(repr(facts).encode(), digest_size=12).hexdigest())


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    size = whole(text)
    if not size or size > LARGEST_SIDE:
        raise BadInput("invalid_size", "size must be a number of pixels.", input_name="size")
    return size


async def _viewed(request: web.Request) -> tuple[Path, str]:
    name, assets = request.query.get("filename"), request.app[ENGINE].assets
    if name is None:
        raise MissingFile("filename is missing; ask for /view?filename=NAME&type=output")
    if PATTERN.fullmatch(name):
        asset = await assets.by_hash(name)
        if asset is None:
            raise MissingFile("no file that is known here has this content")
        return assets.path(asset), asset.file
    kind = request.query.get("type", "output")
    annotated = ANNOTATED.match(name)
    if annotated is not None:
        name, kind = annotated["name"], annotated["kind"]
    if not name or name.startswith("/") or has_parent_part(name):
        raise BadInput(
            "invalid_filename", f"{name!r} is no plain file name.", input_name="filename"
        )
    path = request.app[ENGINE].folders.resolve(
        folder_kind(kind), request.query.get("subfolder", ""), name
    )
    return path, posixpath.basename(name)


def folder_kind(text: str) -> FolderKind:
    """The folder a request names.

    Raises:
        BadInput: there is none of that name.
    """
    for kind in get_args(FolderKind):
        if text == kind:
            return kind
    raise BadInput(
        "invalid_type", f"type must be input, output or temp, not {text[:50]!r}.", input_name="type"
    )


def file_headers(kind: str | None, name: str) -> dict[str, str]:
    """What a browser cannot run is shown by it; everything else is a download.

    Args:
        kind: media type, None if unknown.
        name: offered for a download.
    """
    inline = kind is not None and kind.startswith(SHOWN_INLINE) and kind not in NEVER_INLINE
    return {
        "Content-Type": kind if inline and kind else "application/octet-stream",
        "Content-Disposition": f"{'inline' if inline else 'attachment'}; {_named(name)}",
        "Cache-Control": "no-cache",
    }


def _named(name: str) -> str:
    """A file name as RFC 6266 puts it into a header."""
    if name.isascii() and name.isprintable():
        return 'filename="' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"filename*=UTF-8''{quote(name)}"


async def upload_image(request: web.Request) -> web.Response:
    """POST /upload/image: stream a file to disk, then give it its name."""
    upload = Upload(request.app[ENGINE].folders.root("temp"))
    try:
        return await kept(request, upload, await read_form(request, upload))
    finally:
        await asyncio.to_thread(upload.discard)


async def kept(request: web.Request, upload: Upload, fields: dict[str, str]) -> web.Response:
    """Give an upload its name where the form says; returns that name and its asset."""
    engine = request.app[ENGINE]
    kind = folder_kind(fields.get("type") or "input")
    subfolder = to_posix(fields.get("subfolder", ""))
    place = posixpath.normpath(posixpath.join(kind, subfolder))
    same = await engine.assets.files_of(place, upload.close())
    root, overwrite = engine.folders.root(kind), says_yes(fields, "overwrite")
    name = await asyncio.to_thread(store, upload, root, subfolder, same, overwrite=overwrite)
    asset = await engine.assets.add(place, name, upload.close(), name, [])
    payload = wire.stored(name, subfolder, kind)
    return json_response({**payload, "asset": wire_assets.brief(asset)})
