"""Who hears what: sockets, clients, previews."""

from __future__ import annotations

import asyncio
import io
import json
import struct
from typing import Any

import aiohttp
from PIL import Image
from websockets.asyncio.client import connect

from engine.server.socket import GONE_AFTER
from tests.conftest import ServerFactory
from tests.server.conftest import Caller, chain, slow


async def test_the_first_message_tells_sid_and_queue(call: Caller):
    async with call.ear("me") as ear:
        queue = {"exec_info": {"queue_remaining": 0}}
        assert ear.heard[0] == ("status", {"status": queue, "sid": "me"})
    async with call.ear() as ear:
        assert len(ear.heard[0][1]["sid"]) == 32


async def test_feature_flags_are_answered(call: Caller):
    async with call.ear(supports_preview_metadata=True) as ear:
        flags = ear.heard[-1][1]
    assert flags["supports_preview_metadata"] is True
    assert (await call.get("/features"))[1] == flags


async def test_what_a_client_says_otherwise_is_ignored(call: Caller):
    async with call.ear() as ear:
        for said in ("", "{bad", "[]", '{"type": 5}', "[" * 50_000, '{"type":"feature_flags"}'):
            await ear.socket.send(said)
        await ear.socket.send(b"\x00")
        await ear.nothing_more()


async def test_two_sockets_with_one_id_both_hear_everything(call: Caller):
    async with call.ear("pair") as first:
        async with call.ear("pair") as second:
            id = await call.submit(chain(), client_id="pair")
            for ear in (first, second):
                await ear.until("executing", node=None, prompt_id=id)
        id = await call.submit(chain(), client_id="pair")
        await first.until("executing", node=None, prompt_id=id)


async def test_nobody_hears_of_the_jobs_of_others(call: Caller):
    async with call.ear("a") as a, call.ear("b") as b:
        id = await call.submit(chain(), client_id="a")
        nobodys = await call.submit(chain())
        interrupted = await call.submit(slow(), client_id="a")
        await a.until("executing", node="2", prompt_id=interrupted)
        await call.post("/interrupt", {"prompt_id": interrupted})
        await a.until("executing", node=None, prompt_id=interrupted)
        await b.nothing_more()
        await a.nothing_more()
    assert {type for type, _ in b.heard} == {"status", "feature_flags"}
    assert b.frames == []
    assert nobodys not in json.dumps(a.heard)
    assert id in json.dumps(a.heard)


async def test_a_client_that_comes_back_is_told_where_its_job_stands(call: Caller):
    async with call.ear("back") as ear:
        id = await call.submit(slow(), client_id="back")
        await ear.until("executing", node="2", prompt_id=id)
    async with call.ear("back") as ear:
        state = await ear.until("progress_state", prompt_id=id)
        assert state["nodes"]["1"]["state"] == "finished"
        assert await ear.until("executing", node="2")
        await call.post("/interrupt", {"prompt_id": id})
        await ear.until("executing", node=None, prompt_id=id)


async def test_previews_come_with_metadata_to_those_who_asked(call: Caller):
    async with call.ear("see", supports_preview_metadata=True) as modern, call.ear("see") as old:
        wanted = {"preview_method": "auto"}
        id = await call.submit(slow(), client_id="see", extra_data=wanted)
        for ear in (modern, old):
            while not ear.frames:
                await ear.hear()
        await call.post("/interrupt", {"prompt_id": id})
        await old.until("executing", node=None, prompt_id=id)
    assert old.frames[0] == struct.pack(">II", 1, 1) + b"jpeg"
    kind, length = struct.unpack_from(">II", modern.frames[0])
    metadata: dict[str, Any] = json.loads(modern.frames[0][8 : 8 + length])
    assert kind == 4
    assert metadata == {
        "node_id": "2",
        "prompt_id": id,
        "display_node_id": "2",
        "parent_node_id": None,
        "real_node_id": "2",
        "image_type": "image/jpeg",
    }
    assert modern.frames[0][8 + length :] == b"jpeg"


async def test_pictures_are_sent_whole_instead_of_saved(call: Caller):
    size = {"width": 16, "height": 8, "batch_size": 2, "color": 255}
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": size},
        "2": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["1", 0]}},
    }
    async with (
        call.ear("send", supports_preview_metadata=True) as modern,
        call.ear("send") as old,
        call.ear("other") as other,
    ):
        id = await call.submit(prompt, client_id="send")
        for ear in (modern, old):
            await ear.until("executing", node=None, prompt_id=id)
        await other.nothing_more()
    assert other.frames == []
    assert len(old.frames) == len(modern.frames) == 2
    for plain, told in zip(old.frames, modern.frames, strict=True):
        assert plain[:8] == struct.pack(">II", 1, 2)
        with Image.open(io.BytesIO(plain[8:])) as picture:
            assert (picture.format, picture.size) == ("PNG", (16, 8))
        kind, length = struct.unpack_from(">II", told)
        metadata = json.loads(told[8 : 8 + length])
        assert (kind, metadata["image_type"], metadata["node_id"]) == (4, "image/png", "2")
        assert told[8 + length :] == plain[8:]


async def test_previews_can_be_switched_on_for_all(server: ServerFactory):
    service = server("--nodes", "tests.pack", "--preview-method", "auto")
    async with aiohttp.ClientSession() as session:
        call = Caller(service, session)
        async with call.ear("all") as ear:
            id = await call.submit(slow(), client_id="all")
            while not ear.frames:
                await ear.hear()
            await call.post("/interrupt", {"prompt_id": id})
            await ear.over(id)


async def test_a_client_that_reads_nothing_delays_nobody(call: Caller):
    address = call.url.replace("http", "ws") + "/ws?clientId=both"
    async with connect(address, max_queue=1, proxy=None) as deaf, call.ear("both") as ear:
        deaf.transport.pause_reading()
        waves = GONE_AFTER // 400
        for _ in range(waves):
            ids = [await call.submit(chain(), client_id="both") for _ in range(50)]
            await ear.over(*ids)
        deaf.transport.abort()
    await asyncio.sleep(0)


async def test_a_client_id_of_great_length_is_refused(call: Caller):
    status, answer = await call.get("/ws?clientId=" + "x" * 300)
    assert (status, answer["error"]["type"]) == (400, "invalid_clientId")


async def test_plain_http_on_the_socket_route_is_refused(call: Caller):
    status, answer = await call.get("/ws")
    assert status == 400
    assert "error" in answer
