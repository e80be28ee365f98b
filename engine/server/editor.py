"""What an editor asks for as it starts: translations, templates, subgraphs."""

from __future__ import annotations

from importlib.resources import files

import msgspec
from aiohttp import web

from engine.authoring.errors import MissingFile
from engine.graph.canvas import to_workflow
from engine.graph.workflow import is_workflow
from engine.server.app_keys import ENGINE
from engine.server.responses import json_response

PACK = "soundstage"


async def get_translations(_request: web.Request) -> web.Response:
    """GET /i18n: what packs translate; nothing."""
    return json_response({})


async def get_subgraphs(_request: web.Request) -> web.Response:
    """GET /global_subgraphs: blueprints that packs bring; there are none."""
    return json_response({})


async def get_subgraph(request: web.Request) -> web.Response:
    """GET /global_subgraphs/{id}: one of them."""
    raise MissingFile(f"there is no subgraph {request.match_info['id'][:100]!r}")


async def get_replacements(_request: web.Request) -> web.Response:
    """GET /node_replacements: nodes that stand for older ones; none."""
    return json_response({})


async def get_templates(_request: web.Request) -> web.Response:
    """GET /workflow_templates: names of the workflows that come with the service."""
    names = sorted(
        entry.name.removesuffix(".json")
        for entry in files("workflows").iterdir()
        if entry.name.endswith(".json")
    )
    return json_response({PACK: names})


async def get_template(request: web.Request) -> web.Response:
    """GET /workflow_templates/{pack}/{name}.json: one that an editor opens; .jpg: its picture."""
    pack, name = request.match_info["pack"], request.match_info["name"]
    kind = request.match_info["kind"]
    for entry in files("workflows").iterdir():
        if pack == PACK and entry.name == f"{name}.{kind}":
            data = entry.read_bytes()
            if kind == "jpg":
                return web.Response(body=data, content_type="image/jpeg")
            document = msgspec.json.decode(data)
            if not is_workflow(document):
                document = to_workflow(document, request.app[ENGINE].registry)
            return json_response(document)
    raise MissingFile(f"there is no template {name[:100]!r}; GET /workflow_templates lists them")
