"""What an editor asks for at its start, the log in its console, and the limit of the queue."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import pytest

from tests import bundled
from tests.conftest import ServerFactory, Service
from tests.server.conftest import Caller, chain, node, slow

DAMAGED = "comfy.settings.json cannot be read"
BASES = ("", "/api")


@pytest.fixture(scope="module")
def service(own_service: Service) -> Service:
    """A service of its own: all files of its folders are listed."""
    return own_service


async def patch(call: Caller, path: str, body: Any) -> tuple[int, Any]:
    async with call.session.patch(call.url + path, data=json.dumps(body)) as got:
        data = await got.read()
        return got.status, json.loads(data) if data else None


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("path", "expected"),
    [("/extensions", []), ("/i18n", {}), ("/global_subgraphs", {}), ("/node_replacements", {})],
)
async def test_what_there_is_none_of_is_empty(call: Caller, base: str, path: str, expected: Any):
    assert await call.get(base + path) == (200, expected)


@pytest.mark.parametrize("base", BASES)
async def test_the_own_workflows_are_templates_that_editors_open(call: Caller, base: str):
    assert await call.get(f"{base}/workflow_templates") == (200, {"soundstage": bundled.NAMES})
    for name in bundled.NAMES:
        status, workflow = await call.get(f"{base}/workflow_templates/soundstage/{name}.json")
        assert status == 200
        assert isinstance(workflow["nodes"], list)
        assert await call.post("/workflow/convert", workflow) == (200, bundled.prompt(name))
        picture = call.url + f"{base}/workflow_templates/soundstage/{name}.jpg"
        async with call.session.get(picture) as got:
            assert (got.status, got.content_type) == (200, "image/jpeg")
            assert (await got.read())[:2] == b"\xff\xd8"


@pytest.mark.parametrize("base", BASES)
async def test_folders_are_told_without_the_servers_paths(
    call: Caller, service: Service, base: str
):
    status, paths = await call.get(f"{base}/internal/folder_paths")
    assert (status, paths["loras"]) == (200, ["models/loras"])
    for number, name in enumerate(("b.png", "a.png", "c.png")):
        (service.home / "input" / name).touch()
        os.utime(service.home / "input" / name, (number, number))
    assert await call.get(f"{base}/internal/files/input") == (200, ["c.png", "a.png", "b.png"])
    assert (await call.get(f"{base}/internal/files/output"))[0] == 200


@pytest.mark.parametrize("base", BASES)
async def test_the_log_is_shown_and_sent(server: ServerFactory, call: Caller, base: str):
    service = server("--nodes", "tests.pack")
    call.url = service.url
    (service.home / "user" / "default").mkdir()
    (service.home / "user" / "default" / "comfy.settings.json").write_text("[damaged")
    async with call.ear("me") as ear, call.ear("other") as other:
        told = await patch(
            call, f"{base}/internal/logs/subscribe", {"clientId": "me", "enabled": True}
        )
        assert told == (200, None)
        assert (await call.get("/settings"))[0] == 503
        while DAMAGED not in json.dumps(heard := await ear.until("logs")):
            pass
        assert set(heard["size"]) == {"cols", "rows"}
        stop = {"clientId": "me", "enabled": False}
        assert await patch(call, f"{base}/internal/logs/subscribe", stop) == (200, None)
        await call.get("/settings")
        for quiet in (ear, other):
            await quiet.nothing_more()
        assert json.dumps(ear.heard).count(DAMAGED) == 1
        assert "logs" not in [type for type, _ in other.heard]
    status, raw = await call.get(f"{base}/internal/logs/raw")
    assert status == 200
    assert {"t", "m"} == set(raw["entries"][0])
    status, text = await call.get(f"{base}/internal/logs")
    assert DAMAGED in text
    assert str(service.home) not in text


async def test_what_the_worker_logs_is_shown_too(server: ServerFactory, call: Caller):
    call.url = server("--nodes", "tests.pack").url
    async with call.ear("me") as ear:
        await patch(call, "/internal/logs/subscribe", {"clientId": "me", "enabled": True})
        failing = chain(node("Fail", value=["1", 0], text="as asked"))
        await ear.over(await call.submit(failing, client_id="me"))
        while "node 2 (Fail) failed" not in json.dumps([d for t, d in ear.heard if t == "logs"]):
            await ear.hear()
    while "ready on" not in (text := (await call.get("/internal/logs"))[1]):
        pass
    assert "worker engine.run" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/internal/files/models", 400),
        ("/internal/files/..%2Fmodels", 400),
        ("/workflow_templates/soundstage/none.json", 404),
        ("/workflow_templates/other/hello.json", 404),
        ("/workflow_templates/soundstage/..%2Fpyproject.json", 404),
        ("/global_subgraphs/none", 404),
        ("/internal/nothing", 404),
    ],
)
async def test_what_is_not_there_is_refused(call: Caller, path: str, status: int):
    answered, told = await call.get(path)
    assert answered == status
    assert told["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [{}, {"clientId": 5}, {"clientId": "nobody", "enabled": True}, {"clientId": "x", "enabled": 1}],
)
async def test_nobody_else_is_subscribed(call: Caller, body: dict[str, Any]):
    status, told = await patch(call, "/internal/logs/subscribe", body)
    assert status == 400
    assert told["error"]["message"]


@pytest.mark.parametrize("base", BASES)
async def test_a_full_queue_takes_no_more_until_there_is_room(
    server: ServerFactory, call: Caller, base: str
):
    call.url = server("--nodes", "tests.pack", "--max-queue", "3").url
    running = [await call.submit(slow()) for _ in range(4)]
    while len((await call.get("/queue"))[1]["queue_running"]) < len(running):
        pass
    sent = (call.post(f"{base}/prompt", {"prompt": slow()}) for _ in range(10))
    answers = await asyncio.gather(*sent)
    assert sorted(status for status, _ in answers) == [200] * 3 + [429] * 7
    refused = next(answer for status, answer in answers if status == 429)
    assert refused["error"]["type"] == "queue_full"
    assert "--max-queue" in refused["error"]["message"]
    assert await call.post("/queue", {"clear": True}) == (200, "")
    assert (await call.post(f"{base}/prompt", {"prompt": chain()}))[0] == 200
