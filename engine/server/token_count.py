"""/tokens: how long a prompt is for the text encoder that will read it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from engine.server.app_keys import COUNTER
from engine.server.request_parsing import BadInput, json_object, string
from engine.server.responses import json_response

LONGEST = 50_000


async def post_tokens(request: web.Request) -> web.Response:
    """POST /tokens {text, checkpoint?}: {count, chunk, chunks} of a prompt.

    `count` tokens fill `chunks` chunks of `chunk` tokens each, as the checkpoint's own vocabulary
    cuts them; without one, or if it is not there, as CLIP's does.
    """
    body = await json_object(request)
    text, checkpoint = string(body, "text"), string(body, "checkpoint")
    if text is None:
        raise BadInput("no_text", "text is missing; it is the prompt to count.")
    if len(text) > LONGEST:
        raise BadInput("text_too_long", f"text has {len(text)} characters; {LONGEST} are counted.")
    counter = request.app[COUNTER]
    try:
        count, chunk, chunks = await asyncio.to_thread(counter.count, text, checkpoint)
    except RecursionError:
        raise BadInput("nested_too_deeply", "text has brackets too deep in each other.") from None
    return json_response({"count": count, "chunk": chunk, "chunks": chunks})
