"""/prompt, /queue, /history, /interrupt, /free: jobs in, jobs out."""

from __future__ import annotations

import math
from typing import Any

from aiohttp import web

from engine.graph.literals import short
from engine.run.submission import Submission
from engine.server import wire
from engine.server.app_keys import ENGINE, PREVIEW_METHOD
from engine.server.request_parsing import (
    LONGEST_ID,
    BadInput,
    count,
    flag,
    is_job_id,
    json_object,
    mapping,
    string,
    strings,
)
from engine.server.responses import json_response, long_response

LONGEST_SOURCE = 200
SECRETS = frozenset({"auth_token_comfy_org", "api_key_comfy_org"})


async def get_prompt(request: web.Request) -> web.Response:
    """GET /prompt: how many jobs wait or run."""
    return json_response(wire.exec_info(request.app[ENGINE].remaining()))


async def post_prompt(request: web.Request) -> web.Response:
    """POST /prompt: validate a prompt and queue it; durable before the answer."""
    body = await json_object(request)
    previews = request.app[PREVIEW_METHOD]
    wanted = submission(body, previews)
    source = request.headers.get("Comfy-Usage-Source")
    if source is not None:
        wanted.extra["comfy_usage_source"] = source[:LONGEST_SOURCE]
    receipt = await request.app[ENGINE].submit(wanted)
    return json_response(wire.receipt(receipt))


def submission(body: dict[str, Any], preview_method: str) -> Submission:
    """What a client posts, checked field by field.

    Args:
        body: of POST /prompt.
        preview_method: used where extra_data names none, or "default".

    Raises:
        BadInput: names the field that is wrong.
    """
    prompt = mapping(body, "prompt")
    if prompt is None:
        raise BadInput("no_prompt", "No prompt provided")
    extra = mapping(body, "extra_data") or {}
    if not isinstance(extra.get("extra_pnginfo", {}), dict):
        extra = {name: value for name, value in extra.items() if name != "extra_pnginfo"}
    if extra.get("preview_method", "default") == "default":
        extra = {**extra, "preview_method": preview_method}
    policy = string(body, "node_failure_policy")
    if policy is not None:
        extra["node_failure_policy"] = policy
    client_id = _client_id(body)
    if client_id is not None:
        extra["client_id"] = client_id  # clients look for their own jobs by it
    return Submission(
        prompt=prompt,
        extra={name: value for name, value in extra.items() if name not in SECRETS},
        client_id=client_id,
        id=_prompt_id(body),
        number=_number(body),
        front=bool(body.get("front", False)),
        targets=strings(body, "partial_execution_targets"),
    )


def _prompt_id(body: dict[str, Any]) -> str | None:
    id = body.get("prompt_id")
    if id is None or is_job_id(id):
        return id
    raise BadInput(
        "invalid_prompt_id",
        f"prompt_id must be a text of 1 to {LONGEST_ID} characters without control characters, "
        "and neither . nor ..; leave it out to get a new one.",
        input_name="prompt_id",
        received_value=short(id),
    )


def _client_id(body: dict[str, Any]) -> str | None:
    """The id that the client's WebSocket named; there it is a text, whatever it is here."""
    id = body.get("client_id")
    if isinstance(id, int | float) and not isinstance(id, bool) and math.isfinite(id):
        return str(id)
    return string(body, "client_id")


def _number(body: dict[str, Any]) -> float | None:
    number = body.get("number")
    if number is None:
        return None
    if isinstance(number, bool | int | float | str):
        try:
            value = float(number)
        except (ValueError, OverflowError):
            value = math.nan
        if math.isfinite(value):
            return value
    raise BadInput("invalid_number", "number must be a finite number.", input_name="number")


async def get_queue(request: web.Request) -> web.Response:
    """GET /queue: the running and the waiting jobs."""
    running, pending = await request.app[ENGINE].queue()
    return await long_response(lambda: wire.queue(running, pending))


async def post_queue(request: web.Request) -> web.Response:
    """POST /queue: forget waiting jobs, some or all."""
    body = await json_object(request)
    ids = strings(body, "delete")
    if flag(body, "clear"):
        await request.app[ENGINE].delete_pending(None)
    if ids:
        await request.app[ENGINE].delete_pending(ids)
    return web.Response()


async def get_history(request: web.Request) -> web.Response:
    """GET /history: ended jobs, oldest first; max_items alone means the newest ones."""
    newest, offset = count(request, "max_items"), count(request, "offset")
    entries = await request.app[ENGINE].history(newest=newest, offset=offset)
    return await long_response(lambda: wire.history(entries))


async def get_history_entry(request: web.Request) -> web.Response:
    """GET /history/{id}: one ended job; {} while it waits or runs, or when unknown."""
    entry = await request.app[ENGINE].history_entry(request.match_info["id"])
    return json_response(wire.history([entry] if entry else []))


async def post_history(request: web.Request) -> web.Response:
    """POST /history: forget ended jobs, some or all."""
    body = await json_object(request)
    ids = strings(body, "delete")
    if flag(body, "clear"):
        await request.app[ENGINE].delete_history(None)
    if ids:
        await request.app[ENGINE].delete_history(ids)
    return web.Response()


async def post_interrupt(request: web.Request) -> web.Response:
    """POST /interrupt: stop one running job, or all of them; a body that is no JSON names none."""
    try:
        body = await json_object(request)
    except BadInput:
        body = {}
    await request.app[ENGINE].interrupt(string(body, "prompt_id"))
    return web.Response()


async def post_free(request: web.Request) -> web.Response:
    """POST /free: give memory back."""
    body = await json_object(request, empty_is_object=True)
    await request.app[ENGINE].free(
        unload_models=flag(body, "unload_models"), free_memory=flag(body, "free_memory")
    )
    return web.Response()
