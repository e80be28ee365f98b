"""/models, /embeddings, /experiment/models, /view_metadata: the model files there are."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web
from safetensors import SafetensorError, safe_open

from engine.authoring.errors import BadPath, MissingFile
from engine.authoring.markers import Files
from engine.server import wire_files
from engine.server.app_keys import ENGINE
from engine.server.pictures import rendered
from engine.server.request_parsing import BadInput
from engine.server.responses import json_response
from engine.store.folders import Folders
from engine.store.model_paths import ALIASES

NO_MODELS = ("configs", "custom_nodes")

SIDECARS = tuple(
    f"{middle}{suffix}"
    for middle in (".preview", "")
    for suffix in (".png", ".jpg", ".jpeg", ".webp", ".gif")
)
FOLDER_METADATA = "metadata.json"
COVERS = "ssmd_cover_images"
SAFETENSORS = (".safetensors", ".sft")


async def get_folders(request: web.Request) -> web.Response:
    """GET /models: names of the model folders."""
    return json_response(_listed(request.app[ENGINE].folders))


async def get_models(request: web.Request) -> web.Response:
    """GET /models/{folder}: names of its models, sorted, those of subfolders included."""
    names = await asyncio.to_thread(_names, request.app[ENGINE].folders, _folder(request))
    return json_response(names)


async def get_embeddings(request: web.Request) -> web.Response:
    """GET /embeddings: their names as prompts use them, without the file ending."""
    names = await asyncio.to_thread(_names, request.app[ENGINE].folders, "embeddings")
    return json_response([str(Path(name).with_suffix("")) for name in names])


async def get_model_folders(request: web.Request) -> web.Response:
    """GET /experiment/models: the folders that hold models."""
    folders = request.app[ENGINE].folders
    kinds = (kind for kind in folders.model_kinds() if kind not in NO_MODELS)
    return json_response(
        [{"name": kind, "folders": wire_files.model_roots(folders, kind)} for kind in kinds]
    )


async def get_model_files(request: web.Request) -> web.Response:
    """GET /experiment/models/{folder}: its models with size and times."""
    files = await asyncio.to_thread(_files, request.app[ENGINE].folders, _folder(request))
    return json_response(files)


async def get_preview(request: web.Request) -> web.Response:
    """GET /experiment/models/preview/{folder}/{path_index}/{filename}: its picture, as WEBP.

    That is the picture that lies beside the model under its name, or the first cover in the
    model's metadata. `path_index` counts the folders of its kind.
    """
    folder, name = _folder(request), request.match_info["filename"]
    folders = request.app[ENGINE].folders
    if request.match_info["path_index"] not in map(str, range(len(folders.model_roots(folder)))):
        raise MissingFile(f"path_index must count the folders of {folder}, from 0")
    path = folders.model_path(folder, name)
    found = await asyncio.to_thread(_preview, path)
    if found is None:
        raise MissingFile(f"there is no preview of {name[:200]!r}")
    data, kind = found
    return web.Response(body=data, content_type=kind)


async def get_metadata(request: web.Request) -> web.Response:
    """GET /view_metadata/{folder}: what a safetensors file, or a model's folder, says of itself.

    A folder says it in `FOLDER_METADATA`: text by key, as in the head of a safetensors file.
    """
    name = request.query.get("filename")
    if not name:
        raise MissingFile("filename is missing; ask for /view_metadata/FOLDER?filename=NAME")
    path = request.app[ENGINE].folders.model_path(_folder(request), name)
    try:
        metadata = await asyncio.to_thread(_metadata, path)
    except BadInput as error:
        raise MissingFile(str(error)) from error
    if metadata is None:
        raise MissingFile(f"{name[:200]!r} is no safetensors file with metadata")
    return json_response(metadata)


def _folder(request: web.Request) -> str:
    given = request.match_info["folder"]
    folder = ALIASES.get(given, given)
    if folder not in _listed(request.app[ENGINE].folders):
        raise MissingFile(f"there is no model folder {given[:100]!r}; GET /models lists them")
    return folder


def _listed(folders: Folders) -> list[str]:
    """Clients know "custom_nodes" as one of the folders; no models are ever in it."""
    kinds = folders.model_kinds()
    after = kinds.index("upscale_models") + 1
    return [*kinds[:after], "custom_nodes", *kinds[after:]]


def _names(folders: Folders, folder: str) -> list[str]:
    return folders.files(Files(folder, marker="model_index.json"))


def _files(folders: Folders, folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in _names(folders, folder):
        with suppress(MissingFile, BadPath, OSError):  # it may have just gone
            path = folders.model_path(folder, name)
            index = wire_files.path_index(folders.model_roots(folder), path)
            pictured = _beside(path) is not None
            found.append(wire_files.model_file(name, index, path.stat(), pictured=pictured))
    return found


def _preview(path: Path) -> tuple[bytes, str] | None:
    picture = _beside(path) or _cover(path)
    return None if picture is None else rendered(picture, "webp", "rgba")


def _beside(path: Path) -> Path | None:
    """The picture that lies beside a model, if there is one."""
    places = (path.with_name(path.stem + ending) for ending in SIDECARS)
    return next((place for place in places if place.is_file()), None)


def _cover(path: Path) -> bytes | None:
    try:
        match json.loads((_metadata(path) or {}).get(COVERS, "null")):
            case [str(encoded), *_]:
                return base64.b64decode(encoded.rpartition(",")[2], validate=True)
            case _:
                return None
    except (ValueError, RecursionError) as error:
        raise BadInput("no_picture", f"the cover of {path.name} cannot be read") from error


def _metadata(path: Path) -> dict[str, str] | None:
    if path.is_dir():
        return _folder_metadata(path / FOLDER_METADATA)
    if path.suffix.lower() not in SAFETENSORS or not path.is_file():
        return None
    try:
        opened: Any = safe_open(path, framework="np")
        with opened as file:
            return file.metadata()
    except (SafetensorError, OSError) as error:
        raise BadInput(
            "no_safetensors", f"{path.name} is damaged, or no safetensors file."
        ) from error


def _folder_metadata(path: Path) -> dict[str, str] | None:
    if not path.is_file():
        return None
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in found.items()}
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        raise BadInput("no_metadata", f"{path.parent.name}/{path.name} cannot be read") from error
