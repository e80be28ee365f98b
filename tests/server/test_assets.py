"""/api/assets and /tags: files by name, tag and content."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ServerFactory, Service
from tests.server.conftest import Caller, node
from tests.server.test_any_json import VALUES, answer


def hash_of(data: bytes) -> str:
    return f"blake3:{blake3(data).hexdigest()}"


def unique() -> bytes:
    return uuid.uuid4().bytes


async def put(call: Caller, data: bytes, name: str = "a.png", **fields: str) -> tuple[int, Any]:
    """Upload an asset."""
    form = aiohttp.FormData()
    for field, value in fields.items():
        form.add_field(field, value)
    form.add_field("file", data, filename=name)
    async with call.session.post(call.url + "/api/assets", data=form) as got:
        return got.status, await got.json()


async def send(call: Caller, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body)
    async with call.session.request(method, call.url + path, data=data) as got:
        text = await got.text()
        return got.status, json.loads(text) if text else None


async def names(call: Caller, query: str = "") -> list[str]:
    status, page = await call.get(f"/api/assets?{query}")
    assert status == 200, page
    return [asset["name"] for asset in page["assets"]]


async def test_an_uploaded_file_is_an_asset(call: Caller, service: Service):
    data, name = unique(), f"{uuid.uuid4()}.png"
    status, made = await put(call, data, name, tags="input,portrait", user_metadata='{"by": "me"}')
    assert status == 201
    assert made.pop("created_new") is True
    assert made["asset_hash"] == hash_of(data)
    assert {key: made[key] for key in ("name", "size", "mime_type", "tags", "user_metadata")} == {
        "name": name,
        "size": 16,
        "mime_type": "image/png",
        "tags": ["input", "portrait"],
        "user_metadata": {"by": "me"},
    }
    assert (service.home / "input" / name).read_bytes() == data
    assert await call.get(f"/api/assets/{made['id']}") == (200, made)
    async with call.session.get(f"{call.url}/api/assets/{made['id']}/content") as got:
        assert await got.read() == data
        assert got.headers["Content-Disposition"].startswith("inline")
    address = f"{call.url}/api/assets/{made['id']}/content?disposition=attachment"
    async with call.session.get(address) as got:
        assert got.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    async with call.session.head(f"{call.url}/api/assets/hash/{hash_of(data)}") as got:
        assert got.status == 200
    async with call.session.head(f"{call.url}/api/assets/hash/{hash_of(b'none')}") as got:
        assert got.status == 404
    async with call.session.head(f"{call.url}/api/assets/hash/sha256:00") as got:
        assert got.status == 400
    async with call.session.get(f"{call.url}/view?filename={hash_of(data)}") as got:
        assert (got.status, await got.read()) == (200, data)
    assert (await call.get(f"/view?filename={hash_of(b'none')}"))[0] == 404


async def test_the_same_bytes_are_known_again_and_others_get_a_number(call: Caller):
    data, name = unique(), f"{uuid.uuid4()}.png"
    _, first = await put(call, data, name)
    status, second = await put(call, data, name, tags="more")
    assert (status, second["id"], second["created_new"]) == (200, first["id"], False)
    assert second["tags"] == ["input", "more"]
    status, third = await put(call, unique(), name)
    assert status == 201
    assert third["id"] != first["id"]
    assert third["name"] == name.replace(".png", " (1).png")
    _, plain = await call.get(f"/view?filename={first['asset_hash']}")
    assert plain


async def test_models_go_to_the_folder_of_their_kind(call: Caller, service: Service):
    name = f"{uuid.uuid4()}.safetensors"
    status, made = await put(call, unique(), name, tags='["models", "loras"]')
    assert (status, made["tags"]) == (201, ["loras", "models"])
    assert (service.home / "models" / "loras" / name).is_file()
    assert name in (await call.get("/models/loras"))[1]
    status, refused = await send(call, "DELETE", f"/api/assets/{made['id']}?delete_content=true")
    assert (status, refused["error"]["code"]) == (403, "FORBIDDEN")
    for wrong, fields in (
        (name, {"tags": "models"}),
        (name, {"tags": "models,nonsense"}),
        ("x.exe", {"tags": "models,loras"}),
        (name, {"tags": "input,output"}),
    ):
        status, refused = await put(call, unique(), wrong, **fields)
        assert (status, refused["error"]["code"]) == (400, "INVALID_BODY"), fields


async def test_what_lies_in_the_folders_is_listed_without_being_told(
    call: Caller, service: Service
):
    word = uuid.uuid4().hex
    (service.home / "models" / "vae" / f"{word}.pt").write_bytes(b"vae")
    prompt = {"1": node("Number"), "2": node("Show", value=["1", 0])}
    prompt["3"] = {"class_type": "Save", "inputs": {"text": word, "filename_prefix": f"o/{word}"}}
    async with call.ear("me") as ear:
        await ear.over(await call.submit(prompt, client_id="me"))
    assert sorted(await names(call, f"name_contains={word}")) == [
        f"{word}.pt",
        f"{word}_00001_.txt",
    ]
    assert await names(call, f"name_contains={word}&tags_all=output") == [f"{word}_00001_.txt"]
    assert await names(call, f"name_contains={word}&tags_all=models,vae") == [f"{word}.pt"]
    assert await names(call, f"name_contains={word}&include_tags=models&exclude_tags=vae") == []
    assert len(await names(call, f"name_contains={word.upper()}&tags_any=output,vae")) == 2
    for query in (f"name_contains={word}&tags_all=output", f"name_contains={word}.pt"):
        (found,) = (await call.get(f"/api/assets?{query}"))[1]["assets"]
        assert (await call.get(found["preview_url"]))[0] == 200
    assert "asset_hash" not in found
    assert (await call.get(f"/api/assets/{found['id']}"))[1]["asset_hash"] == hash_of(b"vae")
    (service.home / "models" / "vae" / f"{word}.pt").unlink()
    assert await names(call, f"name_contains={word}.pt") == []
    status, _ = await call.get(f"/api/assets/{found['id']}")
    assert status == 404


async def test_pages_follow_each_other_in_every_order(call: Caller):
    word = uuid.uuid4().hex
    for number in range(5):
        await put(call, unique() * (number + 1), f"{word}-{number}.png")
    wanted = [f"{word}-{number}.png" for number in range(5)]
    for sort in ("name", "size", "created_at", "updated_at", "last_access_time"):
        found: list[str] = []
        query = f"name_contains={word}&sort={sort}&order=asc&limit=2"
        _, page = await call.get(f"/api/assets?{query}")
        while True:
            assert page["total"] == 5
            found += [asset["name"] for asset in page["assets"]]
            if not page["has_more"]:
                break
            _, page = await call.get(f"/api/assets?{query}&after={page['next_cursor']}")
        assert found == wanted, sort
        assert "next_cursor" not in page
    query = f"name_contains={word}&sort=name&order=desc&limit=2&offset=3"
    assert await names(call, query) == wanted[1::-1]


async def test_an_asset_is_described_tagged_and_deleted(call: Caller, service: Service):
    name = f"{uuid.uuid4()}.png"
    _, made = await put(call, unique(), name)
    place = f"/api/assets/{made['id']}"
    new = {"name": "my picture", "user_metadata": {"a": 1}, "preview_id": made["id"]}
    status, changed = await send(call, "PUT", place, new)
    assert status == 200
    assert {key: changed[key] for key in new} == new
    status, told = await send(call, "POST", f"{place}/tags", {"tags": ["one", "two", "input"]})
    assert (status, told["added"], told["already_present"]) == (200, ["one", "two"], ["input"])
    assert told["total_tags"] == ["input", "one", "two"]
    _, told = await send(call, "DELETE", f"{place}/tags", {"tags": ["one", "none"]})
    assert told == {"removed": ["one"], "not_present": ["none"], "total_tags": ["input", "two"]}
    for method, tag in (("POST", "output"), ("DELETE", "input")):
        status, told = await send(call, method, f"{place}/tags", {"tags": [tag]})
        assert (status, told["error"]["code"]) == (403, "SYSTEM_TAG_FORBIDDEN")

    _, tags = await call.get("/api/tags?prefix=tw")
    assert tags == {
        "tags": [{"name": "two", "count": 1, "type": "user"}],
        "total": 1,
        "has_more": False,
    }
    _, all_tags = await call.get("/api/tags?order=name_asc&limit=1")
    assert (all_tags["has_more"], len(all_tags["tags"])) == (True, 1)
    _, counts = await call.get("/api/assets/tags/refine?tags_all=two")
    assert counts == {"tag_counts": {"input": 1, "two": 1}}

    assert await send(call, "DELETE", place) == (204, None)
    assert (await call.get(place))[0] == 404
    assert (service.home / "input" / name).is_file(), "only the file's owner removes it"
    assert await names(call, "name_contains=my picture") == []
    status, again = await put(call, (service.home / "input" / name).read_bytes(), name)
    assert status == 201
    assert (await send(call, "DELETE", f"/api/assets/{again['id']}?delete_content=true"))[0] == 204
    assert not (service.home / "input" / name).exists()


async def test_a_content_that_is_here_needs_no_upload(call: Caller, service: Service):
    data, name = unique(), f"{uuid.uuid4()}.png"
    _, made = await put(call, data, name)
    body = {"hash": hash_of(data), "name": "second", "tags": ["x"], "user_metadata": {"b": 2}}
    status, copy = await call.post("/api/assets/from-hash", body)
    assert (status, copy["created_new"], copy["tags"]) == (201, False, ["input", "x"])
    assert copy["id"] != made["id"]
    assert (copy["name"], copy["user_metadata"]) == ("second", {"b": 2})
    async with call.session.get(f"{call.url}/api/assets/{copy['id']}/content") as got:
        assert await got.read() == data
    assert (await send(call, "DELETE", f"/api/assets/{made['id']}?delete_content=true"))[0] == 204
    assert (service.home / "input" / name).is_file(), "the other asset still has it"
    body["hash"] = hash_of(b"nobody has this")
    status, refused = await call.post("/api/assets/from-hash", body)
    assert (status, refused["error"]["code"]) == (404, "ASSET_NOT_FOUND")
    status, refused = await put(call, data, name, hash=hash_of(b"other"))
    assert (status, refused["error"]["code"]) == (400, "HASH_MISMATCH")


async def test_a_survey_reads_what_files_contain(
    server: ServerFactory, call: Caller, tmp_path: Path
):
    service = server(home=tmp_path / "home")
    call.url = service.url
    (service.home / "output" / "seen.png").write_bytes(b"seen")
    (service.home / "input" / "twin.png").write_bytes(b"seen")
    status, told = await call.post("/api/assets/seed?wait=true", "")
    assert (status, told["status"], told["state"]) == (200, "completed", "IDLE")
    assert (told["progress"]["created"], told["progress"]["hashed"]) == (2, 2)
    async with call.session.head(f"{call.url}/api/assets/hash/{hash_of(b'seen')}") as got:
        assert got.status == 200
    status, told = await call.post("/api/assets/seed", "")
    assert (status, told) == (202, {"status": "started"})
    _, told = await call.get("/api/assets/seed/status")
    assert told["errors"] == []
    assert (await call.post("/api/assets/seed/cancel", ""))[1]["status"] in ("cancelled", "idle")
    (service.home / "output" / "seen.png").unlink()
    assert (await call.post("/api/assets/prune", ""))[1]["status"] == "completed"
    assert await names(call) == ["twin.png"]
    service.stop()
    (service.home / "input" / "twin.png").write_bytes(b"changed")
    call.url = server(home=service.home).url
    _, page = await call.get("/api/assets")
    assert [(asset["size"], asset.get("asset_hash")) for asset in page["assets"]] == [(7, None)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "INVALID_QUERY"),
        ("limit=501", "INVALID_QUERY"),
        ("limit=ten", "INVALID_QUERY"),
        ("offset=-1", "INVALID_QUERY"),
        ("sort=colour", "INVALID_QUERY"),
        ("order=up", "INVALID_QUERY"),
        ("after=x", "INVALID_CURSOR"),
        ("after=WyJzaXplIiwgImRlc2MiLCA1LCAxXQ", "INVALID_CURSOR"),
        ("after=x&offset=1", "INVALID_QUERY"),
        ("tags_all=a,b&tags_none=b", "INVALID_TAG_FILTER"),
        ("include_tags=a&exclude_tags=a", "INVALID_TAG_FILTER"),
        ("tags_all=" + ",".join(map(str, range(101))), "INVALID_TAG_FILTER"),
    ],
)
async def test_bad_queries_are_named(call: Caller, query: str, code: str):
    status, refused = await call.get(f"/api/assets?{query}")
    assert status == 400
    assert set(refused) == {"error"}
    assert set(refused["error"]) == {"code", "message", "details"}
    assert refused["error"]["code"] == code


async def test_what_is_not_there_is_named(call: Caller):
    id = str(uuid.uuid4())
    for method, path in (
        ("GET", f"/api/assets/{id}"),
        ("GET", "/api/assets/nonsense"),
        ("PUT", f"/api/assets/{id}"),
        ("DELETE", f"/api/assets/{id}"),
        ("GET", f"/api/assets/{id}/content"),
        ("POST", f"/api/assets/{id}/tags"),
        ("DELETE", f"/api/assets/{id}/tags"),
    ):
        status, refused = await send(call, method, path, {"tags": ["x"]})
        assert (status, refused["error"]["code"]) == (404, "ASSET_NOT_FOUND"), path
    _, made = await put(call, unique(), f"{id}.png")
    place = f"/api/assets/{made['id']}"
    cases: tuple[tuple[str, str, Any, str], ...] = (
        ("PUT", place, {"mime_type": "x/y"}, "UNSUPPORTED_PARAM"),
        ("PUT", place, {"name": 5}, "INVALID_BODY"),
        ("PUT", place, {"preview_id": id}, "ASSET_NOT_FOUND"),
        ("PUT", place, {"user_metadata": []}, "INVALID_BODY"),
        ("PUT", place, [], "INVALID_JSON"),
        ("POST", f"{place}/tags", {"tags": []}, "INVALID_BODY"),
        ("POST", f"{place}/tags", {"tags": ["a,b"]}, "INVALID_BODY"),
        ("POST", f"{place}/tags", {}, "INVALID_BODY"),
        ("POST", "/api/assets/from-hash", {"name": "x"}, "INVALID_HASH"),
        ("POST", "/api/assets", {}, "INVALID_BODY"),
        ("GET", f"{place}/content?disposition=x", None, "INVALID_QUERY"),
    )
    for method, path, body, code in cases:
        status, refused = await send(call, method, path, body)
        assert refused["error"]["code"] == code, (path, refused)
        assert status in (400, 404)
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("tags", "x")
    async with call.session.post(call.url + "/api/assets", data=form) as got:
        assert (got.status, (await got.json())["error"]["code"]) == (400, "MISSING_INPUT")


@settings(max_examples=120, deadline=None)
@given(
    path=st.sampled_from(["/api/assets/from-hash", "/api/assets/x/tags", "/api/assets?wait=1"]),
    body=st.dictionaries(st.sampled_from(["hash", "name", "tags", "user_metadata"]), VALUES)
    | VALUES,
)
def test_any_body_is_answered(service: Service, path: str, body: Any):
    status, data = answer(service.url + path, json.dumps(body).encode())
    assert status in (400, 404)
    assert json.loads(data)["error"]["code"]
