"""/assets and /tags: files by name, tag and content, wherever in the home they lie."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.authoring.errors import BadPath, MissingFile
from engine.server import wire_assets
from engine.server.app_keys import ASSET_INDEXER, ENGINE
from engine.server.files import file_headers
from engine.server.multipart import read_form
from engine.server.request_parsing import BadInput, json_object, says_yes
from engine.server.responses import json_response
from engine.server.uploads import Upload, store
from engine.server.wire_assets import Refused
from engine.store.assets import Asset, location_tags
from engine.store.content_hash import PATTERN, hash_file
from engine.store.folders import MODEL_SUFFIXES, Folders
from engine.store.model_paths import ALIASES

ROOTS = ("input", "output", "temp", "models")
PATIENCE_SECONDS = 2.0
READ_AT_ONCE = 64 * 2**20
"""Contents up to this size are hashed while the client waits."""

Answer = Coroutine[Any, Any, web.StreamResponse]
Handler = Callable[[web.Request], Answer]


def asset_errors(handler: Handler) -> Handler:
    """A handler whose refusals are in the form that these routes have."""

    @wraps(handler)
    async def answering(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return _refused(refused)
        except BadInput as error:
            code = {"no_file": "MISSING_INPUT", "invalid_json": "INVALID_JSON"}
            return _refused(Refused(code.get(error.type, "INVALID_BODY"), str(error)))
        except BadPath as error:
            return _refused(Refused("FORBIDDEN", str(error)))
        except MissingFile as error:
            return _refused(Refused("FILE_NOT_FOUND", str(error)))

    return answering


def _refused(refused: Refused) -> web.Response:
    return json_response(wire_assets.refusal(refused), status=refused.status)


@asset_errors
async def get_assets(request: web.Request) -> web.Response:
    """GET /assets: a page of those that pass the filter."""
    filter = wire_assets.filter(list(request.query.items()))
    slice = wire_assets.slice(dict(request.query))
    await request.app[ASSET_INDEXER].refresh(PATIENCE_SECONDS)
    found = await request.app[ENGINE].assets.page(filter, slice)
    return json_response(wire_assets.page(found, slice))


@asset_errors
async def get_asset(request: web.Request) -> web.Response:
    """GET /assets/{id}: one of them; the content of a file that is not huge is hashed for it."""
    asset, assets = await _asset(request), request.app[ENGINE].assets
    if asset.hash is None and asset.size <= READ_AT_ONCE:
        assets.change(asset, hash=await asyncio.to_thread(hash_file, assets.path(asset)))
        asset = await _asset(request)
    return json_response(wire_assets.asset(asset))


@asset_errors
async def put_asset(request: web.Request) -> web.Response:
    """PUT /assets/{id}: another name, user_metadata or preview_id."""
    asset, body = await _asset(request), await json_object(request)
    unknown = set(body) - {"name", "user_metadata", "preview_id"}
    if unknown:
        raise Refused("UNSUPPORTED_PARAM", f"{min(unknown)[:100]!r} cannot be changed")
    await _describe(request, asset, body)
    return json_response(wire_assets.asset(await _asset(request)))


@asset_errors
async def delete_asset(request: web.Request) -> web.Response:
    """DELETE /assets/{id}: list it no more; with delete_content=true its file goes, too."""
    asset, assets = await _asset(request), request.app[ENGINE].assets
    wanted = says_yes(request.query, "delete_content")
    if wanted and asset.folder.startswith("models/"):
        raise Refused("FORBIDDEN", "models are not deleted by this route; remove the file itself")
    assets.hide(asset)
    if wanted and await assets.find_file(asset.folder, asset.file) is None:
        await asyncio.to_thread(assets.path(asset).unlink, missing_ok=True)
    return web.Response(status=204)


@asset_errors
async def get_content(request: web.Request) -> web.StreamResponse:
    """GET /assets/{id}/content: the bytes; disposition=attachment makes it a download."""
    asset, assets = await _asset(request), request.app[ENGINE].assets
    disposition = request.query.get("disposition", "")
    if disposition not in ("", "inline", "attachment"):
        raise Refused("INVALID_QUERY", "disposition must be inline or attachment")
    path = assets.path(asset)
    assets.touch(asset)
    kind, encoding = mimetypes.guess_type(asset.file)
    kept = file_headers(None if encoding else kind, asset.name)
    if disposition == "attachment":
        kept["Content-Disposition"] = kept["Content-Disposition"].replace("inline;", "attachment;")
    return web.FileResponse(path, headers=kept)


async def head_hash(request: web.Request) -> web.Response:
    """HEAD /assets/hash/{hash}: whether a content is here."""
    hash = request.match_info["hash"]
    if not PATTERN.fullmatch(hash):
        return web.Response(status=400)
    found = await request.app[ENGINE].assets.by_hash(hash)
    return web.Response(status=404 if found is None else 200)


@asset_errors
async def post_asset(request: web.Request) -> web.Response:
    """POST /assets: a file, streamed to the folder that its tags name, input by default."""
    folders, assets = request.app[ENGINE].folders, request.app[ENGINE].assets
    upload = Upload(folders.root("temp"))
    try:
        fields = await read_form(request, upload, field="file")
        tags = wire_assets.form_tags(fields.get("tags", ""))
        body = {**fields, "user_metadata": _json(fields.get("user_metadata"))}
        metadata, name = wire_assets.metadata(body["user_metadata"]), wire_assets.text(body, "name")
        folder, root = _target(folders, tags, upload.name or "")
        hash = upload.close()
        if fields.get("hash", hash) != hash:
            raise Refused("HASH_MISMATCH", f"the content is {hash}, not what hash says")
        same = await assets.files_of(folder, hash)
        file = await asyncio.to_thread(store, upload, root, "", same, overwrite=False)
    finally:
        await asyncio.to_thread(upload.discard)
    before = await assets.find_file(folder, file)
    known = before is not None and before.hash == hash
    kept = name or (before.name if before is not None and known else file)
    asset = await assets.add(folder, file, hash, kept, _given(tags, folder))
    said = {"user_metadata": metadata, "preview_id": body.get("preview_id")}
    await _describe(request, asset, said)
    shown = wire_assets.asset(await assets.get(asset.id) or asset)
    return json_response({**shown, "created_new": not known}, status=200 if known else 201)


@asset_errors
async def post_from_hash(request: web.Request) -> web.Response:
    """POST /assets/from-hash: another asset of a content that is here."""
    body, assets = await json_object(request), request.app[ENGINE].assets
    hash, name = wire_assets.text(body, "hash"), wire_assets.text(body, "name")
    if hash is None or not PATTERN.fullmatch(hash):
        raise Refused("INVALID_HASH", "hash must be 'blake3:' and 64 hex digits")
    tags = wire_assets.tags(body.get("tags", []))
    wire_assets.metadata(body.get("user_metadata"))
    source = await assets.by_hash(hash)
    if source is None:
        raise Refused("ASSET_NOT_FOUND", "no asset has this content; upload it")
    id = await assets.copy(source, name or source.name, _given(tags, source.folder))
    asset = await assets.get(id) or source
    await _describe(request, asset, {**body, "name": None})
    shown = wire_assets.asset(await assets.get(id) or asset)
    return json_response({**shown, "created_new": False}, status=201)


@asset_errors
async def post_tags(request: web.Request) -> web.Response:
    """POST /assets/{id}/tags: add some."""
    asset, given = await _asset(request), await _tags(request)
    forbidden = set(given) & set(ROOTS) - set(asset.tags)
    if forbidden:
        raise Refused("SYSTEM_TAG_FORBIDDEN", f"{min(forbidden)!r} says where a file lies")
    request.app[ENGINE].assets.tag(asset, given)
    return json_response(
        {
            "added": [tag for tag in given if tag not in asset.tags],
            "already_present": [tag for tag in given if tag in asset.tags],
            "total_tags": (await _asset(request)).tags,
        }
    )


@asset_errors
async def delete_tags(request: web.Request) -> web.Response:
    """DELETE /assets/{id}/tags: take some away."""
    asset, given = await _asset(request), await _tags(request)
    kept = set(given) & set(location_tags(asset.folder))
    if kept:
        raise Refused("SYSTEM_TAG_FORBIDDEN", f"{min(kept)!r} says where the file lies")
    request.app[ENGINE].assets.untag(asset, given)
    return json_response(
        {
            "removed": [tag for tag in given if tag in asset.tags],
            "not_present": [tag for tag in given if tag not in asset.tags],
            "total_tags": (await _asset(request)).tags,
        }
    )


@asset_errors
async def get_tags(request: web.Request) -> web.Response:
    """GET /tags: all there are, and how many assets have each."""
    await request.app[ASSET_INDEXER].refresh(PATIENCE_SECONDS)
    found = await request.app[ENGINE].assets.tags(wire_assets.filter([]))
    return json_response(wire_assets.tag_page(found, dict(request.query)))


@asset_errors
async def refine_tags(request: web.Request) -> web.Response:
    """GET /assets/tags/refine: the tags of the assets that pass a filter."""
    filter = wire_assets.filter(list(request.query.items()))
    await request.app[ASSET_INDEXER].refresh(PATIENCE_SECONDS)
    found = await request.app[ENGINE].assets.tags(filter)
    return json_response({"tag_counts": {tag.name: tag.count for tag in found}})


@asset_errors
async def post_seed(request: web.Request) -> web.Response:
    """POST /assets/seed: look at all folders and read what the files contain."""
    indexer = request.app[ASSET_INDEXER]
    if not indexer.start():
        return json_response({"status": "already_running"}, status=409)
    if not says_yes(request.query, "wait"):
        return json_response({"status": "started"}, status=202)
    await indexer.wait()
    return json_response({"status": "completed", **wire_assets.indexing(indexer)})


async def get_seed(request: web.Request) -> web.Response:
    """GET /assets/seed/status: how far that is."""
    return json_response(wire_assets.indexing(request.app[ASSET_INDEXER]))


async def cancel_seed(request: web.Request) -> web.Response:
    """POST /assets/seed/cancel: stop it."""
    stopped = await request.app[ASSET_INDEXER].cancel()
    return json_response({"status": "cancelled" if stopped else "idle"})


@asset_errors
async def post_prune(request: web.Request) -> web.Response:
    """POST /assets/prune: forget the assets whose files are gone."""
    indexer = request.app[ASSET_INDEXER]
    if indexer.running:
        return json_response({"status": "already_running"}, status=409)
    await indexer.refresh(PATIENCE_SECONDS)
    return json_response({"status": "completed", "errors": indexer.errors})


async def _asset(request: web.Request) -> Asset:
    found = await request.app[ENGINE].assets.get(request.match_info["id"])
    if found is None:
        raise Refused("ASSET_NOT_FOUND", f"there is no asset {request.match_info['id'][:50]!r}")
    return found


async def _tags(request: web.Request) -> list[str]:
    given = wire_assets.tags((await json_object(request)).get("tags"))
    if not given:
        raise Refused("INVALID_BODY", "tags is empty; name at least one")
    return given


async def _describe(request: web.Request, asset: Asset, body: dict[str, Any]) -> None:
    """Set what a body says of an asset."""
    assets, preview = request.app[ENGINE].assets, wire_assets.text(body, "preview_id")
    if preview is not None and await assets.get(preview) is None:
        raise Refused("ASSET_NOT_FOUND", f"preview_id: there is no asset {preview[:50]!r}")
    assets.change(
        asset,
        name=wire_assets.text(body, "name"),
        metadata=wire_assets.metadata(body.get("user_metadata")),
        preview=preview,
    )


def _given(tags: list[str], folder: str) -> list[str]:
    """The tags that say more than where the file lies."""
    return [tag for tag in tags if tag not in (*ROOTS, *location_tags(folder))]


def _target(folders: Folders, tags: list[str], name: str) -> tuple[str, Path]:
    """The folder that tags name, as assets call it and on disk."""
    roots = [tag for tag in tags if tag in ROOTS]
    if len(roots) > 1:
        raise Refused("INVALID_BODY", f"tags name more than one folder: {', '.join(roots)}")
    if roots != ["models"]:
        root = roots[0] if roots else "input"
        return root, folders.root(root)
    kinds = [ALIASES.get(tag, tag) for tag in tags]
    kind = next((kind for kind in kinds if kind in folders.model_kinds()), None)
    if kind is None:
        raise Refused("INVALID_BODY", "tags name no kind of model; add one, such as 'loras'")
    if not name.lower().endswith(MODEL_SUFFIXES):
        known = ", ".join(MODEL_SUFFIXES)
        raise Refused("INVALID_BODY", f"the name of a model ends with one of {known}")
    return f"models/{kind}", folders.model_roots(kind)[0]


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("INVALID_BODY", "user_metadata must be a JSON object") from None
