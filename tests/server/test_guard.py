"""Pages of other web sites cannot drive the service."""

from __future__ import annotations

import aiohttp
import pytest

from tests.conftest import ServerFactory
from tests.server.conftest import Caller


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
        origin = {"Origin": "https://app.example"}
        async with session.options(service.url + "/prompt", headers=origin) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
            assert "POST" in answer.headers["Access-Control-Allow-Methods"]
