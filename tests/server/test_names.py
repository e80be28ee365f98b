"""Names over HTTP: what an upload or a job answered is fetched again by what it answered."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from tests.conftest import Service, start_service
from tests.server.conftest import Caller
from tests.server.test_any_json import answer
from tests.server.test_files import form, png, upload
from tests.store.test_names import NAMES, PIECES


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    started = start_service(tmp_path_factory.mktemp("home"))
    yield started
    started.stop()


@pytest.fixture
async def call(service: Service) -> AsyncGenerator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(service, session)


def posted(service: Service, name: str, data: bytes, **fields: str) -> tuple[int, dict[str, Any]]:
    """An upload as browsers send it: quotes and line ends of names are written as %XX."""
    quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    parts = [(f'image"; filename="{quoted}', data)]
    parts += [(field, value.encode(errors="replace")) for field, value in fields.items()]
    begin = b'--x\r\nContent-Disposition: form-data; name="'
    body = b"".join(
        begin + head.encode(errors="replace") + b'"\r\n\r\n' + value + b"\r\n"
        for head, value in parts
    )
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    asked = urllib.request.Request(f"{service.url}/upload/image", body + b"--x--\r\n", kind)
    try:
        with urllib.request.urlopen(asked, timeout=90) as got:
            return got.status, json.loads(got.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def seen(service: Service, told: dict[str, Any], name: str) -> tuple[int, bytes]:
    """GET /view of what was told."""
    query = {"filename": told[name], "subfolder": told["subfolder"], "type": told["type"]}
    return answer(f"{service.url}/view?{urllib.parse.urlencode(query)}")


@settings(max_examples=100)
@given(name=PIECES | st.text(max_size=30), subfolder=st.just("") | NAMES, data=st.binary())
def test_whatever_an_upload_takes_is_seen_again(
    service: Service, name: str, subfolder: str, data: bytes
):
    status, told = posted(service, name, data, subfolder=subfolder)
    assert status in (200, 400), told
    if status == 200:
        assert seen(service, told, "name") == (200, data)
    else:
        assert told["error"]["message"]


@pytest.mark.parametrize(
    "name",
    [
        *("photo..jpg", "x...png", "a b.png", "50% off.png", "#1.png", "q?.png", "a&b=c.png"),
        *("C: drive.png", "ends with a dot.", "blank .png", "e\u0301.png", "é.png", "世界.png"),
        *("Screenshot at 1.23.45\u202fPM.png", "x\xa0y.png", "[input].png", "~.png", "blake3:1"),
    ],
)
def test_a_name_that_people_give_is_kept_and_seen(service: Service, name: str):
    status, told = posted(service, name, name.encode())
    assert (status, told.get("name")) == (200, name)
    assert seen(service, told, "name") == (200, name.encode())
    status, listed = answer(f"{service.url}/internal/files/input")
    assert status == 200
    assert name in json.loads(listed) or not name.isprintable()


@pytest.mark.parametrize("name", ["x [output]", "x.png [input]", "blake3:" + "0" * 64])
def test_a_name_that_would_mean_another_file_is_refused(service: Service, name: str):
    status, told = posted(service, name, b"x")
    assert status == 400
    assert "another file" in told["error"]["message"]


HOSTILE = (
    *("../soundstage.db", "..\\soundstage.db", "x/../../soundstage.db", "/etc/passwd", ".."),
    *("..%2fsoundstage.db", "....//soundstage.db", "..././soundstage.db", "\\..\\soundstage.db"),
    *("../soundstage.db [input]", "..\\..\\etc\\passwd", "input/../../soundstage.db", "a\0/../.."),
)


async def test_nothing_outside_is_read_or_written(call: Caller, service: Service):
    def outside() -> set[Path]:
        files = {path for path in service.home.rglob("*") if path.is_file()}
        inner = ("input", "user")
        return {p for p in files if p.relative_to(service.home).parts[0] not in inner}

    async def status(path: str) -> int:
        async with call.session.get(URL(call.url + path, encoded=True)) as got:
            return got.status

    (service.home / "input" / "x").mkdir(exist_ok=True)
    before = outside()
    for word in HOSTILE:
        quoted = urllib.parse.quote(word, safe="").replace(".", "%2E")
        for path in (
            *(f"/view?filename={quoted}&type={kind}" for kind in ("input", "output", "temp")),
            f"/view?filename=soundstage.db&subfolder={quoted}%2F..",
            f"/view_metadata/loras?filename={quoted}",
            f"/experiment/models/preview/loras/0/{quoted}",
            f"/userdata/{quoted}",
            f"/userdata?dir={quoted}",
        ):
            assert await status(path) in (400, 403, 404), path
        told = await upload(call, form("x.png", b"x", subfolder=word + "/y"))
        assert told[0] in (200, 400), word
        async with call.session.post(
            URL(f"{call.url}/userdata/{quoted}", encoded=True), data=b"{}"
        ) as got:
            assert got.status in (200, 403), word
    assert {path for path in outside() - before if "soundstage.db" not in path.name} == set()


async def test_what_a_job_saves_under_a_name_with_dots_is_seen_everywhere(call: Caller):
    color = uuid.uuid4().int % 2**24
    inputs = {"width": 8, "height": 8, "batch_size": 1, "color": color}
    save = {"images": ["1", 0], "filename_prefix": "dots../x..y"}
    prompt = {
        "1": {"class_type": "EmptyImage", "inputs": inputs},
        "2": {"class_type": "SaveImage", "inputs": save},
    }
    async with call.ear("dots") as ear:
        await ear.over(id := await call.submit(prompt, client_id="dots"))
    _, history = await call.get(f"/history/{id}")
    (file,) = history[id]["outputs"]["2"]["images"]
    assert (file["subfolder"], file["filename"]) == ("dots..", "x..y_00001_.png")
    query = urllib.parse.urlencode(file)
    assert (await call.get(f"/view?{query}"))[0] == 200
    assert (await call.get(f"/view?{query}&preview=webp;80&size=4"))[0] == 200
    _, told = await call.get("/api/gallery?query=x..y")
    assert told["files"][0]["file"] == file
    assert (await call.get("/view?filename=dots../x..y_00001_.png [output]"))[0] == 200
    masked = form("mask..png", png((8, 8)), original_ref=json.dumps(file))
    async with call.session.post(call.url + "/upload/mask", data=masked) as got:
        assert (got.status, (await got.json())["name"]) == (200, "mask..png")
    load = {"class_type": "LoadImage", "inputs": {"image": "mask..png"}}
    prompt = {"1": load, "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
    async with call.ear("dots") as ear:
        await ear.over(id := await call.submit(prompt, client_id="dots"))
    _, history = await call.get(f"/history/{id}")
    assert history[id]["status"]["status_str"] == "success"


async def test_user_files_and_assets_may_have_dots_in_their_names(call: Caller):
    name = urllib.parse.quote("workflows/a..b.json", safe="")
    assert (await call.post(f"/userdata/{name}", b'{"a": 1}'))[0] == 200
    assert await call.get(f"/userdata/{name}") == (200, {"a": 1})
    made = aiohttp.FormData(quote_fields=False)
    made.add_field("file", b"dots", filename="asset..png")
    made.add_field("tags", "input,deep")
    async with call.session.post(call.url + "/api/assets", data=made) as got:
        assert got.status == 201
        id = (await got.json())["id"]
    assert await call.get(f"/api/assets/{id}/content") == (200, "dots")
    assert (await call.get("/view?filename=asset..png&type=input"))[0] == 200


def test_backslashes_part_subfolders_as_slashes_do(service: Service):
    status, told = posted(service, "x.png", b"deep", subfolder="one\\two")
    assert (status, told["subfolder"]) == (200, "one/two")
    for subfolder in ("one/two", "one\\two", "one\\two\\", "one/two/", "ONE/two"):
        found = seen(service, {**told, "subfolder": subfolder}, "name")
        assert found == (200, b"deep"), subfolder


def test_one_name_many_times(service: Service):
    for _ in range(20):
        assert posted(service, "same.bin", b"same")[1]["name"] == "same.bin"
    names = [posted(service, "many.bin", b"%d" % number)[1]["name"] for number in range(60)]
    assert names == ["many.bin", *(f"many ({number}).bin" for number in range(1, 60))]
    for number in (0, 7, 59):
        assert posted(service, "many.bin", b"%d" % number)[1]["name"] == names[number]
    _, told = posted(service, "many.bin", b"new", overwrite="true")
    assert told["name"] == "many.bin"
    assert seen(service, told, "name") == (200, b"new")


def test_one_name_by_many_at_the_same_time(service: Service):
    def name(data: bytes) -> str:
        return posted(service, "crowd.bin", data)[1]["name"]

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(name, [b"same"] * 20)) == {"crowd.bin"}
        names = set(pool.map(name, (b"%d" % number for number in range(40))))
    assert names == {f"crowd ({number}).bin" for number in range(1, 41)}
