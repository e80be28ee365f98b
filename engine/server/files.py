"""/view and /upload/image: files of the home's input, output and temp folders."""

from __future__ import annotations

import asyncio
import mimetypes
import posixpath
from pathlib import Path
from typing import get_args
from urllib.parse import quote

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from engine.authoring.errors import MissingFile
from engine.authoring.protocols import FolderKind
from engine.server import wire
from engine.server.answers import json_response
from engine.server.bodies import BadInput
from engine.server.keys import ENGINE, UPLOAD_LIMIT
from engine.server.pictures import CHANNELS, rendered
from engine.server.uploads import Upload, store
from engine.store.folders import ANNOTATED

SHOWN_INLINE = ("image/", "audio/", "video/", "text/plain", "application/json")
NEVER_INLINE = ("image/svg+xml",)
MOST_PARTS = 16
LONGEST_FIELD = 64 * 1024
CHUNK = 1024 * 1024


async def view(request: web.Request) -> web.StreamResponse:
    """GET /view: a file, with ranges and validators; or a preview, or some channels of it."""
    path, name = _viewed(request)
    query = request.query
    channel = query.get("channel", "rgba")
    if channel not in CHANNELS:
        raise BadInput("invalid_channel", f"channel must be one of {', '.join(CHANNELS)}.")
    if "preview" in query or channel != "rgba":
        preview = query.get("preview")
        data, kind = await asyncio.to_thread(rendered, path, preview, channel)
        return web.Response(body=data, headers=_headers(kind, name))
    kind, encoding = mimetypes.guess_type(name)
    return web.FileResponse(path, headers=_headers(None if encoding else kind, name))


def _viewed(request: web.Request) -> tuple[Path, str]:
    name = request.query.get("filename")
    if name is None:
        raise MissingFile("filename is missing; ask for /view?filename=NAME&type=output")
    kind = request.query.get("type", "output")
    annotated = ANNOTATED.match(name)
    if annotated is not None:
        name, kind = annotated["name"], annotated["kind"]
    if not name or name.startswith("/") or ".." in name:
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


def _headers(kind: str | None, name: str) -> dict[str, str]:
    """Only what a browser cannot run is shown by it; everything else is a download."""
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
    limit = request.app[UPLOAD_LIMIT]
    if request.content_length is not None and request.content_length > limit + LONGEST_FIELD:
        raise too_large(limit)
    if not request.content_type.startswith("multipart/"):
        raise BadInput("invalid_upload", "Send the file as multipart/form-data, field 'image'.")
    folders = request.app[ENGINE].folders
    upload = Upload(folders.root("temp"))
    try:
        fields = await _received(request, upload)
        if upload.name is None:
            raise BadInput("no_file", "The form has no file; send it in the field 'image'.")
        kind = folder_kind(fields.get("type") or "input")
        stored = await asyncio.to_thread(
            store,
            upload,
            folders.root(kind),
            fields.get("subfolder", ""),
            overwrite=fields.get("overwrite", "").lower() in ("true", "1"),
        )
    finally:
        await asyncio.to_thread(upload.discard)
    return json_response(wire.stored(stored, fields.get("subfolder", ""), kind))


async def _received(request: web.Request, upload: Upload) -> dict[str, str]:
    """Take in the form: the file goes to `upload`, the other fields are returned."""
    fields: dict[str, str] = {}
    try:
        reader = await request.multipart()
        for _ in range(MOST_PARTS):
            part = await reader.next()
            if part is None:
                return fields
            if isinstance(part, MultipartReader):
                raise BadInput("invalid_upload", "The form holds a form; send one file.")
            if part.name == "image" and upload.name is None:
                await _take_file(part, upload, request.app[UPLOAD_LIMIT])
            elif part.filename is None:
                fields[part.name or ""] = await _short_text(part)
            else:
                raise BadInput("invalid_upload", "Send one file, in the field 'image'.")
    except (ValueError, HttpProcessingError) as error:
        why = getattr(error, "message", str(error)).replace("\n", " ")
        raise BadInput("invalid_upload", f"The form cannot be read: {why}") from error
    raise BadInput("invalid_upload", f"The form has more than {MOST_PARTS} fields.")


async def _take_file(part: BodyPartReader, upload: Upload, limit: int) -> None:
    if not part.filename:
        raise BadInput("no_filename", "The field 'image' is no file; give it a filename.")
    upload.begin(part.filename)
    while chunk := await part.read_chunk(CHUNK):
        await asyncio.to_thread(upload.write, chunk)
        if upload.size > limit:
            raise too_large(limit)


async def _short_text(part: BodyPartReader) -> str:
    text = bytearray()
    while chunk := await part.read_chunk():
        text += chunk
        if len(text) > LONGEST_FIELD:
            raise BadInput("invalid_upload", f"The field {part.name!r} is too long.")
    return text.decode()


def too_large(limit: int) -> web.HTTPException:
    """The 413 for an upload over the limit."""
    refused = web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=limit)
    refused.text = (
        f"The upload is over the limit of {limit // 2**20} MB; "
        "start the service with a larger --max-upload-size to allow it."
    )
    return refused
