"""/jobs: what waits, runs and has ended, in pages; and how to stop some of it."""

from __future__ import annotations

from aiohttp import web

from engine.server import wire_jobs
from engine.server.app_keys import ENGINE
from engine.server.request_parsing import BadInput, json_object
from engine.server.responses import json_response, long_response


async def get_jobs(request: web.Request) -> web.Response:
    """GET /jobs: a page of the jobs in some states, newest first unless asked otherwise."""
    try:
        wanted = wire_jobs.wanted(dict(request.query))
    except BadInput as error:
        return json_response(wire_jobs.refused(error), status=400)
    engine = request.app[ENGINE]
    found = await engine.jobs(wanted)
    began = engine.running()
    return await long_response(lambda: wire_jobs.page(found, wanted, began))


async def get_job(request: web.Request) -> web.Response:
    """GET /jobs/{id}: one job with its workflow and what came of it, so far or at its end."""
    engine = request.app[ENGINE]
    standing = await engine.job(request.match_info["id"])
    if standing is None:
        return json_response({"error": "Job not found"}, status=404)
    record = engine.record(standing.job.id)
    return json_response(wire_jobs.detail(standing, engine.running(), record))


async def cancel_job(request: web.Request) -> web.Response:
    """POST /jobs/{id}/cancel: take it out of the queue, or interrupt it; whether it was there."""
    cancelled = await request.app[ENGINE].cancel([request.match_info["id"]])
    return json_response({"cancelled": cancelled})


async def move_to_front(request: web.Request) -> web.Response:
    """POST /jobs/{id}/front: let a job start before all others that wait; whether it waited."""
    moved = request.app[ENGINE].move_to_front(request.match_info["id"])
    return json_response({"moved": moved})


async def cancel_jobs(request: web.Request) -> web.Response:
    """POST /jobs/cancel: the same for several at once."""
    try:
        ids = wire_jobs.job_ids(await json_object(request))
    except BadInput as error:
        return json_response(wire_jobs.refused(error), status=400)
    return json_response({"cancelled": await request.app[ENGINE].cancel(ids)})
