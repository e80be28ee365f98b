"""/pulls: a missing model is fetched when somebody asks, and never anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Service
from tests.models_pull.test_one_file import PATH, SHA256, WHOLE
from tests.models_pull.website import Serving, Site
from tests.server.conftest import Caller


@pytest.fixture
def site() -> Iterator[Site]:
    """A web site with one model."""
    site = Site(files={PATH: WHOLE, "/page.safetensors": b"<html>"})
    serving = Serving(site)
    yield site
    site.open.set()
    serving.close()


async def over(call: Caller, id: str) -> dict[str, Any]:
    """A pull that does not run any more."""
    while True:
        _, told = await call.get("/api/pulls")
        pull = next(one for one in told["pulls"] if one["id"] == id)
        if pull["state"] != "running":
            return pull
        await asyncio.sleep(0.05)


async def test_a_model_comes_and_is_among_the_choices(call: Caller, service: Service, site: Site):
    body = {
        "folder": "loras",
        "name": "sub/mine.safetensors",
        "url": site.url + PATH,
        "sha256": SHA256,
    }
    status, begun = await call.post("/api/pulls", body)
    assert status == 200, begun
    assert begun["source"] == site.url.removeprefix("http://")
    pull = await over(call, begun["id"])
    assert (pull["state"], pull["done"], pull["total"]) == ("done", len(WHOLE), len(WHOLE))
    assert "sub/mine.safetensors" in (await call.get("/models/loras"))[1]
    path = service.home / "models" / "loras" / "sub" / "mine.safetensors"
    assert path.read_bytes() == WHOLE
    status, told = await call.post("/api/pulls", body)
    assert (status, told["error"]["type"]) == (400, "already_there")


async def test_a_pull_is_stopped_and_gone_on_with(call: Caller, service: Service, site: Site):
    site.open.clear()
    body = {"folder": "vae", "name": "v.safetensors", "url": site.url + PATH}
    _, begun = await call.post("/api/pulls", body)
    _, again = await call.post("/api/pulls", body)
    assert again["id"] == begun["id"]
    async with call.session.delete(f"{call.url}/api/pulls/{begun['id']}") as answer:
        assert answer.status == 204
    assert (await over(call, begun["id"]))["state"] == "cancelled"
    _, begun = await call.post("/api/pulls", body)
    assert begun["state"] == "running"
    site.open.set()
    assert (await over(call, begun["id"]))["state"] == "done"
    assert (service.home / "models" / "vae" / "v.safetensors").read_bytes() == WHOLE


async def test_a_page_instead_of_a_model_is_told_of(call: Caller, service: Service, site: Site):
    url = f"{site.url}/page.safetensors"
    _, begun = await call.post("/api/pulls", {"folder": "vae", "name": "p.sft", "url": url})
    pull = await over(call, begun["id"])
    assert pull["state"] == "failed"
    assert "sends something that is no .sft file" in pull["error"]
    assert not (service.home / "models" / "vae" / "p.sft").exists()


async def test_what_the_catalogue_knows_is_offered(call: Caller):
    _, told = await call.get("/api/pulls")
    offers = {(one["folder"], one["name"]): one for one in told["offers"]}
    offer = offers["kokoro", "kokoro-v1.0.int8.onnx"]
    assert (offer["licence"], offer["size"]) == ("Apache-2.0", 92_361_271)


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"url": None}, 400, "url is missing"),
        ({"url": "file:///etc/passwd"}, 400, "must begin with https://"),
        ({"url": 5}, 400, "must be a string"),
        ({"name": "x.ckpt"}, 400, "only .safetensors, .sft, .onnx"),
        ({"name": "x.safetensors.pt"}, 400, "only .safetensors, .sft, .onnx"),
        ({"name": ""}, 400, "name of a file"),
        ({"name": "../x.safetensors"}, 400, "name of a file"),
        ({"name": "sub/.x.safetensors"}, 400, "name of a file"),
        ({"name": "/etc/x.safetensors"}, 403, "leads out"),
        ({"folder": "custom_nodes"}, 400, "folder must be"),
        ({"folder": "../input"}, 400, "folder must be"),
        ({"folder": None}, 400, "folder must be"),
        ({"sha256": "abc"}, 400, "64 hexadecimal"),
    ],
)
async def test_other_files_and_places_are_refused(
    call: Caller, site: Site, change: dict[str, Any], status: int, word: str
):
    body = {"folder": "loras", "name": "x.safetensors", "url": site.url + PATH} | change
    answered, told = await call.post("/api/pulls", body)
    assert answered == status, told
    assert word in told["error"]["message"]
    assert site.asked == []


async def test_an_unknown_pull_cannot_be_stopped(call: Caller):
    async with call.session.delete(f"{call.url}/api/pulls/nope") as answer:
        assert answer.status == 404
