"""/gallery: the files that jobs made, in pages, found by the words they were made from."""

from __future__ import annotations

from typing import Any, get_args

from aiohttp import web

from engine.server.app_keys import ENGINE
from engine.server.request_parsing import BadInput, whole
from engine.server.responses import json_response
from engine.store.gallery import GalleryFile, GalleryPage, GalleryQuery
from engine.store.gallery_rows import MediaKind

LONGEST_PAGE = 500
USUAL_PAGE = 60
MOST_WORDS = 20


async def get_gallery(request: web.Request) -> web.Response:
    """GET /gallery: a page of files, newest first."""
    found = await request.app[ENGINE].gallery.page(wanted(dict(request.query)))
    return json_response(page(found))


async def delete_file(request: web.Request) -> web.Response:
    """DELETE /gallery/{id}: delete the file from the output or temp folder."""
    await request.app[ENGINE].gallery.remove(_number({"id": request.match_info["id"]}, "id"))
    return web.Response(status=204)


def wanted(query: dict[str, str]) -> GalleryQuery:
    """The parameters of GET /gallery.

    Raises:
        BadInput: names the one that is wrong.
    """
    kind = query.get("kind") or None
    known: tuple[MediaKind, ...] = get_args(MediaKind)
    if kind is not None and kind not in known:
        raise BadInput("invalid_kind", f"kind must be one of {', '.join(known)}.")
    words = query.get("query", "").split()
    if len(words) > MOST_WORDS:
        raise BadInput("invalid_query", f"query may have {MOST_WORDS} words; leave some out.")
    name, place = query.get("filename"), query.get("subfolder", "")
    return GalleryQuery(
        words=tuple(words),
        kind=next((one for one in known if one == kind), None),
        workflow=query.get("workflow") or None,
        node=query.get("node") or None,
        file=None if name is None else (query.get("type", "output"), place, name),
        before=_number(query, "before") if "before" in query else None,
        limit=min(_number(query, "limit", USUAL_PAGE, least=1), LONGEST_PAGE),
    )


def _number(query: dict[str, str], name: str, default: int = 0, *, least: int = 0) -> int:
    value = whole(query.get(name, str(default)))
    if value is None or value < least:
        must = f"{name} must be a whole number, {least} or more."
        raise BadInput(f"invalid_{name}", must, input_name=name)
    return value


def page(found: GalleryPage) -> dict[str, Any]:
    """The answer of GET /gallery."""
    return {"files": [_file(file) for file in found.files], "next": found.next}


def _file(shown: GalleryFile) -> dict[str, Any]:
    return {
        "id": shown.id,
        "job": shown.job,
        "node": shown.node,
        "workflow": shown.workflow,
        "kind": shown.kind,
        "file": {"filename": shown.filename, "subfolder": shown.subfolder, "type": shown.type},
        "size": shown.size,
        "made": shown.made,
        "took": shown.took,
    }
