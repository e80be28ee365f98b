"""Pictures over the WebSocket: whole ones that a node sends, previews when asked for."""

from __future__ import annotations

import io
import json
import struct

import aiohttp
import pytest
from PIL import Image

from tests.conftest import ServerFactory
from tests.server.conftest import Caller, slow


async def test_whole_pictures_come_as_png(call: Caller):
    inputs = {"width": 16, "height": 8, "batch_size": 2, "color": 0x00FF00}
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["1", 0]}},
    }
    async with call.ear("see") as old, call.ear("see", supports_preview_metadata=True) as modern:
        id = await call.submit(prompt, client_id="see")
        for ear in (old, modern):
            await ear.until("executing", node=None, prompt_id=id)
    assert len(old.frames) == len(modern.frames) == 2
    assert struct.unpack_from(">II", old.frames[0]) == (1, 2)
    with Image.open(io.BytesIO(old.frames[1][8:])) as picture:
        assert (picture.format, picture.size) == ("PNG", (16, 8))
        assert picture.getpixel((3, 3)) == (0, 255, 0)
    kind, length = struct.unpack_from(">II", modern.frames[0])
    metadata = json.loads(modern.frames[0][8 : 8 + length])
    assert (kind, metadata["node_id"], metadata["image_type"]) == (4, "2", "image/png")
    assert modern.frames[0][8 + length :] == old.frames[0][8:]


@pytest.mark.parametrize(("asked", "seen"), [("default", True), (None, True), ("none", False)])
async def test_the_flag_holds_where_a_prompt_leaves_it_open(
    asked: str | None, seen: bool, server: ServerFactory
):
    service = server("--nodes", "tests.pack", "--preview-method", "auto")
    async with aiohttp.ClientSession() as session, Caller(service, session).ear("me") as ear:
        call = Caller(service, session)
        wanted = {} if asked is None else {"preview_method": asked}
        id = await call.submit(slow(0.6), client_id="me", extra_data=wanted)
        await ear.until("executing", node=None, prompt_id=id)
        assert bool(ear.frames) == seen
