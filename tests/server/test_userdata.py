"""/users, /settings, /userdata: kept whole, shown harmlessly, and only inside the user's folder."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from tests import patience
from tests.conftest import ServerFactory, Service
from tests.server.conftest import Caller

BASES = ("", "/api")
ESCAPES = ["..", "../x", "a/../../x", "/etc/passwd", "a\0b", "x" * 300, "link.txt", "out/x.txt"]


def quoted(name: str) -> str:
    return urllib.parse.quote(name.encode(errors="surrogatepass"), safe="")


def kept(service: Service) -> Path:
    folder = service.home / "user" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def ask(call: Caller, method: str, path: str, data: Any = None) -> tuple[int, Any]:
    address = URL(call.url + path, encoded=True)
    async with call.session.request(method, address, data=data) as got:
        body = await got.read()
        return got.status, json.loads(body) if body else None


@pytest.mark.parametrize("base", BASES)
async def test_there_is_one_user(call: Caller, service: Service, base: str):
    kept(service)
    assert await call.get(f"{base}/users") == (200, {"storage": "server", "migrated": True})
    status, told = await call.post(f"{base}/users", {"username": "another"})
    assert (status, told["error"]["type"]) == (400, "single_user")


async def test_a_fresh_home_has_nothing_of_the_user(server: ServerFactory, call: Caller):
    call.url = server().url
    assert await call.get("/users") == (200, {"storage": "server", "migrated": False})
    assert await call.get("/settings") == (200, {})
    assert await call.get("/v2/userdata") == (200, [])
    assert (await call.get("/userdata?dir=workflows"))[0] == 404


@pytest.mark.parametrize("base", BASES)
async def test_settings_are_merged(call: Caller, service: Service, base: str):
    (kept(service) / "comfy.settings.json").unlink(missing_ok=True)
    assert await call.post(f"{base}/settings", {"a": 1, "b": {"deep": [None]}}) == (200, "")
    assert await call.post(f"{base}/settings/Comfy.Dark%20Mode", "true") == (200, "")
    assert await call.post(f"{base}/settings/a", '"two"') == (200, "")
    expected = {"a": "two", "b": {"deep": [None]}, "Comfy.Dark Mode": True}
    assert await call.get(f"{base}/settings") == (200, expected)
    assert await call.get(f"{base}/settings/b") == (200, {"deep": [None]})
    assert await call.get(f"{base}/settings/absent") == (200, None)


async def test_settings_changed_at_once_are_all_kept(call: Caller):
    await asyncio.gather(*(call.post(f"/settings/at.once.{i}", str(i)) for i in range(40)))
    _, found = await call.get("/settings")
    assert {found[f"at.once.{i}"] for i in range(40)} == set(range(40))


async def large(call: Caller, path: str) -> int:
    body = io.BytesIO(json.dumps("x" * 5 * 2**20).encode())
    return (await ask(call, "POST", path, body))[0]


async def test_bad_settings_are_refused_and_change_nothing(call: Caller, service: Service):
    await call.post("/settings", {"x": 1})
    for body in ("[1]", "{bad", "", '"text"'):
        assert (await call.post("/settings", body))[1]["error"]["type"] == "invalid_json"
    assert (await call.post("/settings/x", "{bad"))[0] == 400
    assert await large(call, "/settings/x") == 413
    assert (await call.get("/settings/x")) == (200, 1)
    file = kept(service) / "comfy.settings.json"
    good = file.read_bytes()
    file.write_text("[damaged")
    status, told = await call.get("/settings")
    assert status == 503
    assert "user/default/comfy.settings.json" in told["error"]["message"]
    assert str(service.home) not in told["error"]["message"]
    file.write_bytes(good)


@pytest.mark.parametrize("base", BASES)
async def test_a_file_is_kept_listed_moved_and_forgotten(call: Caller, service: Service, base: str):
    shutil.rmtree(kept(service) / "workflows", ignore_errors=True)
    name = quoted("workflows/my flow ä.json")
    assert await ask(call, "POST", f"{base}/userdata/{name}?overwrite=false", b'{"a": 1}') == (
        200,
        "workflows/my flow ä.json",
    )
    status, told = await ask(call, "POST", f"{base}/userdata/{name}?overwrite=false", b"other")
    assert (status, told["error"]["type"]) == (409, "taken")
    assert await ask(call, "GET", f"{base}/userdata/{name}") == (200, {"a": 1})
    status, info = await ask(call, "POST", f"{base}/userdata/{name}?full_info=true", b"[22]")
    assert (status, info["path"], info["size"]) == (200, "workflows/my flow ä.json", 4)
    assert info["modified"] > 10**12

    index, hidden = quoted("workflows/deep/index.json"), quoted("workflows/.index.json")
    for path in (index, hidden, quoted("workflows/.hidden/a.json")):
        assert (await ask(call, "POST", f"{base}/userdata/{path}", b"{}"))[0] == 200
    listing = f"{base}/userdata?dir=workflows"
    assert await call.get(listing) == (200, ["my flow ä.json"])
    assert await call.get(listing + "&recurse=true") == (
        200,
        ["deep/index.json", "my flow ä.json"],
    )
    assert (await call.get(listing + "&recurse=true&split=true"))[1][0] == [
        "deep/index.json",
        "deep",
        "index.json",
    ]
    _, (info,) = await call.get(listing + "&full_info=true")
    assert set(info) == {"path", "size", "modified", "created"}
    _, entries = await call.get(f"{base}/v2/userdata?path=workflows")
    shown = [entry for entry in entries if not entry["name"].startswith(".")]
    assert [(entry["name"], entry["path"], entry["type"]) for entry in shown] == [
        ("deep", "workflows/deep", "directory"),
        ("my flow ä.json", "workflows/my flow ä.json", "file"),
    ]
    assert "size" not in shown[0]
    assert shown[1]["size"] == 4

    target = quoted("workflows/other/b.json")
    move = f"{base}/userdata/{name}/move/{target}"
    assert await ask(call, "POST", move) == (200, "workflows/other/b.json")
    assert (await ask(call, "POST", move))[0] == 404
    back = f"{base}/userdata/{target}/move/{index}"
    assert (await ask(call, "POST", back + "?overwrite=false"))[0] == 409
    assert (await ask(call, "GET", f"{base}/userdata/{target}"))[0] == 200
    assert (await ask(call, "POST", back + "?full_info=true"))[1]["size"] == 4
    assert (await ask(call, "DELETE", f"{base}/userdata/{index}")) == (204, None)
    assert (await ask(call, "DELETE", f"{base}/userdata/{index}"))[0] == 404
    assert not [path for path in kept(service).rglob("*") if path.suffix == ".part"]


async def test_many_that_want_one_name_for_the_first_time_get_it_once(call: Caller):
    sent = [ask(call, "POST", "/userdata/race.txt?overwrite=false", b"x" * i) for i in range(20)]
    answered = [status for status, _ in await asyncio.gather(*sent)]
    assert sorted(answered) == [200] + [409] * 19


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.json", "application/json"),
        ("a.txt", "text/plain"),
        ("a.png", "image/png"),
        ("a.html", None),
        ("a.svg", None),
        ("a.js", None),
        ("a.css", None),
        ("a.xml", None),
        ("a.xhtml", None),
        ("a", None),
    ],
)
async def test_nothing_is_shown_that_a_browser_would_run(
    call: Caller, name: str, shown: str | None
):
    data = b"<html><script>1</script>"
    await ask(call, "POST", f"/userdata/{name}", data)
    async with call.session.get(f"{call.url}/userdata/{name}") as got:
        assert await got.read() == data
        assert got.content_type == (shown or "application/octet-stream")
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        place = got.headers["Content-Disposition"].partition(";")[0]
        assert place == ("inline" if shown else "attachment")


@pytest.mark.parametrize("name", ESCAPES)
async def test_no_name_leads_out(call: Caller, service: Service, name: str):
    folder = kept(service)
    (service.home / "x").write_text("secret")
    for link, target in (("link.txt", service.home / "x"), ("out", service.home)):
        if not (folder / link).is_symlink():
            (folder / link).symlink_to(target)
    before = sorted(service.home.rglob("*"))
    file = quoted(name)
    asked = [
        await ask(call, "GET", f"/userdata/{file}"),
        await ask(call, "POST", f"/userdata/{file}", b"x"),
        await ask(call, "DELETE", f"/userdata/{file}"),
        await ask(call, "GET", f"/userdata?dir={file}"),
        await ask(call, "GET", f"/v2/userdata?path={file}"),
        await ask(call, "POST", f"/userdata/{file}/move/a.txt"),
    ]
    await ask(call, "POST", "/userdata/here.txt", b"x")
    asked.append(await ask(call, "POST", f"/userdata/here.txt/move/{file}"))
    await ask(call, "DELETE", "/userdata/here.txt")
    for status, told in asked:
        assert status == 403, told
        assert told["error"]["message"]
        assert str(service.home) not in json.dumps(told)
    (service.home / "x").unlink()
    assert sorted(service.home.rglob("*")) == [path for path in before if path.name != "x"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/userdata", 400),
        ("GET", "/userdata?dir=", 400),
        ("GET", "/userdata?dir=none", 404),
        ("GET", "/v2/userdata?path=none", 404),
        ("GET", "/userdata/none.json", 404),
        ("POST", "/userdata/%2e", 403),
        ("POST", "/userdata/folder", 403),
        ("POST", "/userdata/folder%2Ffile%2Fbelow", 403),
        ("POST", "/userdata/.0123456789abcdef0123456789abcdef.part", 403),
        ("DELETE", "/userdata/folder", 404),
        ("POST", "/userdata/none/move/x", 404),
        ("POST", "/userdata/folder%2Ffile/move/folder", 403),
    ],
)
async def test_what_cannot_be_is_refused(
    call: Caller, service: Service, method: str, path: str, status: int
):
    folder = kept(service) / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "file").touch()
    answered, told = await ask(call, method, path)
    assert answered == status, told
    assert told["error"]["message"]
    assert (folder / "file").is_file()


async def test_a_body_over_the_limit_is_refused(server: ServerFactory, call: Caller):
    service = server("--max-upload-size", "1")
    call.url = service.url
    status, told = await ask(call, "POST", "/userdata/big", io.BytesIO(b"x" * (2**20 + 1)))
    assert (status, told["error"]["type"]) == (413, "request_entity_too_large")
    assert not (service.home / "user" / "default" / "big").exists()


NAMES = st.text(max_size=30) | st.lists(
    st.sampled_from(["..", ".", "a", "b.json", "", "~", "folder", "link.txt", "\\", "C:"]),
    max_size=6,
).map("/".join)


def answered(method: str, url: str, data: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=patience.SECONDS) as got:
            return got.status, got.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@settings(max_examples=150, deadline=None)
@given(name=NAMES, other=NAMES)
def test_any_name_is_kept_or_refused(service: Service, name: str, other: str):
    outside = {path: path.stat().st_mtime_ns for path in service.home.iterdir() if path.is_dir()}
    base = f"{service.url}/userdata/{quoted(name)}"
    status, data = answered("POST", base, name.encode(errors="replace"))
    assert status in (200, 400, 403, 404, 405), data
    if status == 200:
        assert answered("GET", base) == (200, name.encode(errors="replace"))
        moved, data = answered("POST", f"{base}/move/{quoted(other)}")
        assert moved in (200, 400, 403, 404), data
        assert answered("DELETE", base)[0] in (204, 404)
        if moved == 200:
            answered("DELETE", f"{service.url}/userdata/{quoted(other)}")
    for query in (f"userdata?dir={quoted(name)}", f"v2/userdata?path={quoted(name)}"):
        status, data = answered("GET", f"{service.url}/{query}")
        assert status in (200, 400, 403, 404), data
    assert {path: path.stat().st_mtime_ns for path in outside} == outside
