"""/, /system_stats, /features, /object_info, /unsupported_nodes: what the service is and can do."""

from __future__ import annotations

from aiohttp import web

from engine.graph.core_nodes import CORE_NODES
from engine.server import machine, wire
from engine.server.app_keys import CATALOG, ENGINE, FACTS, FRONT_END_VERSION, LOOP_LAG, UPLOAD_LIMIT
from engine.server.responses import json_response

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Soundstage</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto }
  code { background: #8882; padding: .1em .3em; border-radius: .2em }
</style>
<h1>Soundstage is running</h1>
<p>Post a workflow to <code>POST /prompt</code>, follow it on <code>/ws?clientId=ID</code>, fetch
what it made from <code>/view</code>. Any program that speaks to ComfyUI can speak to this
address.</p>
<ul>
  <li><a href="object_info">/object_info</a>: the nodes</li>
  <li><a href="queue">/queue</a>, <a href="history">/history</a>: the jobs</li>
  <li><a href="system_stats">/system_stats</a>, <a href="features">/features</a>: the service</li>
</ul>
<p>From a terminal: <code>soundstage run workflow.json --out pictures</code></p>
"""


async def page(_request: web.Request) -> web.Response:
    """GET /: says what this is, to a person with a browser."""
    return web.Response(text=PAGE, content_type="text/html")


async def system_stats(request: web.Request) -> web.Response:
    """GET /system_stats: the machine, its memory and its devices; what the store waits for."""
    facts = await request.app[FACTS].now()
    front_end = request.app[FRONT_END_VERSION]
    engine = request.app[ENGINE]
    stats = wire.system_stats(machine.look(), facts, engine.worker_status(), front_end)
    loop = request.app[LOOP_LAG].facts()
    return json_response({**stats, "store": engine.store_facts(), "loop": loop})


async def features(request: web.Request) -> web.Response:
    """GET /features: what clients may rely on."""
    return json_response(wire.features(request.app[UPLOAD_LIMIT]))


async def object_info(request: web.Request) -> web.Response:
    """GET /object_info: every node; 304 when the client's copy is still right."""
    rendered = await request.app[CATALOG].rendered()
    known = {etag.value for etag in request.if_none_match or ()}
    if rendered.etag in known or "*" in known:
        answer = web.Response(status=304)
    else:
        answer = web.Response(body=rendered.body, content_type="application/json", charset="utf-8")
    answer.etag = rendered.etag
    answer.headers["Cache-Control"] = "no-cache"
    return answer


async def object_info_node(request: web.Request) -> web.Response:
    """GET /object_info/{class}: one node; {} when there is none."""
    return json_response(await request.app[CATALOG].node(request.match_info["id"]))


async def unsupported_nodes(request: web.Request) -> web.Response:
    """GET /unsupported_nodes: ids of ComfyUI's own nodes that this service does not have."""
    return json_response(sorted(CORE_NODES - request.app[CATALOG].ids))
