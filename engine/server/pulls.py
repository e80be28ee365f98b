"""/pulls: models that are missing are fetched into the models folder, when somebody asks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.authoring.errors import MissingFile
from engine.models.one_file import SUFFIXES
from engine.models.pulls import Offer, Pull
from engine.server.app_keys import ENGINE, PULLS
from engine.server.models import NO_MODELS
from engine.server.request_parsing import BadInput, json_object, string
from engine.server.responses import json_response
from engine.store.folders import Folders, safe_join
from engine.store.model_paths import ALIASES

SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)


async def get_pulls(request: web.Request) -> web.Response:
    """GET /pulls: {pulls, offers}: what comes or came, and what comes without an address."""
    pulls = request.app[PULLS]
    coming, offers = map(_describe, pulls.all()), map(_offered, pulls.offers())
    return json_response({"pulls": [*coming], "offers": [*offers]})


async def post_pull(request: web.Request) -> web.Response:
    """POST /pulls {folder, name, url?, sha256?}: start to fetch a model file.

    It comes from `url`, or without one from where the catalogue says, and is given its name when
    it is complete and right. Only safetensors and ONNX: other files can hold programs.
    """
    body = await json_object(request)
    folder, name, target = _named(request.app[ENGINE].folders, body)
    url, sha256 = string(body, "url"), string(body, "sha256")
    if url is not None:
        if not url.startswith(("https://", "http://")):
            raise BadInput("invalid_url", "url must begin with https:// or http://.")
        if not name.lower().endswith(SUFFIXES):
            raise BadInput(
                "unsafe_model",
                f"{name[:200]!r} is not fetched: only {', '.join(SUFFIXES)} files hold nothing but "
                "numbers. Look for the same model as safetensors.",
            )
    digest = SHA256.fullmatch(sha256 or "")
    if sha256 and digest is None:
        raise BadInput("invalid_sha256", "sha256 must be 64 hexadecimal digits.")
    wanted = digest[1].lower() if digest else None
    pull = request.app[PULLS].begin(folder, name, target, url, wanted)
    if pull is None:
        raise BadInput("no_url", f"url is missing; it says where {name[:200]!r} is.")
    return json_response(_describe(pull))


async def delete_pull(request: web.Request) -> web.Response:
    """DELETE /pulls/{id}: stop it; what came so far is gone on with next time."""
    if not request.app[PULLS].cancel(request.match_info["id"]):
        raise MissingFile("there is no such pull; GET /pulls lists them")
    return web.Response(status=204)


def _named(folders: Folders, body: dict[str, Any]) -> tuple[str, str, Path]:
    """The folder, the name and the place of a model that is not there yet."""
    given, name = string(body, "folder"), string(body, "name")
    folder = ALIASES.get(given or "", given)
    if folder not in folders.model_kinds() or folder in NO_MODELS:
        raise BadInput("invalid_folder", "folder must be one of those of GET /experiment/models.")
    if not name or name.endswith("/") or any(part.startswith(".") for part in name.split("/")):
        raise BadInput("invalid_name", "name must be the name of a file.")
    root, *others = [*folders.model_roots(folder), folders.root("models") / folder]
    if any(safe_join(place, name).exists() for place in (root, *others)):
        raise BadInput("already_there", f"{name[:200]!r} is there already.")
    return folder, name, safe_join(root, name)


def _describe(pull: Pull) -> dict[str, Any]:
    names = ("id", "folder", "name", "source", "state", "done", "total", "error")
    return {name: getattr(pull, name) for name in names}


def _offered(offer: Offer) -> dict[str, Any]:
    names = ("folder", "name", "title", "licence", "size")
    return {name: getattr(offer, name) for name in names}
