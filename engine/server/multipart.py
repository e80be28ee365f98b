"""Forms with a file in them, as uploads come: streamed to disk, within limits."""

from __future__ import annotations

import asyncio

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from engine.server.app_keys import UPLOAD_LIMIT
from engine.server.request_parsing import BadInput
from engine.server.uploads import Upload

MOST_PARTS = 16
LONGEST_FIELD = 64 * 1024
CHUNK = 1024 * 1024


async def read_form(
    request: web.Request, upload: Upload, *, field: str = "image"
) -> dict[str, str]:
    """Take in the form: the file, which there must be, goes to `upload`; returns the other fields.

    Raises:
        BadInput: no form, or not one with a file in that field.
        HTTPRequestEntityTooLarge: over the limit.
    """
    limit = request.app[UPLOAD_LIMIT]
    if request.content_length is not None and request.content_length > limit + LONGEST_FIELD:
        raise too_large(limit)
    if not request.content_type.startswith("multipart/"):
        raise BadInput("invalid_upload", f"Send the file as multipart/form-data, field '{field}'.")
    fields = await _parts(request, upload, field)
    if upload.name is None:
        raise BadInput("no_file", f"The form has no file; send it in the field '{field}'.")
    return fields


async def _parts(request: web.Request, upload: Upload, field: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    try:
        reader = await request.multipart()
        for _ in range(MOST_PARTS):
            part = await reader.next()
            if part is None:
                return fields
            if isinstance(part, MultipartReader):
                raise BadInput("invalid_upload", "The form holds a form; send one file.")
            if part.name == field and upload.name is None:
                await _take_file(part, upload, request.app[UPLOAD_LIMIT])
            elif part.filename is None:
                fields[part.name or ""] = await _short_text(part)
            else:
                raise BadInput("invalid_upload", f"Send one file, in the field '{field}'.")
    except (ValueError, HttpProcessingError) as error:
        why = getattr(error, "message", str(error)).replace("\n", " ")
        raise BadInput("invalid_upload", f"The form cannot be read: {why}") from error
    raise BadInput("invalid_upload", f"The form has more than {MOST_PARTS} fields.")


async def _take_file(part: BodyPartReader, upload: Upload, limit: int) -> None:
    if not part.filename:
        raise BadInput("no_filename", f"The field '{part.name}' is no file; give it a filename.")
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
