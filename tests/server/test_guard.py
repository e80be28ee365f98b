"""Pages of other web sites cannot drive the service."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from engine.server.app import ASSET_ROUTES, ROUTES
from engine.server.middleware import guard
from tests.conftest import ServerFactory
from tests.server.conftest import Caller

READING = {
    *("/", "/icon.svg", "/editor/{name}", "/prompt", "/queue", "/history", "/history/{id}"),
    *("/jobs", "/jobs/{id}", "/gallery", "/object_info", "/object_info/{id}", "/view", "/models"),
    *("/models/{folder}", "/embeddings", "/experiment/models", "/experiment/models/{folder}"),
    "/experiment/models/preview/{folder}/{path_index}/{filename:.+}",
    *("/view_metadata/{folder}", "/pulls", "/users", "/settings", "/settings/{id}", "/userdata"),
    *("/v2/userdata", "/userdata/{file}", "/extensions", "/extensions/{pack}/{path:.+}", "/i18n"),
    *("/workflow_templates", "/workflow_templates/{pack}/{name}.{kind:json|jpg}"),
    *("/global_subgraphs", "/global_subgraphs/{id}", "/node_replacements", "/internal/logs"),
    *("/internal/logs/raw", "/internal/folder_paths", "/internal/files/{kind}", "/system_stats"),
    *("/features", "/api/assets/hash/{hash}", "/api/assets/tags/refine", "/api/assets/seed/status"),
    *("/api/tags", "/unsupported_nodes"),
}
INDEXING = {"/api/assets", "/api/assets/{id}", "/api/assets/{id}/content"}
"""Bring the service's own index up to date: which files there are, what they hold, when read."""
LISTENING = {"/ws"}
SITES = ("cross-site", "same-site", "", "anything")
BODIES = (
    ("text/plain", "{}"),
    ("application/x-www-form-urlencoded", "a=b"),
    ("multipart/form-data; boundary=x", "--x--"),
    ("application/json", "{}"),
)


async def asked(call: Caller, method: str = "POST", **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with call.session.request(method, call.url + "/queue", data="{}", headers=names) as got:
        return got.status


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example:8188",
        "null",
        "http://127.0.0.1:1",
        "http://127.0.0.1.evil.example",
        "http://[bad",
        "file://",
    ],
)
async def test_another_origin_is_refused(call: Caller, origin: str):
    assert await asked(call, Origin=origin) == 403
    async with call.session.get(call.url + "/ws", headers={"Origin": origin}) as answer:
        assert answer.status == 403


async def test_the_own_origin_and_no_origin_may(call: Caller):
    assert await asked(call) == 200
    assert await asked(call, Origin=call.url) == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8188", "localhost.evil.example"])
async def test_a_name_that_was_bound_to_this_machine_is_refused(call: Caller, host: str):
    assert await asked(call, Host=host) == 403
    assert await asked(call, "GET", Host=host) == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:99", "app.localhost", "[::1]:8188"])
async def test_addresses_and_localhost_may(call: Caller, host: str):
    assert await asked(call, Host=host) == 200


async def test_a_name_and_an_origin_can_be_allowed(server: ServerFactory):
    service = server("--allow-host", "Studio", "--enable-cors-header", "https://app.example")
    async with aiohttp.ClientSession() as session:
        call = Caller(service, session)
        assert await asked(call, Host="studio:8188") == 200
        assert await asked(call, Host="other") == 403
        assert await asked(call, Origin="https://app.example") == 200
        assert await asked(call, Origin="https://evil.example") == 403
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert await asked(call, Origin="https://app.example", **cross) == 200
        assert await asked(call, Origin="https://evil.example", **cross) == 403
        assert await asked(call, **cross) == 403
        origin = {"Origin": "https://app.example"}
        async with session.options(service.url + "/prompt", headers=origin) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
            assert "POST" in answer.headers["Access-Control-Allow-Methods"]


def test_no_get_changes_anything_of_the_users():
    read = (r.path for r in (*ROUTES, *ASSET_ROUTES) if r.method in ("GET", "HEAD"))
    gets = {path.replace(":[^/]+}", "}") for path in read}
    assert gets == READING | INDEXING | LISTENING, "say of the new one what it does"


@pytest.mark.parametrize("site", SITES)
async def test_no_write_comes_from_another_site(call: Caller, site: str):
    async def refused(method: str, path: str, kind: str, body: str) -> None:
        given = {"Sec-Fetch-Site": site, "Content-Type": kind}
        asked = call.session.request(method, call.url + path, data=body, headers=given)
        async with asked as answer:
            assert answer.status == 403, (method, path, kind)
            assert "--enable-cors-header" in await answer.text()

    async with asyncio.TaskGroup() as group:
        for route in (*ROUTES, *ASSET_ROUTES):
            if route.method not in ("GET", "HEAD"):
                path = re.sub("{[^}]*}", "x", route.path)
                for kind, body in BODIES:
                    group.create_task(refused(route.method, path, kind, body))


@pytest.mark.parametrize("site", SITES)
async def test_no_socket_is_opened_from_another_site(call: Caller, site: str):
    for headers in ({"Sec-Fetch-Site": site}, {"Sec-Fetch-Site": site, "Origin": call.url}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await call.session.ws_connect(call.url + "/ws", headers=headers)
        assert refused.value.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Mode": "cors"},
        {},
    ],
)
@pytest.mark.parametrize("says_origin", [True, False])
async def test_the_own_pages_and_programs_may_write_and_listen(
    call: Caller, headers: dict[str, str], says_origin: bool
):
    given = {**headers, **({"Origin": call.url} if says_origin else {})}
    async with call.session.post(call.url + "/queue", data="{}", headers=given) as answer:
        assert answer.status == 200
    async with call.session.ws_connect(call.url + "/ws", headers=given) as socket:
        assert (await socket.receive_json())["type"] == "status"


async def test_a_link_from_another_site_opens_the_page(call: Caller):
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for path in ("/", "/features"):
        async with call.session.get(call.url + path, headers=linked) as answer:
            assert answer.status == 200
    read = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}
    async with call.session.get(call.url + "/features", headers=read) as answer:
        assert answer.status == 403


@pytest.mark.parametrize(
    "lines",
    [
        "Host: 127.0.0.1\r\nHost: 127.0.0.1",
        "Host: 127.0.0.1\r\nHost: evil.example",
        "Host: evil.example\r\nHost: localhost",
        "Host: user@localhost",
        "Host: user:secret@127.0.0.1:80",
        "Host: localhost/path",
        "Host: localhost?query",
        "Host: localhost#part",
        "Host: localhost\\evil.example",
        "Host: localhost evil.example",
        "Host: localhost,evil.example",
        "Host: localhost%00",
        "Host: localhost:",
        "Host: localhost:port",
        "Host: localhost:1:2",
        "Host: [::1",
        "Host: [::1%25lo]",
        "Host: l\u00f6calhost",
        "Host:",
    ],
)
async def test_a_host_that_is_no_host_is_refused(call: Caller, lines: str):
    address = urlsplit(call.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"GET /features HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n".encode())
    status = await reader.readline()
    writer.close()
    assert status.split()[1] == b"400", status


async def test_every_site_may_where_all_are_allowed(aiohttp_client: Any):
    async def done(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(middlewares=[guard(hosts=None, cors="*")])
    app.router.add_post("/", done)
    client = await aiohttp_client(app)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Origin": "http://x"}):
        assert (await client.post("/", headers=headers)).status == 200
