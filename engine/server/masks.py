"""/upload/mask: the alpha of one picture put onto another."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from engine.authoring.errors import MissingFile
from engine.server.app_keys import ENGINE
from engine.server.files import folder_kind, kept
from engine.server.multipart import read_form
from engine.server.request_parsing import BadInput
from engine.server.uploads import Upload
from engine.store.folders import Folders

REFERENCE = {"filename": "", "subfolder": "", "type": "output"}
"""The members of `original_ref` and what they are when absent."""


async def upload_mask(request: web.Request) -> web.Response:
    """POST /upload/mask: the picture `original_ref` with the alpha of the uploaded one.

    It is stored under the upload's name, as PNG with the text chunks of the original.
    """
    folders = request.app[ENGINE].folders
    upload = Upload(folders.root("temp"))
    masked = Upload(folders.root("temp"))
    try:
        fields = await read_form(request, upload)
        original = _original(folders, fields.get("original_ref"))
        upload.close()
        await asyncio.to_thread(_write, masked, upload, original)
        return await kept(request, masked, fields)
    finally:
        await asyncio.to_thread(upload.discard)
        await asyncio.to_thread(masked.discard)


def _original(folders: Folders, reference: str | None) -> Path:
    if reference is None:
        raise BadInput("no_original_ref", "original_ref is missing; it names the picture to mask.")
    try:
        value = json.loads(reference)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadInput("invalid_original_ref", "original_ref must be a JSON object.")
    given = cast("dict[str, Any]", value)
    names = [given.get(key, default) for key, default in REFERENCE.items()]
    if not all(isinstance(name, str) for name in names) or not names[0]:
        raise BadInput(
            "invalid_original_ref", "original_ref needs filename, subfolder and type as strings."
        )
    filename, subfolder, kind = names
    try:
        return folders.resolve(folder_kind(kind), subfolder, filename)
    except MissingFile as error:
        raise MissingFile(f"original_ref: {error}") from error


def _write(masked: Upload, mask: Upload, original: Path) -> None:
    """The original with the mask's alpha, as PNG, under the mask's name."""
    from media import png
    from media.pictures import BadPicture, first
    from media.values import plain

    texts = original.read_bytes()
    try:
        picture = plain(first(texts, _unheard), _unheard).convert("RGBA")
        other = plain(first(mask.part.read_bytes(), _unheard), _unheard)
    except BadPicture as error:
        raise BadInput(
            "no_picture", f"{original.name} or the mask cannot be read as a picture: {error}."
        ) from None
    if picture.size != other.size:
        raise BadInput(
            "wrong_size",
            f"The mask is {_size(other)}, the picture {_size(picture)}; "
            "send a mask of the picture's size.",
        )
    picture.putalpha(other.convert("RGBA").getchannel("A"))
    picture.info.clear()
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    masked.begin(mask.name or "mask.png")
    masked.write(png.with_texts(buffer.getvalue(), texts))


def _unheard(warning: str) -> None:
    """The node that reads the picture warns of what is missing in it."""


def _size(picture: Any) -> str:
    return f"{picture.width} x {picture.height}"
